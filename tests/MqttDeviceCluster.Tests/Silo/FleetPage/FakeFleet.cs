using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace MqttDeviceCluster.Tests.Silo.FleetPage;

/// <summary>A cluster that lists the devices that it is given and watches what it is told.</summary>
internal sealed class FakeFleet : IDeviceCluster
{
    public static readonly DateTimeOffset Start = new(2026, 3, 4, 5, 6, 7, TimeSpan.Zero);

    private readonly Lock _gate = new();
    private readonly List<Channel<DeviceEvent>> _watches = [];
    private int _listings;

    public ConcurrentDictionary<string, DeviceSnapshot> Devices { get; } = new(StringComparer.Ordinal);

    /// <summary>Gets or sets what happens in a listing before its first row; the number of the listing, from 1.</summary>
    public Func<int, Task> BeforeListing { get; set; } = _ => Task.CompletedTask;

    public Func<string, SetPin, CancellationToken, Task<CommandResult>> OnSet { get; set; } = (_, _, _) => throw new NotSupportedException();

    /// <summary>Gets or sets what a watch ends with at once.</summary>
    public Exception? WatchFailure { get; set; }

    public int Listings => Volatile.Read(ref _listings);

    public int Watches
    {
        get
        {
            lock (_gate)
            {
                return _watches.Count;
            }
        }
    }

    public static DeviceSnapshot Device(string id, params PinUpdate[] pins) => new(id, [.. pins], Start)
    {
        Presence = new DevicePresence(Presence.Online, PresenceReason.Birth, Start),
        Firmware = "1.6.0",
        AsOf = Start,
    };

    public static PinUpdate Pin(int pin, PinState? state, PinMode? mode = PinMode.Output, int second = 0) => new(pin, mode, state, Start.AddSeconds(second));

    public void Add(DeviceSnapshot device) => Devices[device.DeviceId] = device;

    public void Tell(DeviceEvent news)
    {
        lock (_gate)
        {
            foreach (var watch in _watches)
            {
                watch.Writer.TryWrite(news);
            }
        }
    }

    public void EndWatches(Exception failure)
    {
        lock (_gate)
        {
            _watches.ForEach(watch => watch.Writer.TryComplete(failure));
        }
    }

    public async IAsyncEnumerable<DeviceEvent> WatchAsync(WatchOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        if (WatchFailure is not null)
        {
            throw WatchFailure;
        }

        var events = Channel.CreateUnbounded<DeviceEvent>();
        events.Writer.TryWrite(new WatchStartedEvent(Start));
        lock (_gate)
        {
            _watches.Add(events);
        }

        try
        {
            await foreach (var news in events.Reader.ReadAllAsync(cancellationToken))
            {
                yield return news;
            }
        }
        finally
        {
            lock (_gate)
            {
                _watches.Remove(events);
            }
        }
    }

    public async IAsyncEnumerable<DeviceSnapshot> ListDevicesAsync(
        DeviceFilter? filter = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var rows = Devices.Values.OrderBy(device => device.DeviceId, StringComparer.Ordinal).ToList();
        await BeforeListing(Interlocked.Increment(ref _listings)).WaitAsync(cancellationToken);
        foreach (var row in rows)
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return row;
        }
    }

    public Task<CommandResult> SetPinsAsync(
        string deviceId, ImmutableArray<SetPin> pins, CommandOptions? options = null, CancellationToken cancellationToken = default)
    {
        DeviceId.ThrowIfInvalid(deviceId);
        return OnSet(deviceId, Assert.Single(pins), cancellationToken);
    }

    public Task<CommandResult> ConfigPinsAsync(
        string deviceId, ImmutableArray<ConfigPin> pins, CommandOptions? options = null, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public Task<CommandResult> UpdateAsync(
        string deviceId, ImmutableArray<int> pins, CommandOptions? options = null, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public Task<ImmutableArray<PinUpdate>> WaitForAsync(
        string deviceId, ImmutableArray<PinFilter> filters, WaitOptions? options = null, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public Task<DeviceSnapshot> GetSnapshotAsync(string deviceId, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public Task<PinUpdate?> GetPinAsync(string deviceId, int pin, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public IAsyncEnumerable<DeviceEvent> WatchAsync(string deviceId, PinFilter? filter = null, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public IAsyncEnumerable<DeviceEvent> WatchAsync(PinFilter filter, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public IUpdateSubscription OnUpdate(PinFilter filter, Func<PinEvent, CancellationToken, Task> callback) => throw new NotSupportedException();

    public IUpdateSubscription OnUpdate(WatchOptions options, Func<DeviceEvent, CancellationToken, Task> callback) => throw new NotSupportedException();

    public Task<bool> ForgetAsync(string deviceId, CancellationToken cancellationToken = default) => throw new NotSupportedException();
}
