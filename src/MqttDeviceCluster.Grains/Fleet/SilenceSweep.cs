using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace MqttDeviceCluster;

/// <summary>
/// Looks for devices whose silence has become too long, and has their grains note it: those in this silo's memory often, and all stored ones, on one silo of the
/// cluster, four times within the limit.
/// </summary>
internal sealed partial class SilenceSweep(
    ActiveDevices active,
    FleetIntake intake,
    IGrainFactory grains,
    IClusterMembershipService membership,
    ILocalSiloDetails local,
    IOptions<DeviceOptions> options,
    TimeProvider time,
    ILogger<SilenceSweep> logger,
    IDeviceStateScan? scan = null)
{
    private const int ReadSize = 1_000;

    /// <summary>How many devices are told at once: a whole fleet that falls silent must not take the silo's breath.</summary>
    private const int MaxConcurrent = 32;

    private static readonly TimeSpan MaxInterval = TimeSpan.FromSeconds(30);

    private DateTimeOffset _sweptActive = time.GetUtcNow();
    private DateTimeOffset _sweptStored = time.GetUtcNow();

    /// <summary>Looks if it is time to. Called about once a second by one caller.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (options.Value.OfflineAfterSilence is not { } limit || intake.ListeningSince is null)
        {
            return;
        }

        var now = time.GetUtcNow();
        if (now - _sweptActive >= (limit / 20 < MaxInterval ? limit / 20 : MaxInterval))
        {
            _sweptActive = now;
            await NoteAsync(active.Where(device => IsDue(device.Value.State, limit, now)).Select(static device => device.Key).ToArray(), cancellationToken);
        }

        if (scan is not null && now - _sweptStored >= limit / 4 && membership.IsFirst(local))
        {
            _sweptStored = now;
            await SweepStoredAsync(scan, limit, now, cancellationToken);
        }
    }

    private async Task SweepStoredAsync(IDeviceStateScan store, TimeSpan limit, DateTimeOffset now, CancellationToken cancellationToken)
    {
        string? continuation = null;
        do
        {
            DeviceStatePage<DeviceState> page;
            try
            {
                page = await store.ScanAsync<DeviceState>(FleetDirectory.DeviceType, DeviceGrain.StateName, null, continuation, ReadSize, cancellationToken);
            }
            catch (InvalidOperationException exception)
            {
                LogSweepFailed(exception);
                return;
            }

            await NoteAsync(
                page.States.Where(state => IsDue(state.State, limit, now) && !active.TryGet(state.Key, out _)).Select(static state => state.Key), cancellationToken);
            continuation = page.Continuation;
        }
        while (continuation is not null);
    }

    private Task NoteAsync(IEnumerable<string> deviceIds, CancellationToken cancellationToken) => Parallel.ForEachAsync(
        deviceIds,
        new ParallelOptions { MaxDegreeOfParallelism = MaxConcurrent, CancellationToken = cancellationToken },
        async (deviceId, _) =>
        {
            try
            {
                await grains.GetGrain<IDeviceUpkeepGrain>(deviceId).NoteSilenceAsync();
            }
            catch (Exception exception) when (exception is TimeoutException or OrleansException or InvalidOperationException)
            {
                // It is found again by the next look.
                LogNotNoted(exception, deviceId);
            }
        });

    private bool IsDue(DeviceState state, TimeSpan limit, DateTimeOffset now) => PresenceRules.SilentAt(state, limit, intake.ListeningSince) <= now - intake.OutageDetectionTime;

    [LoggerMessage(LogLevel.Warning, "Silent devices cannot be looked for: the store cannot be read. It is tried again.")]
    private partial void LogSweepFailed(Exception exception);

    [LoggerMessage(LogLevel.Debug, "That device '{DeviceId}' is silent could not be noted.")]
    private partial void LogNotNoted(Exception exception, string deviceId);
}
