using System.Collections.Immutable;
using Microsoft.Extensions.Logging;

namespace MqttDeviceCluster;

/// <summary>The grain calls by device id, each bounded in time on this side too.</summary>
/// <remarks>
/// A grain call carries its own timeout, so its Orleans response timeout is a day: a silo that dies under an outside client would leave
/// the caller waiting for that long. Here a call ends <see cref="Grace"/> after the grain should have answered.
/// </remarks>
internal sealed partial class DeviceCluster(IGrainFactory grains, TimeProvider time, ILogger<DeviceCluster> logger) : IDeviceCluster
{
    /// <summary>How much later than its own timeout a call may answer.</summary>
    internal static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan MaxPulse = TimeSpan.FromDays(1);

    public Task<CommandResult> ConfigPinsAsync(
        string deviceId, ImmutableArray<ConfigPin> pins, CommandOptions? options = null, CancellationToken cancellationToken = default)
    {
        var device = Device(deviceId);
        ThrowIfDefault(pins, nameof(pins));
        return BoundAsync(
            deviceId, device.ConfigPinsAsync(pins, options, cancellationToken), TimeoutOf(options), () => [.. pins.Select(static pin => pin.Pin)], cancellationToken);
    }

    public Task<CommandResult> SetPinsAsync(
        string deviceId, ImmutableArray<SetPin> pins, CommandOptions? options = null, CancellationToken cancellationToken = default)
    {
        var device = Device(deviceId);
        ThrowIfDefault(pins, nameof(pins));
        var timeout = TimeoutOf(options);
        if (options is { PulseConfirmedBy: not PulseEdge.First } && !pins.IsEmpty)
        {
            timeout += Clamp(pins.Max(static pin => pin?.Time ?? TimeSpan.Zero), MaxPulse);
        }

        return BoundAsync(
            deviceId, device.SetPinsAsync(pins, options, cancellationToken), timeout, () => [.. pins.Select(static pin => pin.Pin)], cancellationToken);
    }

    public Task<CommandResult> UpdateAsync(
        string deviceId, ImmutableArray<int> pins, CommandOptions? options = null, CancellationToken cancellationToken = default)
    {
        var device = Device(deviceId);
        ImmutableArray<int> asked = pins.IsDefault ? [] : pins;
        return BoundAsync(deviceId, device.UpdateAsync(asked, options, cancellationToken), TimeoutOf(options), () => asked, cancellationToken);
    }

    public Task<ImmutableArray<PinUpdate>> WaitForAsync(
        string deviceId, ImmutableArray<PinFilter> filters, WaitOptions? options = null, CancellationToken cancellationToken = default)
    {
        var device = Device(deviceId);
        ThrowIfDefault(filters, nameof(filters));
        return BoundAsync(
            deviceId,
            device.WaitForAsync(filters, options, cancellationToken),
            Clamp(options?.Timeout ?? WaitOptions.DefaultTimeout, CommandOptions.MaxTimeout),
            () => [.. filters.Where(static filter => filter.Pin is not null).Select(static filter => filter.Pin!.Value).Distinct()],
            cancellationToken);
    }

    public Task<DeviceSnapshot> GetSnapshotAsync(string deviceId, CancellationToken cancellationToken = default) =>
        Device(deviceId).GetSnapshotAsync(cancellationToken);

    public async Task<PinUpdate?> GetPinAsync(string deviceId, int pin, CancellationToken cancellationToken = default)
    {
        var device = Device(deviceId);
        ArgumentOutOfRangeException.ThrowIfNegative(pin);
        var snapshot = await device.GetSnapshotAsync(cancellationToken).ConfigureAwait(false);
        return snapshot.Pins.FirstOrDefault(update => update.Pin == pin);
    }

    private IDeviceGrain Device(string deviceId)
    {
        DeviceId.ThrowIfInvalid(deviceId, nameof(deviceId));
        return grains.GetGrain<IDeviceGrain>(deviceId);
    }

    private async Task<T> BoundAsync<T>(
        string deviceId, Task<T> call, TimeSpan timeout, Func<ImmutableArray<int>> asked, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        try
        {
            return await call.WaitAsync(timeout + Grace, time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException) when (!call.IsCompleted)
        {
            throw new DeviceTimeoutException(deviceId, time.GetElapsedTime(started), asked(), published: true);
        }
        finally
        {
            // A call that nobody waits for any more may still fail.
            _ = call.ContinueWith(
                static late => _ = late.Exception,
                CancellationToken.None,
                TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default);
        }
    }

    // The grain refuses what is out of range; here it must only not break the sum.
    private static TimeSpan TimeoutOf(CommandOptions? options) =>
        Clamp(options?.Timeout ?? CommandOptions.DefaultTimeout, CommandOptions.MaxTimeout);

    private static TimeSpan Clamp(TimeSpan value, TimeSpan max) => value < TimeSpan.Zero ? TimeSpan.Zero : value > max ? max : value;

    private static void ThrowIfDefault<T>(ImmutableArray<T> items, string paramName)
    {
        if (items.IsDefault)
        {
            throw new ArgumentException($"No {paramName} were named.", paramName);
        }
    }
}
