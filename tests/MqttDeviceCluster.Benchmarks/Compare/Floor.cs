using System.Collections.Concurrent;
using System.Diagnostics;
using MqttDeviceCluster.Benchmarks.Devices;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Link;

namespace MqttDeviceCluster.Benchmarks.Compare;

/// <summary>
/// The floor: one connection, no Orleans, no state, no options, no properties on its messages. Whoever receives an update goes on with the next command on the
/// same thread. It is our own link, MQTTnet's low-level client with buffered reads and gathered writes, which is the fastest client at hand.
/// </summary>
internal sealed class Floor : IContender, IMqttLinkReceiver, IMqttPublishSource
{
    private const int InlineLimit = 2;

    private readonly MqttLink _link;
    private readonly ConcurrentQueue<(string Topic, bool High)> _commands = new();
    private readonly string[] _topics;
    private readonly TaskCompletionSource?[] _waiting;
    private int _nextId;
    private bool _inline;
    private long _updates;

    private Floor(MqttLink link, int devices)
    {
        _link = link;
        _topics = [.. Enumerable.Range(0, devices).Select(number => Wire.Set(Wire.FloorRoot, number))];
        _waiting = new TaskCompletionSource?[devices];
    }

    public string Name => "floor";

    public string Root => Wire.FloorRoot;

    public Process? Process => null;

    public bool Stores => false;

    public long UpdatesDone => Volatile.Read(ref _updates);

    public static async Task<Floor> StartAsync(Uri broker, int devices, int receiveMaximum, CancellationToken cancellationToken)
    {
        var settings = new MqttLinkSettings
        {
            Broker = MqttConnectionString.Parse(broker.OriginalString),
            ClientId = $"bench-floor-{Guid.NewGuid():N}",
            CleanStart = true,
            ReceiveMaximum = receiveMaximum,
        };
        Floor floor = new(await MqttLink.ConnectAsync(settings, TimeProvider.System, cancellationToken), devices);
        floor._link.Start(floor, floor);
        await floor._link.SubscribeAsync([new($"{Wire.FloorRoot}/+/pin/update", MqttQualityOfService.AtLeastOnce)], TimeSpan.FromSeconds(10));
        return floor;
    }

    public Task SetAsync(int device, bool high)
    {
        // Not asynchronous on purpose: the next command is sent by the thread that received this one's update.
        TaskCompletionSource waiting = new();
        _waiting[device] = waiting;
        _commands.Enqueue((_topics[device], high));
        _link.Kick(_inline);
        return waiting.Task;
    }

    public void Expect(int inFlight) => _inline = inFlight <= InlineLimit;

    // It counts always.
    public IDisposable CountUpdates() => new Nothing();

    public void OnPublish(MqttIncomingMessage message, ushort packetId)
    {
        _link.Acknowledge(packetId);
        var device = Wire.DeviceNumber(message.Topic.AsSpan(Wire.FloorRoot.Length + 1, 12));
        if (device < _waiting.Length && Interlocked.Exchange(ref _waiting[device], null) is { } waiting)
        {
            waiting.SetResult();
        }

        // Last: with one command in flight the acknowledgement has left with the next command already.
        _link.Kick(inline: false);
        _updates++;
    }

    public void OnPublishAcknowledged(ushort packetId, byte reasonCode, string? reason)
    {
        if (reasonCode != 0)
        {
            _link.Abort(MqttLinkEndCause.Failed, $"the broker answered 0x{reasonCode:X2}");
        }
    }

    public bool TryTake(out MqttLinkPublish publish)
    {
        if (!_commands.TryDequeue(out var command))
        {
            publish = default;
            return false;
        }

        var id = (ushort)((_nextId++ % ushort.MaxValue) + 1);
        publish = new(command.Topic, new MqttOutgoingMessage { Payload = command.High ? Wire.SetHigh : Wire.SetLow }, id, 0, null, null);
        return true;
    }

    public void OnWritten()
    {
        // QoS 0 only.
    }

    public async ValueTask DisposeAsync()
    {
        await _link.CloseAsync();
        await _link.DisposeAsync();
    }

    private sealed class Nothing : IDisposable
    {
        public void Dispose()
        {
        }
    }
}
