using System.Runtime.CompilerServices;
using MqttDeviceCluster.Streams;
using Orleans.Streams;

namespace MqttDeviceCluster;

/// <summary>
/// Knows a device's last deliveries, to recognize one that comes again. Orleans repeats a delivery whose call failed or was answered too late, also when it was
/// applied: applied again, it would bring back an older state for a moment, and be told as a change.
/// </summary>
/// <remarks>
/// <para>A repetition is the same delivery as a whole, which the stored state remembers too, or the same message in another one: what failed comes again together with
/// what has come since, or alone. While a store fails that happens once a second.</para>
/// <para>What a broker sends again, to another silo or over another connection, has other tokens and is none; nothing is concluded from the order of tokens, since
/// those of two silos do not compare.</para>
/// </remarks>
internal sealed class RecentDeliveries
{
    private const int Remembered = 4;

    /// <summary>How many messages are remembered: more than come again in one delivery.</summary>
    private const int MaxMessages = 256;

    private Marks _recent;
    private readonly List<(long Number, int Index, long ReceivedAt)> _messages = new(1);
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

        return mark == 0 ? 1 : unchecked((long)mark);
    }

    /// <summary>Returns whether a delivery is one of the last that were applied.</summary>
    public bool IsRepeated(long? mark) => mark is { } known && ((ReadOnlySpan<long>)_recent).Contains(known);

    /// <summary>Returns which messages of a delivery were applied before, or <see langword="null"/> if none was.</summary>
    public bool[]? FindApplied(IList<SequentialItem<DeviceMessage>> items)
    {
        bool[]? applied = null;
        if (_messages.Count > 0)
        {
            for (var i = 0; i < items.Count; i++)
            {
                if (IdOf(items[i]) is { } id && _messages.Contains(id))
                {
                    (applied ??= new bool[items.Count])[i] = true;
                }
            }
        }

        return applied;
    }

    /// <summary>Remembers the messages of a delivery that was applied, each of them.</summary>
    /// <param name="items">The delivery.</param>
    /// <param name="isFresh">Whether everything before it is done, so that nothing of it comes again.</param>
    public void AddMessages(IList<SequentialItem<DeviceMessage>> items, bool isFresh)
    {
        if (isFresh)
        {
            _messages.Clear();
        }

        foreach (var item in items)
        {
            if (IdOf(item) is { } id && (isFresh || !_messages.Contains(id)))
            {
                _messages.Add(id);
            }
        }

        if (_messages.Count > MaxMessages)
        {
            _messages.RemoveRange(0, _messages.Count - MaxMessages);
        }
    }

    /// <summary>Notes that a delivery was applied, not before: one that fails in the middle is not done when it comes again.</summary>
    public void Add(long? mark)
    {
        if (mark is { } known)
        {
            _recent[_next] = known;
            _next = (_next + 1) % Remembered;
        }
    }

    private static (long Number, int Index, long ReceivedAt)? IdOf(SequentialItem<DeviceMessage> item) =>
        item.Token is { } token ? (token.SequenceNumber, token.EventIndex, item.Item.ReceivedAt.UtcTicks) : null;

    /// <summary>So many marks, without an object of their own: each device has them. No mark is 0.</summary>
    [InlineArray(Remembered)]
    private struct Marks
    {
        private long _first;
    }
}
