using System.Collections.Immutable;
using System.Diagnostics;
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

    /// <summary>How long to wait before a command that certainly did not begin is tried again; twice as long each time, up to <see cref="MaxRetryDelay"/>.</summary>
    internal static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan MaxRetryDelay = TimeSpan.FromSeconds(1);

    /// <summary>What is left must be worth a try.</summary>
    private static readonly TimeSpan LeastLeft = TimeSpan.FromMilliseconds(50);

    private static readonly TimeSpan MaxPulse = TimeSpan.FromDays(1);

    private static readonly CommandOptions DefaultOptions = new();
    private static readonly WaitOptions DefaultWait = new();

    private volatile DeviceGrainKind? _kind;

    public Task<CommandResult> ConfigPinsAsync(
        string deviceId, ImmutableArray<ConfigPin> pins, CommandOptions? options = null, CancellationToken cancellationToken = default)
    {
        var device = Device(deviceId);
        ThrowIfDefault(pins, nameof(pins));
        return CommandAsync(
            deviceId, left => device.ConfigPinsAsync(pins, left, cancellationToken), options, TimeSpan.Zero, () => [.. pins.Select(static pin => pin.Pin)], cancellationToken);
    }

    public Task<CommandResult> SetPinsAsync(
        string deviceId, ImmutableArray<SetPin> pins, CommandOptions? options = null, CancellationToken cancellationToken = default)
    {
        var device = Device(deviceId);
        ThrowIfDefault(pins, nameof(pins));
        var pulse = options is { PulseConfirmedBy: not PulseEdge.First } && !pins.IsEmpty
            ? Clamp(pins.Max(static pin => pin?.Time ?? TimeSpan.Zero), MaxPulse)
            : TimeSpan.Zero;
        return CommandAsync(
            deviceId, left => device.SetPinsAsync(pins, left, cancellationToken), options, pulse, () => [.. pins.Select(static pin => pin.Pin)], cancellationToken);
    }

    public Task<CommandResult> UpdateAsync(
        string deviceId, ImmutableArray<int> pins, CommandOptions? options = null, CancellationToken cancellationToken = default)
    {
        var device = Device(deviceId);
        ImmutableArray<int> asked = pins.IsDefault ? [] : pins;
        return CommandAsync(deviceId, left => device.UpdateAsync(asked, left, cancellationToken), options, TimeSpan.Zero, () => asked, cancellationToken);
    }

    public Task<ImmutableArray<PinUpdate>> WaitForAsync(
        string deviceId, ImmutableArray<PinFilter> filters, WaitOptions? options = null, CancellationToken cancellationToken = default)
    {
        var device = Device(deviceId);
        ThrowIfDefault(filters, nameof(filters));

        // What happens until it stands is missed, unless it also asks for what is: then it may begin later.
        return RetryAsync(
            Clamp(options?.Timeout ?? WaitOptions.DefaultTimeout, CommandOptions.MaxTimeout),
            exception => options is { IncludeCurrent: true } && OrleansFailure.DidNotBegin(exception.InnerException),
            left => BoundAsync(
                deviceId,
                device.WaitForAsync(filters, left is { } timeout ? (options ?? DefaultWait) with { Timeout = timeout } : options, cancellationToken),
                Clamp(left ?? options?.Timeout ?? WaitOptions.DefaultTimeout, CommandOptions.MaxTimeout),
                () => [.. filters.Where(static filter => filter.Pin is not null).Select(static filter => filter.Pin!.Value).Distinct()],
                mayAct: false,
                cancellationToken),
            cancellationToken);
    }

    public Task<DeviceSnapshot> GetSnapshotAsync(string deviceId, CancellationToken cancellationToken = default)
    {
        var device = Device(deviceId);
        return AskAsync(deviceId, () => device.GetSnapshotAsync(cancellationToken), cancellationToken);
    }

    public async Task<PinUpdate?> GetPinAsync(string deviceId, int pin, CancellationToken cancellationToken = default)
    {
        var device = Device(deviceId);
        ArgumentOutOfRangeException.ThrowIfNegative(pin);
        var snapshot = await AskAsync(deviceId, () => device.GetSnapshotAsync(cancellationToken), cancellationToken).ConfigureAwait(false);
        return snapshot.Pins.FirstOrDefault(update => update.Pin == pin);
    }

    private IDeviceGrain Device(string deviceId)
    {
        DeviceId.ThrowIfInvalid(deviceId, nameof(deviceId));
        if (_kind is { } kind)
        {
            return (IDeviceGrain)grains.GetGrain(GrainId.Create(kind.GrainType, IdSpan.Create(deviceId)), kind.InterfaceType);
        }

        // Orleans reads the interface's attributes at every such call: more work than anything else on this side.
        var device = grains.GetGrain<IDeviceGrain>(deviceId);
        if (device is GrainReference reference)
        {
            _kind = new(reference.GrainId.Type, reference.InterfaceType);
        }

        return device;
    }

    // To ask again is harmless: another silo answers.
    private async Task<T> AskAsync<T>(string deviceId, Func<Task<T>> call, CancellationToken cancellationToken)
    {
        CarryContext();
        var started = time.GetTimestamp();
        while (true)
        {
            try
            {
                return await call().ConfigureAwait(false);
            }
            catch (Exception exception) when (OrleansFailure.Is(exception, cancellationToken))
            {
                if (time.GetElapsedTime(started) >= Grace)
                {
                    throw Lost(deviceId, exception, mayHaveActed: false);
                }

                await Task.Delay(RetryDelay, time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    // A silo that stops refuses what it has not published: another one takes it.
    private Task<CommandResult> CommandAsync(
        string deviceId,
        Func<CommandOptions?, Task<CommandResult>> call,
        CommandOptions? options,
        TimeSpan pulse,
        Func<ImmutableArray<int>> asked,
        CancellationToken cancellationToken)
    {
        // One id for all tries: whatever arrives twice begins once.
        var named = (options ?? DefaultOptions) with
        {
            Deadline = options?.Deadline ?? time.GetUtcNow() + TimeoutOf(options),
            CommandId = options?.CommandId ?? Guid.NewGuid(),
        };
        return RetryAsync(
            TimeoutOf(options),
            static exception => !exception.Published || OrleansFailure.DidNotBegin(exception.InnerException),
            left =>
            {
                var current = left is { } timeout ? named with { Timeout = timeout } : named;
                return BoundAsync(deviceId, call(current), TimeoutOf(current) + pulse, asked, mayAct: true, cancellationToken);
            },
            cancellationToken);
    }

    /// <summary>Makes a call, and makes it again with what is left of its time, which it is given, where it was interrupted in a way that allows it: turned away by Orleans, or by a silo that stops.</summary>
    private async Task<T> RetryAsync<T>(TimeSpan timeout, Func<DeviceInterruptedException, bool> mayRetry, Func<TimeSpan?, Task<T>> call, CancellationToken cancellationToken)
    {
        CarryContext();

        // By both clocks: one of them may stand still while the machine sleeps, and a command must not be sent after it.
        var (started, until) = (time.GetTimestamp(), time.GetUtcNow() + timeout);
        TimeSpan? left = null;
        for (var delay = RetryDelay; ; delay = Min(2 * delay, MaxRetryDelay))
        {
            try
            {
                return await call(left).ConfigureAwait(false);
            }
            catch (DeviceInterruptedException exception) when (mayRetry(exception) && (left = Left()) > RetryDelay + (2 * LeastLeft))
            {
                await Task.Delay(Min(delay, left.Value - (2 * LeastLeft)), time, cancellationToken).ConfigureAwait(false);
                left = Left();
                if (left < LeastLeft)
                {
                    throw;
                }
            }
        }

        TimeSpan Left() => Min(timeout - time.GetElapsedTime(started), until - time.GetUtcNow());
    }

    private async Task<T> BoundAsync<T>(
        string deviceId, Task<T> call, TimeSpan timeout, Func<ImmutableArray<int>> asked, bool mayAct, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        try
        {
            return await call.WaitAsync(timeout + Grace, time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException) when (!call.IsCompleted)
        {
            throw new DeviceTimeoutException(deviceId, time.GetElapsedTime(started), asked(), published: mayAct);
        }
        catch (Exception exception) when (OrleansFailure.Is(exception, cancellationToken))
        {
            throw Lost(deviceId, exception, mayAct);
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

    // Gives the trace's context to the grain calls of the present asynchronous method, and to nothing after it. Orleans does the same where AddActivityPropagation says so, with a
    // span of its own; on a silo it does not.
    private static void CarryContext()
    {
        if (Activity.Current is { Recorded: true } span)
        {
            DistributedContextPropagator.Current.Inject(span, null, static (_, name, value) => RequestContext.Set(name, value));
        }
    }

    private static DeviceInterruptedException Lost(string deviceId, Exception exception, bool mayHaveActed) =>
        new(deviceId, $"its silo cannot be reached, or was lost ({exception.GetType().Name})", mayHaveActed, exception);

    // The grain refuses what is out of range; here it must only not break the sum.
    private static TimeSpan TimeoutOf(CommandOptions? options) =>
        Clamp(options?.Timeout ?? CommandOptions.DefaultTimeout, CommandOptions.MaxTimeout);

    private static TimeSpan Min(TimeSpan one, TimeSpan other) => one < other ? one : other;

    private static TimeSpan Clamp(TimeSpan value, TimeSpan max) => value < TimeSpan.Zero ? TimeSpan.Zero : value > max ? max : value;

    private static void ThrowIfDefault<T>(ImmutableArray<T> items, string paramName)
    {
        if (items.IsDefault)
        {
            throw new ArgumentException($"No {paramName} were named.", paramName);
        }
    }

    private sealed record DeviceGrainKind(GrainType GrainType, GrainInterfaceType InterfaceType);
}
