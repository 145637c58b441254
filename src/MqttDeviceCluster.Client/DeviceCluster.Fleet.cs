using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Fleet;

namespace MqttDeviceCluster;

internal sealed partial class DeviceCluster
{
    private const int PageSize = 1_000;

    /// <summary>How often a page is asked for before the listing fails: a silo may be lost in the middle.</summary>
    private const int MaxAttempts = 4;

    public IAsyncEnumerable<DeviceEvent> WatchAsync(string deviceId, PinFilter? filter = null, CancellationToken cancellationToken = default)
    {
        DeviceId.ThrowIfInvalid(deviceId, nameof(deviceId));
        return WatchDeviceAsync(deviceId, filter, cancellationToken);
    }

    public IAsyncEnumerable<DeviceEvent> WatchAsync(PinFilter filter, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(filter);
        return WatchFleetAsync(new() { Pins = filter, IncludePresence = false }, cancellationToken);
    }

    public IAsyncEnumerable<DeviceEvent> WatchAsync(WatchOptions? options = null, CancellationToken cancellationToken = default) =>
        WatchFleetAsync(Checked(options ?? new()), cancellationToken);

    public IUpdateSubscription OnUpdate(PinFilter filter, Func<PinEvent, CancellationToken, Task> callback)
    {
        ArgumentNullException.ThrowIfNull(filter);
        ArgumentNullException.ThrowIfNull(callback);
        return OnUpdate(
            new WatchOptions { Pins = filter, IncludePresence = false, IncludeUnchanged = true },
            (value, token) => value is PinEvent pin ? callback(pin, token) : Task.CompletedTask);
    }

    public IUpdateSubscription OnUpdate(WatchOptions options, Func<DeviceEvent, CancellationToken, Task> callback)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(callback);
        return new UpdateSubscription(Watch(Checked(options)), callback, logger);
    }

    public async IAsyncEnumerable<DeviceSnapshot> ListDevicesAsync(
        DeviceFilter? filter = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        filter ??= new();
        using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var next = ListPageAsync(filter, null, giveUp.Token);
        try
        {
            while (next is not null)
            {
                var page = await next.ConfigureAwait(false);

                // The next page is on its way while this one is looked at.
                next = page.Continuation is null ? null : ListPageAsync(filter, page.Continuation, giveUp.Token);
                foreach (var device in page.Devices)
                {
                    yield return device;
                }
            }
        }
        finally
        {
            await giveUp.CancelAsync().ConfigureAwait(false);
            if (next is not null)
            {
                await ((Task)next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    public Task<bool> ForgetAsync(string deviceId, CancellationToken cancellationToken = default)
    {
        var device = Device(deviceId);
        return AskAsync(deviceId, () => device.ForgetAsync(cancellationToken), cancellationToken);
    }

    private async Task<DevicePage> ListPageAsync(DeviceFilter filter, string? continuation, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await grains.GetGrain<IFleetGrain>(0).ListAsync(filter, continuation, PageSize, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception exception) when (attempt < MaxAttempts && (exception is TimeoutException || OrleansFailure.Is(exception, cancellationToken)))
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100 * attempt), time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private async IAsyncEnumerable<DeviceEvent> WatchFleetAsync(WatchOptions options, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await using var watcher = Watch(options);
        yield return new WatchStartedEvent(await watcher.Started.WaitAsync(cancellationToken).ConfigureAwait(false));
        while (true)
        {
            yield return await watcher.ReadAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private async IAsyncEnumerable<DeviceEvent> WatchDeviceAsync(
        string deviceId, PinFilter? filter, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await using var watcher = Watch(new() { DeviceId = deviceId, Pins = filter });
        await watcher.Started.WaitAsync(cancellationToken).ConfigureAwait(false);
        var snapshot = await SnapshotAsync(deviceId, cancellationToken).ConfigureAwait(false);
        yield return new DeviceSnapshotEvent(snapshot);
        while (true)
        {
            var value = await watcher.ReadAsync(cancellationToken).ConfigureAwait(false);
            if (value is GapEvent)
            {
                yield return value;
                snapshot = await SnapshotAsync(deviceId, cancellationToken).ConfigureAwait(false);
                yield return new DeviceSnapshotEvent(snapshot);
            }
            else if (!IsIn(value, snapshot))
            {
                yield return value;
                snapshot = value is DeviceForgottenEvent ? new(deviceId, [], null) : snapshot;
            }
        }
    }

    /// <summary>Returns whether an event came before the snapshot was taken, and only arrived after it.</summary>
    private static bool IsIn(DeviceEvent value, DeviceSnapshot snapshot) => value switch
    {
        PinEvent { Update: var update } => snapshot.Pins.FirstOrDefault(pin => pin.Pin == update.Pin) is { } known && update.ReceivedAt <= known.ReceivedAt,
        PresenceEvent { Presence.Since: var since } => since <= snapshot.Presence.Since,
        DeviceAddedEvent => snapshot.FirstSeen is { } firstSeen && value.At <= firstSeen,
        _ => false,
    };

    /// <summary>Asks for the snapshot until somebody answers: a watch goes on through the loss of a silo.</summary>
    private async Task<DeviceSnapshot> SnapshotAsync(string deviceId, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                return await Device(deviceId).GetSnapshotAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (Exception exception) when (exception is TimeoutException || OrleansFailure.Is(exception, cancellationToken))
            {
                LogSnapshotFailed(exception, deviceId);
                await Task.Delay(TimeSpan.FromMilliseconds(500), time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private FleetWatcher Watch(WatchOptions options) => new(grains, options, time, logger);

    private static WatchOptions Checked(WatchOptions options)
    {
        if (options.BufferSize is < 1 or > WatchOptions.MaxBufferSize)
        {
            throw new ArgumentOutOfRangeException(
                nameof(options), options.BufferSize, $"{nameof(options.BufferSize)} must be 1 to {WatchOptions.MaxBufferSize}.");
        }

        if (options.DeviceId is not null)
        {
            DeviceId.ThrowIfInvalid(options.DeviceId, nameof(options));
        }

        return options;
    }

    [LoggerMessage(LogLevel.Debug, "Device '{DeviceId}' did not answer; it is asked again.")]
    private partial void LogSnapshotFailed(Exception exception, string deviceId);
}
