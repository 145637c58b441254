using System.Diagnostics;
using System.Text;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>What cannot be read: every kind of it, in numbers, among updates that can.</summary>
[Collection(AloneCollection.Name)]
public sealed class MalformedTests(ITestOutputHelper output)
{
    private const int Malformed = 100_000;
    private const int Good = 10_000;
    private const int Devices = 100;
    private const int Megabytes = 200;
    private const string DeadLetters = "dead/letters";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Updates_100000MalformedAmongGoodOnes_EveryGoodOneIsStoredAndTheRestIsCountedByReason()
    {
        await using var broker = await MosquittoBroker.StartAsync();
        await using PacedPublisher publisher = new(broker.ConnectionString);

        // Garbage that waits at the broker for whoever subscribes.
        await publisher.SendAsync("device/retained/pin/update", "garbage"u8.ToArray(), retain: true);
        await publisher.DrainAsync();
        await using var silo = await SiloProcess.StartAsync(new() { Broker = broker.ConnectionString, Arguments = [$"--Mqtt:DeadLetterTopic={DeadLetters}"] });
        using var client = await SiloClient.ConnectAsync(silo);
        await using var letters = await DeadLetterReader.StartAsync(broker, DeadLetters);
        foreach (var large in Enumerable.Repeat(MalformedUpdate.Large, 10).SelectMany(large => large))
        {
            await publisher.SendAsync(large.TopicOf("warm"), large.Payload.ToArray());
        }

        await SendGoodAsync(publisher, 0, Good / 10);
        await publisher.DrainAsync();
        await StoredAsync(client.Cluster, Good / 10 / Devices);
        using var memory = ResidentMemory.Watch(silo.Id);
        var before = memory.Now;
        var expected = new Dictionary<string, int> { ["payload_too_large"] = 20 };
        var watch = Stopwatch.StartNew();
        for (var i = 0; i < Malformed; i++)
        {
            var update = i % (Malformed / Megabytes) == 0 ? MalformedUpdate.Large[i / (Malformed / Megabytes) % 2] : MalformedUpdate.Small[i % MalformedUpdate.Small.Length];
            expected[update.Reason] = expected.GetValueOrDefault(update.Reason) + 1;

            // Of the bad devices, and of the good ones as well.
            await publisher.SendAsync(update.TopicOf(i % 2 == 0 ? $"bad{i % 300}" : $"d{i % Devices}"), update.Payload.ToArray());
            if (i % 10 == 0 && i / 10 + (Good / 10) is var good && good < Good)
            {
                await SendGoodAsync(publisher, good, 1);
            }
        }

        foreach (var (device, payload) in MalformedUpdate.Strange)
        {
            await publisher.SendAsync($"device/{device}/pin/update", Encoding.UTF8.GetBytes(payload));
        }

        await publisher.DrainAsync();
        var published = watch.Elapsed;
        await StoredAsync(client.Cluster, Good / Devices);
        foreach (var (device, _) in MalformedUpdate.Strange)
        {
            await Until.TrueAsync(
                async () => await client.Cluster.GetPinAsync(device, 13, Cancelled) is { State: PinState.High }, $"the update of '{device}' to be stored");
        }

        await Until.TrueAsync(() => letters.Count >= Malformed + 20 || silo.Output.Contains("A dead letter could not", StringComparison.Ordinal), "the dead letters");
        output.WriteLine(
            $"{Malformed:N0} malformed among {Good:N0} good updates published in {published.TotalSeconds:0.0} s, done in {watch.Elapsed.TotalSeconds:0.0} s; "
            + $"resident memory {before} MB before, at most {memory.Most} MB; {string.Join(", ", letters.Reasons.OrderBy(reason => reason.Key).Select(reason => $"{reason.Key} {reason.Value:N0}"))}; "
            + $"{silo.Output.Count(c => c == '\n'):N0} lines of log");
        Assert.DoesNotContain(silo.Output.Split('\n'), line => line.Contains("A dead letter could not", StringComparison.Ordinal));
        Assert.Equal(0, publisher.NotAccepted);

        // The retained one came before anybody read the dead letters.
        Assert.Equal(expected.OrderBy(reason => reason.Key), letters.Reasons.OrderBy(reason => reason.Key));
        Assert.InRange(memory.Most - before, int.MinValue, 250);
        Assert.Contains("'device/retained/pin/update'", silo.Output, StringComparison.Ordinal);

        // One line for each device and minute, and in all no more than a log can take.
        Assert.InRange(silo.Output.Count(c => c == '\n'), 0, 2500);
    }

