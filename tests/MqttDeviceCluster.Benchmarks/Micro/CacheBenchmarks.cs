using BenchmarkDotNet.Attributes;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Provider;
using Orleans.Providers.Streams.Common;
using Orleans.Streams;

namespace MqttDeviceCluster.Benchmarks.Micro;

/// <summary>Messages of one stream through the queue cache: added, handed out as one batch, finished. Per message.</summary>
public class CacheBenchmarks
{
    private const int Most = 64;

    private static readonly StreamId Stream = StreamId.Create("updates", "544B3B144B8C");
    private readonly MqttQueueCache _cache = new(new Intake());
    private MqttCacheCursor _cursor = null!;

    [GlobalSetup]
    public void Setup() => _cursor = (MqttCacheCursor)_cache.GetCacheCursor(Stream, null);

    [Benchmark]
    public bool OneByOne() => Pass(1);

    [Benchmark(OperationsPerInvoke = Most)]
    public bool Batch() => Pass(Most);

    private bool Pass(int count)
    {
        List<IBatchContainer> messages = new(count);
        for (var i = 0; i < count; i++)
        {
            messages.Add(new MqttStreamMessage(Stream, new EventSequenceTokenV2(i), Stream));
        }

        _cache.AddToCache(messages);
        _cursor.MoveNext();
        return _cursor.MoveNext();
    }

    private sealed class Intake : IMqttIntake
    {
        public MqttStreamOptions Options { get; } = new();

        public TimeProvider TimeProvider => TimeProvider.System;

        public TimeSpan HoldFailuresFor => TimeSpan.Zero;

        public bool IsObsolete(MqttStreamMessage message) => false;

        public void Finish(MqttStreamMessage message) => message.TryEnd();

        public void DeadLetter(MqttStreamMessage message, string reason) => message.TryEnd();
    }
}
