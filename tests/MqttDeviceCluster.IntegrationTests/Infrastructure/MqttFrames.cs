using System.Buffers;
using System.Buffers.Binary;

namespace MqttDeviceCluster.IntegrationTests.Infrastructure;

/// <summary>Reads along in a stream of MQTT packets.</summary>
internal static class MqttFrames
{
    /// <summary>Calls back for each whole packet, with the first byte and what comes after the length; returns the end of the last one.</summary>
    public static SequencePosition Read(ReadOnlySequence<byte> buffer, Action<byte, ReadOnlySpan<byte>> read)
    {
        SequenceReader<byte> reader = new(buffer);
        while (true)
        {
            var start = reader.Position;
            if (!reader.TryRead(out var header) || !TryReadLength(ref reader, out var length) || reader.Remaining < length)
            {
                return start;
            }

            var body = buffer.Slice(reader.Position, length);
            read(header, body.IsSingleSegment ? body.FirstSpan : body.ToArray());
            reader.Advance(length);
        }
    }

    /// <summary>Returns whether a packet is a PUBLISH with QoS 1, new or again.</summary>
    public static bool IsPublish(byte header) => (header & 0xF6) == 0x32;

    /// <summary>Returns whether a packet is a PUBACK.</summary>
    public static bool IsPublishAcknowledgement(byte header) => header == 0x40;

    /// <summary>Returns the topic of a PUBLISH, and its packet id.</summary>
    public static (ReadOnlyMemory<byte> Topic, ushort PacketId) PublishOf(ReadOnlySpan<byte> body)
    {
        var length = BinaryPrimitives.ReadUInt16BigEndian(body);
        return (body.Slice(2, length).ToArray(), BinaryPrimitives.ReadUInt16BigEndian(body[(2 + length)..]));
    }

    /// <summary>Returns the packet id of a PUBACK.</summary>
    public static ushort AcknowledgedBy(ReadOnlySpan<byte> body) => BinaryPrimitives.ReadUInt16BigEndian(body);

    private static bool TryReadLength(ref SequenceReader<byte> reader, out int length)
    {
        length = 0;
        for (var shift = 0; reader.TryRead(out var next); shift += 7)
        {
            length |= (next & 0x7F) << shift;
            if ((next & 0x80) == 0)
            {
                return true;
            }
        }

        return false;
    }
}
