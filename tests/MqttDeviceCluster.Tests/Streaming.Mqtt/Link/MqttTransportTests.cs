using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Link;

namespace MqttDeviceCluster.Tests.Streaming.Mqtt.Link;

public sealed class MqttTransportTests
{
    [Theory]
    [InlineData("mqtts://broker")]
    [InlineData("wss://broker")]
    public void Create_AuthorityFileCannotBeRead_LoadsNoClientCertificateThatNobodyWouldDispose(string broker)
    {
        var loaded = 0;
        MqttLinkSettings settings = new()
        {
            Broker = MqttConnectionString.Parse(broker),
            ClientId = "test",
            CertificateAuthorityFile = "/no/such/file.pem",
            ClientCertificate = () =>
            {
                loaded++;
                throw new InvalidOperationException();
            },
        };

        var exception = Assert.Throws<MqttConnectException>(() => new MqttTransport(settings));

        Assert.Equal("the certificate file '/no/such/file.pem' cannot be read", exception.Message);
        Assert.Equal(0, loaded);
    }
}
