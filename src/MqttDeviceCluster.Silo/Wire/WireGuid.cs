namespace MqttDeviceCluster.Silo.Wire;

/// <summary>
/// A command's id as MQTT Correlation Data: 16 bytes, big-endian (RFC 9562), so that the bytes read like the text form of the id.
/// </summary>
/// <remarks>.NET's default order swaps the first three groups, and whoever compares a packet capture with a log would find nothing.</remarks>
internal static class WireGuid
{
    public const int Length = 16;

    public static byte[] ToBytes(Guid id) => id.ToByteArray(bigEndian: true);

    /// <summary>Returns the id, or <see langword="null"/> when the data has another length: then it is no command's id of ours.</summary>
    public static Guid? FromBytes(ReadOnlySpan<byte> data) => data.Length == Length ? new Guid(data, bigEndian: true) : null;
}
