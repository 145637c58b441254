using BenchmarkDotNet.Attributes;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Session;

namespace MqttDeviceCluster.Benchmarks.Micro;

/// <summary>Messages entered and finished, in order and backwards, where the last one releases them all. Per message.</summary>
public class LedgerBenchmarks : IAcknowledgementTarget
{
    private const int Count = 1024;

    private readonly MqttIncomingMessage _message = new() { Topic = "device/a/pin/update", Payload = default };
    private readonly MqttDelivery[] _deliveries = new MqttDelivery[Count];
    private AckLedger _ledger = null!;
    private long _acknowledged;

    [GlobalSetup]
    public void Setup() => _ledger = new(1, this, null, TimeProvider.System);

    [Benchmark(OperationsPerInvoke = Count)]
    public long InOrder()
    {
        Enter();
        for (var i = 0; i < Count; i++)
        {
            _deliveries[i].Complete();
        }

        return _acknowledged;
    }

    [Benchmark(OperationsPerInvoke = Count)]
    public long Backwards()
    {
        Enter();
        for (var i = Count; i-- > 0;)
        {
            _deliveries[i].Complete();
        }

        return _acknowledged;
    }

    void IAcknowledgementTarget.Acknowledge(IReadOnlyList<ushort> packetIds) => _acknowledged += packetIds.Count;

    private void Enter()
    {
        for (var i = 0; i < Count; i++)
        {
            _ledger.TryAdd(_message, (ushort)(i + 1), out var delivery);
            _deliveries[i] = delivery!;
        }
    }
}
