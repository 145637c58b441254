using System.Collections.Immutable;
using System.Text;

namespace MqttDeviceCluster.Simulator;

/// <summary>Payloads of an update that break the protocol, each in its own way. All of them must be refused whole.</summary>
public static class BadPayload
{
    /// <summary>Gets a payload of zero bytes.</summary>
    public static ReadOnlyMemory<byte> Empty { get; } = ReadOnlyMemory<byte>.Empty;

    /// <summary>Gets text that is not JSON.</summary>
    public static ReadOnlyMemory<byte> NotJson { get; } = Encoding.UTF8.GetBytes("pin 13 is high");

    /// <summary>Gets JSON that ends too early.</summary>
    public static ReadOnlyMemory<byte> CutShort { get; } = Encoding.UTF8.GetBytes("""[{"pin":13,"mode":3,"state":1},{"pin":1""");

    /// <summary>Gets bytes that are not UTF-8.</summary>
    public static ReadOnlyMemory<byte> NotUtf8 { get; } = new byte[] { 0x5B, 0xFF, 0xFE, 0x00, 0x5D };

    /// <summary>Gets JSON that is neither an array nor an envelope.</summary>
    public static ReadOnlyMemory<byte> NotAnArray { get; } = Encoding.UTF8.GetBytes("42");

    /// <summary>Gets an update of 257 elements: one too many.</summary>
    public static ReadOnlyMemory<byte> TooManyElements { get; } = Encoding.UTF8.GetBytes(
        "[" + string.Join(',', Enumerable.Range(0, 257).Select(pin => $$"""{"pin":{{pin}},"mode":3,"state":1}""")) + "]");

    /// <summary>Gets an update of 65,537 bytes: one too many.</summary>
    public static ReadOnlyMemory<byte> TooBig { get; } = Encoding.UTF8.GetBytes(
        """[{"pin":13,"mode":3,"state":1}""" + new string(' ', 65_537 - 31) + "]");

    /// <summary>Gets all of them.</summary>
    public static ImmutableArray<ReadOnlyMemory<byte>> All { get; } =
        [Empty, NotJson, CutShort, NotUtf8, NotAnArray, TooManyElements, TooBig];

    /// <summary>
    /// Gets an update whose first and last element are good (pin 13 high, pin 14 low) and whose other elements are each bad in
    /// another way: they cost themselves, never the good ones.
    /// </summary>
    public static ReadOnlyMemory<byte> BadElements { get; } = Encoding.UTF8.GetBytes(
        """[{"pin":13,"mode":3,"state":1},{"mode":3,"state":1},{"pin":"13","state":0},{"pin":13,"state":"low"},7,null,"x",[],{"pin":14,"mode":3,"state":0}]""");
}
