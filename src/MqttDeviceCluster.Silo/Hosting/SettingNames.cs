using System.Text.RegularExpressions;
using MqttDeviceCluster.Storage;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster.Silo.Hosting;

/// <summary>
/// What the validators of options say, in the words of whoever set them: they know members of classes, and he wrote <c>Devices:MaxPins</c>. A message of anything else stays as it is.
/// </summary>
internal static partial class SettingNames
{
    public static string In(string message)
    {
        var match = Invalid().Match(message);
        return match.Success ? Named(match.Groups["problems"].Value, match.Groups["options"].Value, match.Groups["name"].Value) : message;
    }

    private static string Named(string problems, string options, string name) => options switch
    {
        nameof(DeviceOptions) => Named<DeviceOptions>(problems, "Devices"),
        nameof(MqttStreamOptions) when name == DeviceStreams.ProviderName => Named<MqttStreamOptions>(problems, "Mqtt"),
        nameof(MqttStreamOptions) => Named<MqttStreamOptions>(problems, $"Orleans:Streaming:{name}"),
        nameof(SqliteGrainStorageOptions) => Named<SqliteGrainStorageOptions>(problems, $"Orleans:GrainStorage:{name}"),
        _ => Named<PostgreSqlGrainStorageOptions>(problems, $"Orleans:GrainStorage:{name}"),
    };

    private static string Named<T>(string problems, string section)
    {
        var members = typeof(T).GetProperties().Where(static property => property.CanWrite).Select(static property => property.Name).Append("ConnectionName").Append("SerializerKey");

        // What stands in quotes is a value.
        return Regex.Replace(problems, $@"'[^']*'|(?<![\w.:])(?:{string.Join('|', members)})(?![\w:])", found => found.Value switch
        {
            ['\'', ..] => found.Value,
            nameof(MqttStreamOptions.ConnectionString) when section == "Mqtt" => $"ConnectionStrings:{SiloSettings.BrokerConnectionName}",
            _ => $"{section}:{found.Value}",
        });
    }

    [GeneratedRegex(
        "^Invalid (?<options>DeviceOptions|MqttStreamOptions|SqliteGrainStorageOptions|PostgreSqlGrainStorageOptions)(?: for (?:stream provider|grain storage) '(?<name>[^']*)')?: (?<problems>.*)$",
        RegexOptions.Singleline)]
    private static partial Regex Invalid();
}
