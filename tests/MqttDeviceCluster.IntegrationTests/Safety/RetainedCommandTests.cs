using System.Diagnostics;
using System.Globalization;
using System.Text;
using MqttDeviceCluster.Cli;
using MqttDeviceCluster.IntegrationTests.EndToEnd;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Link;

namespace MqttDeviceCluster.IntegrationTests.Safety;

public sealed class RetainedCommandTests
{
    private static readonly string[] Filters = ["device/+/pin/config", "device/+/pin/set", "device/+/pin/get"];

    [Fact]
    public async Task Check_RetainedCommandsAmongOthers_AreFoundAndClearedAndTheOthersAreNot()
    {
        await using var broker = await MosquittoBroker.StartAsync();
        await RetainAsync(broker, ["device/a/pin/set", "device/b/pin/config", "device/c/pin/get", "device/a/pin/update", "device/a/status", "other/a/pin/set"]);
        var check = Check(broker);

        var found = await check.FindAsync(2, TestContext.Current.CancellationToken);
        Assert.Equal((3, 2, true), (found.Count, found.Topics.Count, found.IsComplete));

        var clearing = await check.ClearAsync(TestContext.Current.CancellationToken);
        Assert.Equal((3, 0), (clearing.Cleared, clearing.Left.Count));
        Assert.Equal(0, (await check.FindAsync(2, TestContext.Current.CancellationToken)).Count);
        Assert.Equal(3, (await Check(broker, "#").FindAsync(10, TestContext.Current.CancellationToken)).Count);
    }

    [Fact]
    public async Task Check_CommandPublishedMeanwhile_IsNoRetainedOne()
    {
        await using var broker = await MosquittoBroker.StartAsync();
        await using var device = await ConnectAsync(broker, "device");
        device.Start(new Retainer([]));
        await device.SubscribeAsync([new MqttFilter("device/a/pin/get", MqttQualityOfService.AtMostOnce)], TimeSpan.FromSeconds(10));
        await using TestPublisher publisher = new(broker);
        using CancellationTokenSource stop = new();
        var published = 0;
        var publishing = Task.Run(
            async () =>
            {
                for (; !stop.IsCancellationRequested; published++)
                {
                    await publisher.PublishAsync("device/a/pin/get", "[]");
                }
            },
            TestContext.Current.CancellationToken);

        // They come all the time, and do not keep the check from ending.
        var found = await Check(broker).FindAsync(10, TestContext.Current.CancellationToken);

        await stop.CancelAsync();
        await publishing;
        Assert.True(published > 1, "Nothing was published meanwhile.");
        Assert.Equal((0, true), (found.Count, found.IsComplete));
    }

    [Fact]
    public async Task Check_100000Retained_AreCountedAndClearedInBoundedTimeAndMemory()
    {
        await using var broker = await MosquittoBroker.StartAsync();
        const int Count = 100_000;
        await RetainAsync(broker, [.. Enumerable.Range(0, Count).Select(i => string.Create(CultureInfo.InvariantCulture, $"device/{i:X12}/pin/set"))]);
        var check = Check(broker);

        GC.Collect();
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var watch = Stopwatch.StartNew();
        var found = await check.FindAsync(20, TestContext.Current.CancellationToken);
        var looked = watch.Elapsed;
        var kept = GC.GetTotalMemory(forceFullCollection: true) - before;
        Assert.Equal((Count, 20, true), (found.Count, found.Topics.Count, found.IsComplete));
        Assert.True(kept < 10_000_000, $"{kept} bytes are kept after the look.");

        var clearing = await check.ClearAsync(TestContext.Current.CancellationToken);

        Assert.Equal((Count, 0), (clearing.Cleared, clearing.Left.Count));
        TestContext.Current.TestOutputHelper?.WriteLine($"Counted in {looked.TotalSeconds:0.0} s, cleared in {(watch.Elapsed - looked).TotalSeconds:0.0} s.");
    }

    [Fact]
    public async Task Clear_BrokerThatQueuesLittle_GoesOnUntilNothingIsLeft()
    {
        await using var broker = await MosquittoBroker.StartAsync("max_queued_messages 100", "max_inflight_messages 20");
        await RetainAsync(broker, [.. Enumerable.Range(0, 2_000).Select(i => string.Create(CultureInfo.InvariantCulture, $"device/{i}/pin/set"))]);

        var clearing = await Check(broker).ClearAsync(TestContext.Current.CancellationToken);

        Assert.Equal((2_000, 0), (clearing.Cleared, clearing.Left.Count));
    }

    [Fact]
    public async Task Silo_RetainedCommandsAtTheBroker_SaysSoAtTheStartWithoutTheirPayload()
    {
        var broker = await MosquittoBroker.StartAsync();
        await RetainAsync(broker, ["device/a/pin/set"]);
        await using var system = await DeviceSystem.StartAsync(broker);

        var line = await system.Silo.WaitForOutputAsync("Retained messages on the command topics");

        Assert.Contains("1, such as device/a/pin/set", line, StringComparison.Ordinal);
        Assert.DoesNotContain("retained-payload", system.Silo.Output, StringComparison.Ordinal);
        Assert.Equal(1, (await Check(broker).FindAsync(1, TestContext.Current.CancellationToken)).Count);
    }

