using MqttDeviceCluster.Streams;
using Orleans.Streams;

namespace MqttDeviceCluster;

/// <summary>
/// Knows a device's last deliveries, to recognize one that comes again. Orleans repeats a delivery whose call failed or was answered too late, also when it was
/// applied: applied again, it would bring back an older state for a moment, and be told as a change.
/// </summary>
/// <remarks>
/// A repetition is the same delivery as a whole. What a broker sends again, to another silo or over another connection, has other tokens and is none; nothing is
/// concluded from the order of tokens, since those of two silos do not compare.
/// </remarks>
internal sealed class RecentDeliveries
{
    private const int Remembered = 4;

    private readonly long?[] _recent = new long?[Remembered];
    private int _next;

    /// <summary>
    /// Returns what tells a delivery from others, or <see langword="null"/> if nothing does. The times are in it as well: a queue that lost its count begins its tokens
    /// anew.
    /// </summary>
    public static long? MarkOf(IList<SequentialItem<DeviceMessage>> items)
    {
        if (items.Count == 0 || items[^1].Token is not { } token)
        {
            return null;
        }

        // FNV-1a over words: the mark is stored, so it must be the same on every silo and in every version.
        var mark = 14695981039346656037UL;
        ReadOnlySpan<long> words =
            [token.SequenceNumber, token.EventIndex, items.Count, items[0].Item.ReceivedAt.UtcTicks, items[^1].Item.ReceivedAt.UtcTicks];
        foreach (var word in words)
        {
            mark = unchecked((mark ^ (ulong)word) * 1099511628211UL);
            mark ^= mark >> 29;
        }

        return unchecked((long)mark);
    }

    /// <summary>Returns whether a delivery is one of the last that were applied.</summary>
    public bool IsRepeated(long? mark) => mark is not null && Array.IndexOf(_recent, mark) >= 0;

    /// <summary>Notes that a delivery was applied, not before: one that fails in the middle is not done when it comes again.</summary>
    public void Add(long? mark)
    {
        if (mark is not null)
        {
            _recent[_next] = mark;
            _next = (_next + 1) % Remembered;
        }
    }
}
