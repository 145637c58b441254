namespace MqttDeviceCluster;

/// <summary>
/// Has silos that are told to stop together leave one after the other.
/// </summary>
/// <remarks>
/// Orleans' table of members takes one change at a time, and whoever loses tries again after 2 to 4 s: meanwhile that silo receives nothing and lets no command begin, and still has
/// its devices. And what a client has asked at a silo that leaves is lost when it turns to the next one, which leaves as well, since Orleans closes those connections at once.
/// </remarks>
internal sealed class LeavingInTurn(IClusterMembershipService membership, ILocalSiloDetails silo, TimeProvider time)
{
    /// <summary>Until the others know that a silo leaves: it lets its commands be confirmed first, which takes some milliseconds where devices answer.</summary>
    internal static readonly TimeSpan Slot = TimeSpan.FromMilliseconds(500);

    /// <summary>A silo that hangs in its stop holds up the others for so long, and a slot more for each that is before them: they do not go together for that.</summary>
    internal static readonly TimeSpan MaxWait = TimeSpan.FromSeconds(10);

    private const int MaxBefore = 10;

    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(50);

    /// <summary>Waits until it is this silo's turn, while it serves as before: the oldest first, when nobody else is on the way out, at most 15 s.</summary>
    public async Task WaitAsync(CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        if (CountBefore() is not { } first)
        {
            return;
        }

        var until = MaxWait + (first * Slot);
        for (var before = first; Left(started, until) is { Ticks: > 0 } left; before = CountBefore() ?? 0)
        {
            await Task.Delay(Min(before * Slot, left), time, cancellationToken);
            if (!IsAnotherLeaving())
            {
                return;
            }

            while (IsAnotherLeaving() && Left(started, until) > TimeSpan.Zero)
            {
                await Task.Delay(Period, time, cancellationToken);
            }
        }
    }

    private TimeSpan Left(long started, TimeSpan until) => until - time.GetElapsedTime(started);

    private static TimeSpan Min(TimeSpan one, TimeSpan other) => one < other ? one : other;

    // Nothing for a silo that is no member, or not any more.
    private int? CountBefore()
    {
        var active = membership.CurrentSnapshot.Members.Values.Where(static member => member.Status == SiloStatus.Active).Select(static member => member.SiloAddress).ToList();
        return active.Contains(silo.SiloAddress) ? Math.Min(MaxBefore, active.Count(other => other.CompareTo(silo.SiloAddress) < 0)) : null;
    }

    private bool IsAnotherLeaving() => membership.CurrentSnapshot.Members.Values.Any(
        member => member.Status is SiloStatus.ShuttingDown or SiloStatus.Stopping && !member.SiloAddress.Equals(silo.SiloAddress));
}
