using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>Bad devices among many good ones, over the silo as it ships, a real broker and a real store.</summary>
[Collection(AloneCollection.Name)]
public sealed class PoisonTests(ITestOutputHelper output)
{
    private const int Healthy = 1000;
    private const int PerSecond = 500;
    private const int Seconds = 18;
    private const string DeadLetters = "dead/letters";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    /// <summary>Gets what keeps one bad device from holding up the others: on a broker that takes acknowledgements in any order, and on one that does not.</summary>
    public static TheoryData<string> Settings => FaultScale.IsFull
        ? ["--Mqtt:AcknowledgeOutOfOrderAfter=00:00:00.1", "--Mqtt:ReceiveMaximum=65535"]
        : ["--Mqtt:AcknowledgeOutOfOrderAfter=00:00:00.1"];

    [Theory]
    [MemberData(nameof(Settings))]
    public async Task Updates_OneDeviceThrowsOneIsSlowOneFloods_TheOthersAreStoredWithinASecond(string setting)
    {
        await using var broker = await MosquittoBroker.StartAsync();
        DeviceFaults faults = new();
        faults.Throw("throws");
        faults.Delay("slow", TimeSpan.FromSeconds(5));
        Latencies latencies = new();
        faults.OnStored = latencies.OnStored;
        using Counters counters = new(DeviceStreams.ProviderName);
        await using var letters = await DeadLetterReader.StartAsync(broker, DeadLetters);

        // Half the time that a message may fail by default, so that within this test the failing device is given up and comes back.
        await using var silo = await FaultySilo.StartAsync(
            broker.ConnectionString, faults, $"--Mqtt:DeadLetterTopic={DeadLetters}", "--Mqtt:MaxDeliveryTime=00:00:05", setting);
        await using PacedPublisher healthy = new(broker.ConnectionString);
        await using PacedPublisher flood = new(broker.ConnectionString);
        await using PacedPublisher bad = new(broker.ConnectionString);

        // The healthy ones are known already: it is not their activation that is measured.
        foreach (var device in Enumerable.Range(0, Healthy))
        {
            latencies.Published(device, 0);
            await healthy.SendAsync($"device/d{device}/pin/update", Update(0, 1));
        }

        await Until.TrueAsync(() => latencies.Stored == Healthy, "the healthy devices to be known");
        latencies.Begin();

        // Each update sets a pin of its own, so that a lost one shows.
        var most = 0;
        using Timer watch = new(_ => most = Math.Max(most, silo.Status.Unacknowledged), null, 0, 20);
        await Task.WhenAll(
            healthy.RunAsync(PerSecond * Seconds, PerSecond, i =>
            {
                latencies.Published(i % Healthy, 1 + (i / Healthy));
                return ($"device/d{i % Healthy}/pin/update", Update(1 + (i / Healthy), 1));
            }),
            flood.RunAsync(2000 * Seconds, 2000, i => ("device/floods/pin/update", Update(i % 10, i))),
            bad.RunAsync(4 * Seconds, 4, i => ($"device/{(i % 2 == 0 ? "throws" : "slow")}/pin/update", Update(i / 2, 1))));
        await Until.TrueAsync(() => latencies.Stored == PerSecond * Seconds, "every update of the healthy devices to be stored");

        var (p50, p99, max) = latencies.Percentiles();
        output.WriteLine(
            $"{setting}: healthy update to store p50 {p50:0} ms, p99 {p99:0} ms, max {max:0} ms; lag of the publishers {healthy.Lag.TotalMilliseconds:0}, "
            + $"{flood.Lag.TotalMilliseconds:0} and {bad.Lag.TotalMilliseconds:0} ms; at most {most:N0} unacknowledged; dead-lettered: {counters.Text(MqttStreamMetrics.DeadLettered)}; "
            + $"{faults.Failures("throws")} calls failed, p99 by 2 s: {latencies.BySecond()}");
        Assert.Equal(0, healthy.NotAccepted + flood.NotAccepted + bad.NotAccepted);

        // When the machine is so busy that even the publishers are late, so may be everything else.
        Assert.InRange(p99, 0, 1000 + healthy.Lag.TotalMilliseconds);

        // The bad one is counted, and an operator has what it sent.
        var given = counters[MqttStreamMetrics.DeadLettered];
        Assert.InRange(given, 3, 2 * Seconds);
        Assert.Equal(0, counters[MqttStreamMetrics.DeadLettersLost]);
        await Until.TrueAsync(() => letters.Count == given, "the dead letters");
        Assert.All(letters.Letters, letter => Assert.Equal("device/throws/pin/update", letter.Topic));
        Assert.Equal("delivery_failed", letters.Letters.First().Reason);
        Assert.Equal(Update(0, 1), letters.Letters.First().Payload.ToArray());

        // All recover: the flood is absorbed, and what they send from now on is stored.
        faults.Mend("throws");
        faults.Mend("slow");
        await Task.WhenAll(new[] { "throws", "slow", "floods" }.Select(async device =>
        {
            await Until.TrueAsync(
                async () =>
                {
                    await bad.SendAsync($"device/{device}/pin/update", Update(1001, 77));
                    await Task.Delay(250, Cancelled);
                    return (await silo.Cluster.GetPinAsync(device, 1001, Cancelled)) is { } pin && (int)pin.Mode! == 77;
                },
                $"'{device}' to recover");
        }));
        Assert.Equal((2000 * Seconds) - 1, (int)(await silo.Cluster.GetPinAsync("floods", 9, Cancelled))!.Mode!);
        Assert.Equal(2 * Seconds, (await silo.Cluster.GetSnapshotAsync("slow", Cancelled)).Pins.Count(pin => pin.Pin < 1000));
        await Until.TrueAsync(() => silo.Status.Unacknowledged == 0, "everything to be acknowledged");
    }

