namespace MqttDeviceCluster.Silo.Hosting;

/// <summary>
/// Has silos that are told to stop together leave one after the other. Orleans' table of members takes one change at a time, and whoever loses tries again after 2 to 4 s: meanwhile
/// that silo receives nothing and lets no command begin, and still has its devices. And what a client has asked at one that leaves is lost when it turns to the next one, which
/// leaves as well, since Orleans closes those connections at once.
/// </summary>
internal sealed class LeavingInTurn(IClusterMembershipService membership, ILocalSiloDetails silo, TimeProvider time)
{
    /// <summary>Until the others know that a silo leaves: it lets its commands be confirmed first, which takes some milliseconds where devices answer.</summary>
    internal static readonly TimeSpan Slot = TimeSpan.FromMilliseconds(500);

    /// <summary>A silo that hangs in its stop does not hold up the others for long.</summary>
    internal static readonly TimeSpan MaxWait = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(50);

    /// <summary>Waits until it is this silo's turn, while it serves as before: by the order of their addresses, when nobody else is on the way out, at most <see cref="MaxWait"/>.</summary>
    public async Task WaitAsync(CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        while (Left(started) is { Ticks: > 0 } left)
        {
            if (CountBefore() is not { } before)
            {
                return;
            }

            await Task.Delay(Min(before * Slot, left), time, cancellationToken);
            if (!IsAnotherLeaving())
            {
                return;
            }

            while (IsAnotherLeaving() && Left(started) > TimeSpan.Zero)
            {
                await Task.Delay(Period, time, cancellationToken);
            }
        }
    }

    private TimeSpan Left(long started) => MaxWait - time.GetElapsedTime(started);

    private static TimeSpan Min(TimeSpan one, TimeSpan other) => one < other ? one : other;

    // Nothing for a silo that is no member, or not any more.
    private int? CountBefore()
    {
        var active = membership.CurrentSnapshot.Members.Values.Where(static member => member.Status == SiloStatus.Active).Select(static member => member.SiloAddress).ToList();
        return active.Contains(silo.SiloAddress) ? active.Count(other => other.CompareTo(silo.SiloAddress) < 0) : null;
    }

    private bool IsAnotherLeaving() => membership.CurrentSnapshot.Members.Values.Any(
        member => member.Status is SiloStatus.ShuttingDown or SiloStatus.Stopping && !member.SiloAddress.Equals(silo.SiloAddress));
}
