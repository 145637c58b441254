using MqttDeviceCluster.Fleet;
using MqttDeviceCluster.Tests.Grains;
using MqttDeviceCluster.Tests.Grains.Fleet;

namespace MqttDeviceCluster.Tests.Client;

/// <summary>A cluster of one silo that answers what the test says, and sends what it is told to those who watch.</summary>
internal sealed class FakeFleet : IFleetGrain
{
    private static readonly WatchSource Source = new("silo", Guid.NewGuid());

    private readonly TaskCompletionSource<WatchRegistration> _watched = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _next;

    public FakeFleet(IDeviceGrain? device = null) =>
        Grains = FakeGrains.Create((type, _) => type == typeof(IFleetGrain) ? this : device ?? throw new NotSupportedException(type.Name));

    public IGrainFactory Grains { get; }

    /// <summary>Gets or sets what the next calls of <see cref="WatchAsync"/> answer; then it is that every silo has heard of the watch.</summary>
    public Queue<Func<Task<WatchReceipt>>> Receipts { get; } = new();

    public Queue<Func<Task<DevicePage>>> Pages { get; } = new();

    public List<(DeviceFilter Filter, string? Continuation)> Asked { get; } = [];

    public List<Guid> Unwatched { get; } = [];

    public Exception? UnwatchFailure { get; set; }

    /// <summary>Gets the watch, once there is one.</summary>
    public Task<WatchRegistration> Watched => _watched.Task.WaitAsync(TestClock.Bound, TestContext.Current.CancellationToken);

    public static Task<WatchReceipt> Receipt(params string[] unreachable) => Task.FromResult(new WatchReceipt([Source], [.. unreachable], []));

    public Task<WatchReceipt> WatchAsync(WatchRegistration registration)
    {
        _watched.TrySetResult(registration);
        return Receipts.TryDequeue(out var receipt) ? receipt() : Receipt();
    }

    public Task UnwatchAsync(Guid watchId)
    {
        Unwatched.Add(watchId);
        return UnwatchFailure is null ? Task.CompletedTask : Task.FromException(UnwatchFailure);
    }

    public Task<DevicePage> ListAsync(DeviceFilter filter, string? continuation, int maxDevices, CancellationToken cancellationToken = default)
    {
        Asked.Add((filter, continuation));
        return Pages.Dequeue()();
    }

    /// <summary>Sends events; returns when the watcher has them.</summary>
    public async Task SendAsync(params DeviceEvent[] events)
    {
        var registration = await Watched;
        var first = _next;
        _next += events.Length;
        await registration.Observer.OnEventsAsync(new(Source, first, [.. events], false, []));
    }
}
