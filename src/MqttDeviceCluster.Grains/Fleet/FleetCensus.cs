using Microsoft.Extensions.Logging;

namespace MqttDeviceCluster;

/// <summary>
/// Counts the devices of the cluster in the store, on one silo and without waking them: once a minute, and less often where a count takes long, so that it never takes
/// more than a hundredth of the time. A device's presence is stored whenever it changes.
/// </summary>
internal sealed partial class FleetCensus(
    DeviceMetrics metrics,
    IClusterMembershipService membership,
    ILocalSiloDetails local,
    TimeProvider time,
    ILogger<FleetCensus> logger,
    IDeviceStateScan? scan = null)
{
    /// <summary>The least time between two counts.</summary>
    internal static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    private const int ReadSize = 1_000;
    private const int RestShare = 100;

    private long _endedAt;
    private TimeSpan _rest;

    /// <summary>Counts if it is time to. Called about once a second by one caller.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (scan is null || !membership.IsFirst(local))
        {
            metrics.Size = null;
            _endedAt = 0;
            return;
        }

        if (_endedAt != 0 && time.GetElapsedTime(_endedAt) < _rest)
        {
            return;
        }

        var started = time.GetTimestamp();
        try
        {
            metrics.Size = await CountAsync(scan, cancellationToken);
        }
        catch (InvalidOperationException exception)
        {
            // The store says so itself. The last count stands.
            LogNotCounted(exception);
        }

        _endedAt = time.GetTimestamp();
        _rest = RestShare * time.GetElapsedTime(started, _endedAt);
        _rest = _rest > Interval ? _rest : Interval;
    }

    private static async Task<FleetSize> CountAsync(IDeviceStateScan store, CancellationToken cancellationToken)
    {
        long known = 0, online = 0;
        string? continuation = null;
        do
        {
            var page = await store.ScanAsync<DeviceState>(FleetDirectory.DeviceType, DeviceGrain.StateName, null, continuation, ReadSize, cancellationToken);
            known += page.States.Count;
            online += page.States.Count(static state => state.State.Presence == (int)Presence.Online);
            continuation = page.Continuation;
        }
        while (continuation is not null);

        return new(known, online);
    }

    [LoggerMessage(LogLevel.Debug, "The devices could not be counted: the store cannot be read.")]
    private partial void LogNotCounted(Exception exception);
}
