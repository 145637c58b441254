using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Link;

namespace MqttDeviceCluster.IntegrationTests.Safety;

/// <summary>Services and operators come with a certificate.</summary>
public sealed class CertificateAccessControlTests() : AccessControlTests("mosquitto.conf")
{
    private protected override string[] SiloArguments => [$"--Mqtt:ClientCertificateFile={PathOf("service.pem")}", $"--Mqtt:ClientCertificateKeyFile={PathOf("service.key")}"];

    private protected override string[] OperatorArguments => ["--certificate-file", PathOf("operator.pem"), "--key-file", PathOf("operator.key")];

    [Fact]
    public async Task Service_WithACertificateOfTheDevicesAuthority_IsRefused()
    {
        var refused = await Assert.ThrowsAsync<MqttConnectException>(() => Client.ConnectAsync(ServiceOptions("device"), "x"));
        Assert.Contains("does not accept the client certificate", refused.Message, StringComparison.Ordinal);
    }

    private protected override MqttStreamOptions ServiceOptions(string name)
    {
        var options = OptionsOfServices();
        options.ClientCertificateFile = PathOf(name + ".pem");
        options.ClientCertificateKeyFile = PathOf(name + ".key");
        return options;
    }
}
