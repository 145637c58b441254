using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using MqttDeviceCluster.Streams;
using Orleans.Providers;
using Orleans.Streams;

namespace MqttDeviceCluster.Tests.Grains;

/// <summary>The devices and their broker, inside the process: shared by all silos of a test cluster.</summary>
public sealed class FakeMqtt
{
    private readonly ConcurrentDictionary<string, FakeDevice> _devices = new();

    public FakeDevice Device(string id) => _devices.GetOrAdd(id, static _ => new());

    internal Task PublishAsync(string id, DeviceCommand command)
    {
        var device = Device(id);
        device.Received.Enqueue(command);
        command.Sending?.Invoke();
        return device.OnCommand(command);
    }
}

/// <summary>One device: what it was sent, and how it answers.</summary>
public sealed class FakeDevice
{
    public ConcurrentQueue<DeviceCommand> Received { get; } = new();

    /// <summary>Gets or sets what a publish does; it ends when the task does.</summary>
    public Func<DeviceCommand, Task> OnCommand { get; set; } = static _ => Task.CompletedTask;

    /// <summary>Returns what a device of the base profile answers: what it was asked, done.</summary>
    public static DeviceUpdate Answer(DeviceCommand command) => new(TestClock.Noon, Retained: false, command switch
    {
        ConfigPinsCommand config => [.. config.Pins.Select(static pin => new PinReading(pin.Pin, pin.Mode, pin.State))],
        SetPinsCommand set => [.. set.Pins.Select(static pin => new PinReading(pin.Pin, PinMode.Output, pin.State))],
        UpdateCommand update => [.. update.Pins.Select(static pin => new PinReading(pin, PinMode.Output, PinState.Low))],
        _ => throw new NotSupportedException(),
    });
}

/// <summary>Memory streams towards the grains; the streams of commands end in <see cref="FakeMqtt"/>.</summary>
internal sealed class FakeMqttAdapterFactory(FakeMqtt mqtt, IQueueAdapterFactory memory) : IQueueAdapterFactory
{
    public static IQueueAdapterFactory Create(IServiceProvider services, string name) => new FakeMqttAdapterFactory(
        services.GetRequiredService<FakeMqtt>(), MemoryAdapterFactory<DefaultMemoryMessageBodySerializer>.Create(services, name));

    public async Task<IQueueAdapter> CreateAdapter() => new Adapter(mqtt, await memory.CreateAdapter(CancellationToken.None));

    public IQueueAdapterCache GetQueueAdapterCache() => memory.GetQueueAdapterCache();

    public IStreamQueueMapper GetStreamQueueMapper() => memory.GetStreamQueueMapper();

    public Task<IStreamFailureHandler> GetDeliveryFailureHandler(QueueId queueId) => memory.GetDeliveryFailureHandler(queueId);

    private sealed class Adapter(FakeMqtt mqtt, IQueueAdapter memory) : IQueueAdapter
    {
        public string Name => memory.Name;

        public bool IsRewindable => memory.IsRewindable;

        public StreamProviderDirection Direction => memory.Direction;

        public IQueueAdapterReceiver CreateReceiver(QueueId queueId) => memory.CreateReceiver(queueId);

        public async Task QueueMessageBatchAsync<T>(
            StreamId streamId, IEnumerable<T> events, StreamSequenceToken? token, Dictionary<string, object>? requestContext)
        {
            if (streamId.GetNamespace() == DeviceStreams.Messages)
            {
                await memory.QueueMessageBatchAsync(streamId, events, token, requestContext);
                return;
            }

            foreach (var item in events)
            {
                await mqtt.PublishAsync(streamId.GetKeyAsString(), Assert.IsAssignableFrom<DeviceCommand>(item));
            }
        }
    }
}
