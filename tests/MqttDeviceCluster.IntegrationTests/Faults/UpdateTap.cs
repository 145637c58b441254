using System.Buffers;
using System.Buffers.Binary;
using System.Net;

namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>
/// Stands between silos and broker and reads along: which numbered updates the broker delivered to a silo, and which the silos acknowledged.
/// </summary>
internal sealed class UpdateTap : IAsyncDisposable
{
    private readonly TcpRelay _relay;

    /// <param name="address">Where it listens.</param>
    /// <param name="brokerPort">The broker's port on 127.0.0.1.</param>
    /// <param name="ledger">Who is told.</param>
    public UpdateTap(IPAddress address, int brokerPort, UpdateLedger ledger) => _relay = new(address, brokerPort, () =>
    {
        // One id table for both directions: what the broker sent under an id is what the silo acknowledges with it.
        var numbers = new int?[ushort.MaxValue + 1];
        return (buffer => ReadPackets(buffer, (header, body) => ReadAcknowledgement(header, body, numbers, ledger)),
            buffer => ReadPackets(buffer, (header, body) => ReadDelivery(header, body, numbers, ledger)));
    });

    /// <summary>Gets the address for silos.</summary>
    public string ConnectionString => $"mqtt://{_relay.EndPoint}";

    public ValueTask DisposeAsync() => _relay.DisposeAsync();

    // Returns the end of the last whole packet.
    private static SequencePosition ReadPackets(ReadOnlySequence<byte> buffer, Action<byte, ReadOnlySequence<byte>> read)
    {
        SequenceReader<byte> reader = new(buffer);
        while (true)
        {
            var start = reader.Position;
            if (!reader.TryRead(out var header) || !TryReadLength(ref reader, out var length) || reader.Remaining < length)
            {
                return start;
            }

            read(header, buffer.Slice(reader.Position, length));
            reader.Advance(length);
        }
    }

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

    private static void ReadDelivery(byte header, ReadOnlySequence<byte> body, int?[] numbers, UpdateLedger ledger)
    {
        // PUBLISH with QoS 1, new or again.
        if ((header & 0x06) != 0x02 || (header & 0xF0) != 0x30)
        {
            return;
        }

        var bytes = body.IsSingleSegment ? body.FirstSpan : body.ToArray();
        var topicLength = BinaryPrimitives.ReadUInt16BigEndian(bytes);
        var packetId = BinaryPrimitives.ReadUInt16BigEndian(bytes[(2 + topicLength)..]);
        numbers[packetId] = UpdateLedger.NumberIn(bytes);
        if (numbers[packetId] is { } number)
        {
            ledger.OnDelivered(number);
        }
    }

    private static void ReadAcknowledgement(byte header, ReadOnlySequence<byte> body, int?[] numbers, UpdateLedger ledger)
    {
        if (header != 0x40)
        {
            return;
        }

        Span<byte> id = stackalloc byte[2];
        body.Slice(0, 2).CopyTo(id);
        if (numbers[BinaryPrimitives.ReadUInt16BigEndian(id)] is { } number)
        {
            ledger.OnAcknowledged(number);
        }
    }
}
