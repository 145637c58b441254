using Microsoft.Extensions.Options;
using MqttDeviceCluster.Silo.Hosting;
using MqttDeviceCluster.Storage.PostgreSql;
using MqttDeviceCluster.Storage.Sqlite;
using MqttDeviceCluster.Streaming.Mqtt;

namespace MqttDeviceCluster.Tests.Silo.Hosting;

/// <summary>What the validators really say: one that changes its words fails here.</summary>
public sealed class SettingNamesTests
{
    [Fact]
    public void In_Devices_NamesTheSettings() => Assert.Equal(
        "Devices:MaxWaitingCommands must be 1 to 65536 but is 0; Devices:MaxPins must be 1 to 65536 but is 0.",
        Refused(new DeviceOptionsValidator(Options.Create(new DeviceOptions { MaxPins = 0, MaxWaitingCommands = 0 }))));

    [Theory]
    [InlineData("mqtt", "Mqtt", "ConnectionStrings:mqtt")]
    [InlineData("more", "Orleans:Streaming:more", "Orleans:Streaming:more:ConnectionString")]
    public void In_Streams_NamesTheSettings(string provider, string section, string connectionString) => Assert.Equal(
        $"{section}:ReceiveMaximum must be 1 to 65535 but is 0; {connectionString} is missing; "
        + $"{section}:SharedGroup must be one topic level without wildcards but is 'KeepAlive/#'; Routes is empty.",
        Refused(new MqttStreamOptionsValidator(new MqttStreamOptions { ReceiveMaximum = 0, SharedGroup = "KeepAlive/#" }, null, provider)));

    [Fact]
    public void In_Stores_NamesTheSettings()
    {
        Assert.Equal(
            "Orleans:GrainStorage:Default:DataSource (a path) or Orleans:GrainStorage:Default:ConnectionString is required; Orleans:GrainStorage:Default:MaxBatchSize must be 1 to 10000 but is 0.",
            Refused(new SqliteGrainStorageOptionsValidator(new() { MaxBatchSize = 0 }, "Default")));
        Assert.Equal(
            "Orleans:GrainStorage:x:ConnectionString (or Orleans:GrainStorage:x:ConnectionName) is required.",
            Refused(new PostgreSqlGrainStorageOptionsValidator(new(), "x")));
    }

    [Theory]
    [InlineData("Invalid something: MaxPins must be 1.")]
    [InlineData("Invalid PostgreSql clustering: ConnectionString (or ConnectionName) is required.")]
    [InlineData("The broker is away.")]
    public void In_AnythingElse_StaysAsItIs(string message) => Assert.Equal(message, SettingNames.In(message));

    private static string Refused(IConfigurationValidator validator) =>
        SettingNames.In(Assert.Throws<OrleansConfigurationException>(validator.ValidateConfiguration).Message);
}
