namespace MqttDeviceCluster.Simulator.Wire;

/// <summary>The topics of a device, written out a second time on purpose: the service has its own.</summary>
internal static class DeviceTopics
{
    public const string Wildcard = "+";

    private const string Root = "device/";

    public static string Update(string deviceId) => $"{Root}{deviceId}/pin/update";

    public static string Status(string deviceId) => $"{Root}{deviceId}/status";

    public static string Command(string deviceId, CommandKind kind) => kind switch
    {
        CommandKind.Config => $"{Root}{deviceId}/pin/config",
        CommandKind.Set => $"{Root}{deviceId}/pin/set",
        CommandKind.Get => $"{Root}{deviceId}/pin/get",
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, null),
    };

    public static bool TryParseCommand(string topic, out ReadOnlySpan<char> deviceId, out CommandKind kind)
    {
        deviceId = default;
        kind = default;
        if (!topic.StartsWith(Root, StringComparison.Ordinal))
        {
            return false;
        }

        var rest = topic.AsSpan(Root.Length);
        var slash = rest.IndexOf('/');
        if (slash <= 0)
        {
            return false;
        }

        deviceId = rest[..slash];
        switch (rest[slash..])
        {
            case "/pin/config":
                kind = CommandKind.Config;
                return true;
            case "/pin/set":
                kind = CommandKind.Set;
                return true;
            case "/pin/get":
                kind = CommandKind.Get;
                return true;
            default:
                return false;
        }
    }
}
