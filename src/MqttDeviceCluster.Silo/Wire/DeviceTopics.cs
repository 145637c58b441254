namespace MqttDeviceCluster.Silo.Wire;

/// <summary>The topics of the device protocol, as route templates.</summary>
internal static class DeviceTopics
{
    public const string Update = "device/{key}/pin/update";

    public const string Status = "device/{key}/status";

    public const string Config = "device/{key}/pin/config";

    public const string Set = "device/{key}/pin/set";

    public const string Get = "device/{key}/pin/get";

    /// <summary>Gets the topics that devices act on.</summary>
    public static IReadOnlyList<string> Commands { get; } = [Config, Set, Get];

    /// <summary>Returns the topic that <paramref name="deviceId"/> answers on.</summary>
    public static string UpdateOf(string deviceId) => string.Concat("device/", deviceId, "/pin/update");
}
