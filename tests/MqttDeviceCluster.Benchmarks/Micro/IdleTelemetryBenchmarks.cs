using System.Diagnostics.Metrics;
using BenchmarkDotNet.Attributes;
using Microsoft.Extensions.DependencyInjection;
using MqttDeviceCluster.Storage;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster.Benchmarks.Micro;

/// <summary>
/// What one command and its update pay for telemetry that nobody collects, and for watches that nobody opened. To be held against the processor time of a command,
/// which <c>compare</c> shows.
/// </summary>
public class IdleTelemetryBenchmarks
{
    private const string Device = "544B3B144B8C";
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch;
    private static readonly TimeSpan Elapsed = TimeSpan.FromMilliseconds(1);

    private readonly DeviceUpdate _update = new(Now, false, [new PinReading(13, PinMode.Output, PinState.High)]);
    private DeviceMetrics _device = null!;
    private MqttStreamMetrics _stream = null!;
    private GrainStorageMetrics _storage = null!;
    private DeviceNews _news = null!;
    private DeviceState _before = null!;
    private AppliedUpdate _applied;

    [GlobalSetup]
    public void Setup()
    {
        var meters = new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>();
        FleetHub hub = new();
        _device = new(meters, new(), hub);
        _stream = new(meters, "mqtt");
        _storage = new(meters);
        _news = new(Device, hub, TimeProvider.System);
        _before = new();
        _applied = DeviceStateUpdater.Apply(_before, _update, maxPins: 1024);
    }

    [Benchmark]
    public void Metrics()
    {
        _stream.MessagePublished(MqttPublishOutcome.Accepted, Elapsed);
        _stream.MessageReceived(1);
        _device.Applied(true);
        _device.Confirmed("set", Elapsed);
        _storage.OnQueued("Default", 1);
        _storage.OnCommit("Default", Elapsed, 1, succeeded: true);
        _storage.OnQueued("Default", -1);
        _storage.OnOperation("Default", "write", GrainStorageMetrics.Ok);
        _stream.MessagesAcknowledged(1);
    }

    [Benchmark]
    public void Watches()
    {
        _news.Note(_update, _before, _applied.State, _applied.Observed, 1);
        _news.Tell(1);
    }
}
