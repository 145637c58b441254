using System.Globalization;
using System.Text;

namespace MqttDeviceCluster.Benchmarks.Devices;

/// <summary>
/// The topics and payloads that floor, service and devices share. The floor speaks under a root of its own, as long as the service's, because the silo
/// subscribes to all of <c>device/</c> and would receive the floor's updates too. The same devices answer under both.
/// </summary>
internal static class Wire
{
    public const string ServiceRoot = "device";

    public const string FloorRoot = "direct";

    public const int Pin = 13;

    public static readonly ReadOnlyMemory<byte> SetLow = "[{\"pin\":13,\"state\":0}]"u8.ToArray();

    public static readonly ReadOnlyMemory<byte> SetHigh = "[{\"pin\":13,\"state\":1}]"u8.ToArray();

    public static readonly ReadOnlyMemory<byte> IsLow = "[{\"pin\":13,\"mode\":3,\"state\":0}]"u8.ToArray();

    public static readonly ReadOnlyMemory<byte> IsHigh = "[{\"pin\":13,\"mode\":3,\"state\":1}]"u8.ToArray();

    /// <summary>Returns an update of pins from <see cref="Pin"/> on, all in one state.</summary>
    public static ReadOnlyMemory<byte> Pins(int count, int state) => Encoding.UTF8.GetBytes(string.Create(
        CultureInfo.InvariantCulture, $"[{string.Join(',', Enumerable.Range(Pin, count).Select(pin => $"{{\"pin\":{pin},\"mode\":3,\"state\":{state}}}"))}]"));

    public static string DeviceId(int number) => string.Create(CultureInfo.InvariantCulture, $"02{number + 1:X10}");

    /// <summary>Returns the number of the device, from the end of its id.</summary>
    public static int DeviceNumber(ReadOnlySpan<char> id) => int.Parse(id[2..], NumberStyles.HexNumber, CultureInfo.InvariantCulture) - 1;

    public static string Set(string root, int number) => $"{root}/{DeviceId(number)}/pin/set";

    public static string Update(string root, int number) => $"{root}/{DeviceId(number)}/pin/update";

    public static bool IsHighCommand(ReadOnlySpan<byte> payload) => payload[payload.IndexOf("\"state\":"u8) + 8] == (byte)'1';
}