    private static byte[] Update(int pin, int mode) => Encoding.UTF8.GetBytes($$"""[{"pin":{{pin}},"mode":{{mode}},"state":1}]""");

    /// <summary>From the publish of each update to the end of the write that contains it.</summary>
    private sealed class Latencies
    {
        private long _started;
        private readonly long[,] _published = new long[Healthy, 1 + (PerSecond * Seconds / Healthy)];
        private readonly int[] _stored = new int[Healthy];
        private readonly ConcurrentQueue<(long At, double Milliseconds)> _all = new();

        public int Stored => _all.Count;

        public void Begin()
        {
            _all.Clear();
            _started = Stopwatch.GetTimestamp();
        }

        public void Published(int device, int update) => _published[device, update] = Stopwatch.GetTimestamp();

        public void OnStored(string device, DeviceState state, long at)
        {
            if (device[0] != 'd')
            {
                return;
            }

            // Writes of one device do not overlap, and its pins are in order.
            var index = int.Parse(device.AsSpan(1), System.Globalization.CultureInfo.InvariantCulture);
            for (; _stored[index] < state.Pins.Length; _stored[index]++)
            {
                var published = _published[index, state.Pins[_stored[index]].Pin];
                _all.Enqueue((published, Stopwatch.GetElapsedTime(published, at).TotalMilliseconds));
            }
        }

        public (double P50, double P99, double Max) Percentiles()
        {
            var sorted = _all.Select(item => item.Milliseconds).Order().ToArray();
            return (sorted[sorted.Length / 2], sorted[(int)(sorted.Length * 0.99)], sorted[^1]);
        }

        public string BySecond() => string.Join(' ', _all.GroupBy(item => (int)Stopwatch.GetElapsedTime(_started, item.At).TotalSeconds / 2).OrderBy(group => group.Key).Select(group =>
        {
            var sorted = group.Select(item => item.Milliseconds).Order().ToArray();
            return $"{sorted[(int)(sorted.Length * 0.99)]:0}";
        }));
    }
}