    [Fact]
    public async Task Mdc_Check_ReportsAndClearsOnceConfirmed()
    {
        await using var broker = await MosquittoBroker.StartAsync();
        await RetainAsync(broker, ["device/a/pin/set", "device/b/pin/set"]);
        var url = broker.ConnectionString;

        var (code, output, _) = await MdcAsync(["check", "--broker", url], null);
        Assert.Equal(1, code);
        Assert.StartsWith($"2 retained messages on command topics of {url}", output, StringComparison.Ordinal);
        Assert.Contains("device/b/pin/set", output, StringComparison.Ordinal);

        // Nobody to ask, and somebody who declines.
        Assert.Equal(2, (await MdcAsync(["check", "--broker", url, "--clear"], null)).Code);
        Assert.Equal(1, (await MdcAsync(["check", "--broker", url, "--clear"], "n\n")).Code);
        Assert.Equal(2, (await Check(broker).FindAsync(0, TestContext.Current.CancellationToken)).Count);

        (code, output, var error) = await MdcAsync(["check", "--broker", url, "--clear"], "y\n");
        Assert.Equal((0, $"2 retained messages cleared on command topics of {url}\n"), (code, output));
        Assert.Contains($"Clear 2 retained messages on command topics of {url}? [y/N] ", error, StringComparison.Ordinal);

        await RetainAsync(broker, ["device/a/pin/set"]);
        (_, output, _) = await MdcAsync(["check", "--broker", url, "--clear", "--yes"], null);
        Assert.Equal($"1 retained message cleared on command topics of {url}\n", output);

        (code, output, _) = await MdcAsync(["check", "--broker", url, "--clear", "--yes", "--json"], null);
        Assert.Equal(
            (0, $$"""{"broker":"{{url}}","retained":0,"complete":true,"topics":[],"cleared":0,"left":0}""" + "\n"), (code, output));
    }

    [Fact]
    public async Task Mdc_Check_BrokerAway_SaysSo()
    {
        await using var broker = MosquittoBroker.Prepare();

        var (code, _, error) = await MdcAsync(["check", "--broker", broker.ConnectionString], null);

        Assert.Equal(4, code);
        Assert.Contains($"There is no connection to {broker.ConnectionString}", error, StringComparison.Ordinal);
    }

    private static MqttRetainedCheck Check(MosquittoBroker broker, params string[] filters) => new(
        new MqttStreamOptions { ConnectionString = broker.ConnectionString }, filters.Length == 0 ? Filters : filters, "test", TimeProvider.System);

    private static async Task<(int Code, string Output, string Error)> MdcAsync(string[] arguments, string? answers)
    {
        using StringWriter output = new() { NewLine = "\n" }, error = new() { NewLine = "\n" };
        CliEnvironment environment = new() { Output = output, Error = error, Answers = answers is null ? null : new StringReader(answers) };
        var code = await Mdc.RunAsync(arguments, environment, TestContext.Current.CancellationToken);
        return (code, output.ToString(), error.ToString());
    }

    // Over a link of its own: the service never publishes one.
    private static async Task RetainAsync(MosquittoBroker broker, IReadOnlyList<string> topics)
    {
        await using var link = await ConnectAsync(broker, "retainer");
        Retainer retainer = new(topics);
        link.Start(retainer, retainer);
        link.Kick(inline: false);
        await retainer.Done.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        await link.CloseAsync();
    }

    private static Task<MqttLink> ConnectAsync(MosquittoBroker broker, string clientId) => MqttLink.ConnectAsync(
        new() { Broker = MqttConnectionString.Parse(broker.ConnectionString), ClientId = clientId, CleanStart = true },
        TimeProvider.System,
        TestContext.Current.CancellationToken);

    /// <summary>Publishes retained messages with QoS 0, the last one with QoS 1: its answer says that the broker has them all.</summary>
    private sealed class Retainer(IReadOnlyList<string> topics) : IMqttLinkReceiver, IMqttPublishSource
    {
        private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _next;

        public Task Done => _done.Task;

        public bool TryTake(out MqttLinkPublish publish)
        {
            if (_next == topics.Count)
            {
                publish = default;
                return false;
            }

            var isLast = _next == topics.Count - 1;
            MqttOutgoingMessage message = new()
            {
                Payload = Encoding.UTF8.GetBytes("retained-payload"),
                Retain = true,
                QualityOfService = isLast ? MqttQualityOfService.AtLeastOnce : MqttQualityOfService.AtMostOnce,
            };
            publish = new MqttLinkPublish(topics[_next++], message, (ushort)(isLast ? 1 : 0), 0, null, null);
            return true;
        }

        public void OnWritten()
        {
        }

        public void OnPublish(MqttIncomingMessage message, ushort packetId)
        {
        }

        public void OnPublishAcknowledged(ushort packetId, byte reasonCode, string? reason) => _done.TrySetResult();
    }
}
