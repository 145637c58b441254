using MqttDeviceCluster.Streaming.Mqtt;
using Orleans.Configuration;

namespace MqttDeviceCluster.Tests.Streaming.Mqtt.Configuration;

public sealed class MqttStreamOptionsValidatorTests
{
    [Fact]
    public void ValidateConfiguration_Defaults_NeedOnlyABrokerAndARoute() => Validate(Valid());

    [Fact]
    public void ValidateConfiguration_EverythingWrong_NamesItAllAtOnceWithTheProvider()
    {
        var options = new MqttStreamOptions
        {
            QueuesPerConnection = 0,
            ReceiveMaximum = 65536,
            KeepAlive = TimeSpan.Zero,
            PublishStallTime = TimeSpan.Zero,
            SharedGroup = "a/b",
            DeadLetterTopic = "dead/#",
            ClientId = "",
            AcknowledgeOutOfOrderAfter = TimeSpan.FromSeconds(-1),
        };

        var exception = Assert.Throws<OrleansConfigurationException>(() => Validate(options));

        Assert.Contains("'test'", exception.Message, StringComparison.Ordinal);
        string[] expected =
        [
            "QueuesPerConnection must be 1 to 1024 but is 0", "ReceiveMaximum must be 1 to 65535 but is 65536", "KeepAlive must be", "PublishStallTime must be", "SharedGroup must be",
            "DeadLetterTopic must be", "ClientId must", "AcknowledgeOutOfOrderAfter must", "ConnectionString is missing", "Routes is empty",
        ];
        Assert.All(expected, text => Assert.Contains(text, exception.Message, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("a/{key}/c", "a/{key}/c")]
    [InlineData("a/{key}/c", "a/+/{key}")]
    [InlineData("a/{key}/#", "a/b/c/d/{key}")]
    [InlineData("{key}/#", "{key}")]
    public void ValidateConfiguration_RoutesThatOverlap_AreRefused(string first, string second)
    {
        var options = Valid();
        options.Routes.Add(MqttRoute.FromTopic(first, "x", MqttMessageCodec.Instance));
        options.Routes.Add(MqttRoute.FromTopic(second, "y", MqttMessageCodec.Instance));

        Assert.Contains("overlap", Assert.Throws<OrleansConfigurationException>(() => Validate(options)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ValidateConfiguration_DeadLettersThatWouldComeBack_AreRefused()
    {
        var options = Valid();
        options.DeadLetterTopic = "valid/dead";

        Assert.Contains("come back", Assert.Throws<OrleansConfigurationException>(() => Validate(options)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ValidateConfiguration_TwoRoutesFromOneNamespace_AreRefused()
    {
        var options = Valid();
        options.Routes.Add(MqttRoute.ToTopic("out", "a/{key}", MqttMessageCodec.Instance));
        options.Routes.Add(MqttRoute.ToTopic("out", "b/{key}", MqttMessageCodec.Instance));

        Assert.Contains("more than one route", Assert.Throws<OrleansConfigurationException>(() => Validate(options)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ValidateConfiguration_ConnectionWithoutARoute_IsRefusedUnlessShared()
    {
        var options = Valid();
        options.Connections = 2;

        Assert.Contains("not every connection", Assert.Throws<OrleansConfigurationException>(() => Validate(options)).Message, StringComparison.Ordinal);
        options.SharedGroup = "silos";
        Validate(options);
    }

    [Fact]
    public void ValidateConfiguration_SeveralContainersPerBatch_IsRefused()
    {
        var exception = Assert.Throws<OrleansConfigurationException>(() => Validate(Valid(), new() { BatchContainerBatchSize = 2 }));

        Assert.Contains("acknowledged before they are delivered", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ValidateConfiguration_CredentialsThatContradictOrAreNotThere_AreAllNamedWithoutTheirValues()
    {
        var options = Valid();
        (options.UserName, options.UserNameFile) = ("us3r", "/nowhere/user");
        (options.Password, options.PasswordFile) = ("s3cret", "/nowhere/password");
        (options.ClientCertificatePassword, options.ClientCertificateKeyFile) = ("s3cret", "/nowhere/key.pem");
        options.CredentialCheckPeriod = TimeSpan.Zero;

        var message = Assert.Throws<OrleansConfigurationException>(() => Validate(options)).Message;

        string[] expected =
        [
            "UserName and UserNameFile are both given", "Password and PasswordFile are both given", "UserNameFile '/nowhere/user' does not exist",
            "PasswordFile '/nowhere/password' does not exist", "ClientCertificateKeyFile '/nowhere/key.pem' does not exist",
            "ClientCertificateKeyFile is given without ClientCertificateFile", "ClientCertificatePassword is given without ClientCertificateFile",
            "CredentialCheckPeriod must be",
        ];
        Assert.All(expected, text => Assert.Contains(text, message, StringComparison.Ordinal));
        Assert.DoesNotContain("s3cret", message, StringComparison.Ordinal);
        Assert.DoesNotContain("us3r", message, StringComparison.Ordinal);
    }

    [Fact]
    public void ValidateConfiguration_ClientCertificateThatCannotBeShown_IsRefused()
    {
        var file = Path.GetTempFileName();
        try
        {
            var options = Valid();
            options.ClientCertificateFile = file;
            Assert.Contains("over TLS only", Assert.Throws<OrleansConfigurationException>(() => Validate(options)).Message, StringComparison.Ordinal);

            options.ConnectionString = "mqtts://localhost";
            Assert.Contains("cannot be used", Assert.Throws<OrleansConfigurationException>(() => Validate(options)).Message, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static MqttStreamOptions Valid()
    {
        var options = new MqttStreamOptions { ConnectionString = "mqtt://localhost" };
        options.Routes.Add(MqttRoute.FromTopic("valid/{key}", "valid", MqttMessageCodec.Instance));
        return options;
    }

    private static void Validate(MqttStreamOptions options, StreamPullingAgentOptions? agent = null) =>
        new MqttStreamOptionsValidator(options, agent, "test").ValidateConfiguration();
}
