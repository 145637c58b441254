namespace MqttDeviceCluster.Silo.Wire;

/// <summary>The topics of the device protocol, as route templates.</summary>
internal static class DeviceTopics
{
    public const string Update = "device/{id}/pin/update";

    public const string Status = "device/{id}/status";

    public const string Config = "device/{id}/pin/config";

    public const string Set = "device/{id}/pin/set";

    public const string Get = "device/{id}/pin/get";

    /// <summary>Gets the topics that devices act on.</summary>
    public static IReadOnlyList<string> Commands { get; } = [Config, Set, Get];

    /// <summary>Returns the topic that <paramref name="deviceId"/> says on how it is.</summary>
    public static string StatusOf(string deviceId) => string.Concat("device/", deviceId, "/status");

    /// <summary>Returns the topic that <paramref name="deviceId"/> answers on.</summary>
    public static string UpdateOf(string deviceId) => string.Concat("device/", deviceId, "/pin/update");
}