    [Fact]
    public async Task Updates_EachKindOfMalformed_IsCountedByReasonAndBuriedAsItCame()
    {
        await using var broker = await MosquittoBroker.StartAsync();
        using Counters counters = new(DeviceStreams.ProviderName);
        await using var letters = await DeadLetterReader.StartAsync(broker, DeadLetters);
        await using var silo = await FaultySilo.StartAsync(broker.ConnectionString, new(), $"--Mqtt:DeadLetterTopic={DeadLetters}");
        await using PacedPublisher publisher = new(broker.ConnectionString);
        MalformedUpdate[] all = [.. MalformedUpdate.Small, .. MalformedUpdate.Large];

        foreach (var update in all)
        {
            await publisher.SendAsync(update.TopicOf("x"), update.Payload.ToArray());
        }

        await Until.TrueAsync(() => letters.Count == all.Length, "the dead letters");
        await Until.TrueAsync(() => silo.Status.Unacknowledged == 0, "everything to be acknowledged");
        foreach (var (update, letter) in all.Zip(letters.Letters))
        {
            Assert.Equal((update.Reason, update.TopicOf("x")), (letter.Reason, letter.Topic));
            Assert.True(update.Payload.Span.SequenceEqual(letter.Payload.Span), $"The payload of a dead letter for {update.Reason} is another.");
        }

        foreach (var reason in all.GroupBy(update => update.Reason).Where(reason => reason.Key != "bad_element"))
        {
            Assert.Equal(reason.Count(), counters[MqttStreamMetrics.Refused, reason.Key]);
        }

        Assert.Equal(all.Length, counters[MqttStreamMetrics.DeadLettersPublished]);
        Assert.Equal(0, counters[MqttStreamMetrics.DeadLettersLost]);
    }

    [Fact]
    public async Task DeadLetters_BrokerRefusesThem_AreCountedAsLostAndHoldUpNothing()
    {
        var broker = MosquittoBroker.Prepare("acl_file {dir}/acl");
        await using var _ = broker;
        await File.WriteAllTextAsync(Path.Combine(broker.DirectoryPath, "acl"), "topic readwrite device/#\n", Cancelled);
        await broker.StartAsync();
        using Counters counters = new(DeviceStreams.ProviderName);
        await using var silo = await FaultySilo.StartAsync(broker.ConnectionString, new(), $"--Mqtt:DeadLetterTopic={DeadLetters}");
        await using PacedPublisher publisher = new(broker.ConnectionString);

        for (var i = 0; i < 10_000; i++)
        {
            await publisher.SendAsync("device/x/pin/update", i == 9_999 ? """[{"pin":13,"mode":3,"state":1}]"""u8.ToArray() : "garbage"u8.ToArray());
        }

        await Until.TrueAsync(async () => await silo.Cluster.GetPinAsync("x", 13, Cancelled) is not null, "the good update to be stored");
        await Until.TrueAsync(() => silo.Status.Unacknowledged == 0, "everything to be acknowledged");
        await Until.TrueAsync(() => counters[MqttStreamMetrics.DeadLettersLost] == 9_999, "the dead letters to be counted as lost");
        Assert.Equal(9_999, counters[MqttStreamMetrics.Refused, "not_json"]);
        Assert.Equal(0, counters[MqttStreamMetrics.DeadLettersPublished]);
    }

    private static async Task SendGoodAsync(PacedPublisher publisher, int first, int count)
    {
        // Each sets a pin of its own, so that a lost one shows.
        for (var i = first; i < first + count; i++)
        {
            await publisher.SendAsync($"device/d{i % Devices}/pin/update", Encoding.UTF8.GetBytes($$"""[{"pin":{{i / Devices}},"mode":3,"state":1}]"""));
        }
    }

    private static async Task StoredAsync(IDeviceCluster cluster, int pins)
    {
        for (var device = 0; device < Devices; device++)
        {
            await Until.TrueAsync(
                async () => (await cluster.GetSnapshotAsync($"d{device}", Cancelled)).Pins.Length == pins, $"the {pins} updates of 'd{device}' to be stored");
        }
    }
}
