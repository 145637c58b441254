using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Link;

namespace MqttDeviceCluster.IntegrationTests.Safety;

/// <summary>Services and operators come with a user name and a password.</summary>
public sealed class PasswordAccessControlTests() : AccessControlTests("mosquitto-password.conf")
{
    private protected override string[] SiloArguments => [$"--Mqtt:UserNameFile={PathOf("service.user")}", $"--Mqtt:PasswordFile={PathOf("service.password")}"];

    private protected override string[] OperatorArguments => ["--user-name-file", PathOf("operator.user"), "--password-file", PathOf("operator.password")];

    private protected override string[] OwnListener => ["allow_anonymous false", "password_file {dir}/passwords", "acl_file {dir}/acl"];

    [Fact]
    public async Task Service_WithAWrongPassword_IsRefused()
    {
        var options = ServiceOptions("service");
        options.Password = "wrong";
        var refused = await Assert.ThrowsAsync<MqttConnectException>(() => Client.ConnectAsync(options, "x"));
        Assert.Equal(MqttConnectFailure.Refused, refused.Failure);
    }

    [Fact]
    public void Configurations_AboveTheListeners_AreTheSame()
    {
        Assert.Equal(Common("mosquitto.conf"), Common("mosquitto-password.conf"));

        static IEnumerable<string> Common(string file) => Settings(file).TakeWhile(static line => !line.StartsWith("listener ", StringComparison.Ordinal))
            .Where(static line => line.Split(' ')[0] is not ("per_listener_settings" or "allow_anonymous" or "password_file" or "acl_file"));
    }

    private protected override async Task PrepareAsync()
    {
        await MosquittoPasswords.WriteAsync(PathOf("service-passwords"), ("mqtt-device-cluster", "of service"), ("operator", "of operator"));
        await File.WriteAllTextAsync(PathOf("service.user"), "mqtt-device-cluster\n", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(PathOf("service.password"), "of service\n", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(PathOf("operator.user"), "operator\n", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(PathOf("operator.password"), "of operator\n", TestContext.Current.CancellationToken);
    }

    private protected override MqttStreamOptions ServiceOptions(string name)
    {
        var options = OptionsOfServices();
        (options.UserName, options.Password) = (name == "service" ? "mqtt-device-cluster" : name, $"of {name}");
        return options;
    }
}
