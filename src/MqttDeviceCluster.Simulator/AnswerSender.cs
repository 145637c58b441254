using System.Collections.Immutable;
using MqttDeviceCluster.Simulator.Connection;
using MqttDeviceCluster.Simulator.Wire;

namespace MqttDeviceCluster.Simulator;

/// <summary>Turns pins into updates in a device's style. Called under the lock of its device.</summary>
internal sealed class AnswerSender(string deviceId, int seed, long boot, Action<OutgoingMessage> send, TimeProvider timeProvider)
{
    private DelayLine? _delayLine;
    private Random? _random;
    private long _seq;
    private long _boot = boot;

    // 100,000 devices: made when first needed, since most behaviours draw nothing.
    private Random Random => _random ??= new Random(seed ^ StableHash(deviceId));

    public string UpdateTopic { get; } = DeviceTopics.Update(deviceId);

    public long Boot => Interlocked.Read(ref _boot);

    public void Reboot()
    {
        Interlocked.Increment(ref _boot);
        _seq = 0;
    }

    public void Send(ImmutableArray<SimulatedPin> pins, DeviceBehavior behavior, byte[]? correlationData)
    {
        if (behavior.Silent)
        {
            return;
        }

        if (behavior.BadPayloadShare > 0 && Random.NextDouble() < behavior.BadPayloadShare)
        {
            Post(new OutgoingMessage(UpdateTopic, BadPayload.All[Random.Next(BadPayload.All.Length)]), behavior);
        }

        if (behavior.Split == UpdateSplit.Together || pins.Length <= 1)
        {
            Post(Update(pins.AsSpan(), behavior, correlationData), behavior);
            return;
        }

        List<OutgoingMessage> updates = [];
        for (var start = 0; start < pins.Length;)
        {
            var length = behavior.Split == UpdateSplit.PerPin ? 1 : Random.Next(1, pins.Length - start + 1);
            updates.Add(Update(pins.AsSpan(start, length), behavior, correlationData));
            start += length;
        }

        if (behavior.Reorder)
        {
            updates.Reverse();
        }

        foreach (var update in updates)
        {
            Post(update, behavior);
        }
    }

    public void Stop() => _delayLine?.Stop();

    private static int StableHash(string text)
    {
        // FNV-1a: string.GetHashCode differs from run to run.
        var hash = 2166136261u;
        foreach (var c in text)
        {
            hash = (hash ^ c) * 16777619;
        }

        return (int)hash;
    }

    private OutgoingMessage Update(ReadOnlySpan<SimulatedPin> pins, DeviceBehavior behavior, byte[]? correlationData)
    {
        (long, long)? envelope = behavior.Envelope ? (Boot, ++_seq) : null;
        (int, int)? extra = behavior.ExtraFields ? (Random.Next(-95, -39), Random.Next(0, 3)) : null;
        return new OutgoingMessage(UpdateTopic, DeviceWriter.Update(pins, envelope, extra), behavior.RetainUpdates, correlationData);
    }

    private void Post(OutgoingMessage message, DeviceBehavior behavior)
    {
        for (var copy = 0; copy < behavior.Copies; copy++)
        {
            if (_delayLine is null && behavior.Delay == TimeSpan.Zero && behavior.Jitter == TimeSpan.Zero)
            {
                send(message);
                continue;
            }

            var delay = behavior.Delay + (behavior.Jitter == TimeSpan.Zero ? TimeSpan.Zero : behavior.Jitter * Random.NextDouble());
            _delayLine ??= new DelayLine(send, timeProvider);
            _delayLine.Add(message, delay, keepOrder: !behavior.Reorder);
        }
    }
}
