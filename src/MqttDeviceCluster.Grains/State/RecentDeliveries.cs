using MqttDeviceCluster.Streams;
using Orleans.Streams;

namespace MqttDeviceCluster;

/// <summary>
/// Knows the last deliveries of one activation, to recognize one that comes again. Orleans repeats a delivery whose call failed or was answered too late, also
/// when it was applied: applied again, it would bring back an older state for a moment, and be told as a change.
/// </summary>
/// <remarks>
/// A repetition is the same delivery as a whole. What a broker sends again, to another silo or over another connection, has other tokens and is none; nothing is
/// concluded from the order of tokens, since those of two silos do not compare.
/// </remarks>
internal sealed class RecentDeliveries
{
    private const int Remembered = 4;

    private readonly Delivery[] _recent = new Delivery[Remembered];
    private int _next;

    /// <summary>Returns whether a delivery is one of the last; if it is not, it is from now on.</summary>
    public bool IsRepeated(IList<SequentialItem<DeviceMessage>> items)
    {
        if (items.Count == 0 || items[^1].Token is not { } token)
        {
            return false;
        }

        // The times as well: a queue that lost its count begins its tokens anew.
        Delivery delivery = new(token.SequenceNumber, token.EventIndex, items.Count, items[0].Item.ReceivedAt.Ticks, items[^1].Item.ReceivedAt.Ticks);
        if (Array.IndexOf(_recent, delivery) >= 0)
        {
            return true;
        }

        _recent[_next] = delivery;
        _next = (_next + 1) % Remembered;
        return false;
    }

    private readonly record struct Delivery(long Number, int Index, int Count, long First, long Last);
}
