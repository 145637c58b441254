using System.Diagnostics;
using System.Threading.Channels;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Simulator;

namespace MqttDeviceCluster.IntegrationTests.EndToEnd;

/// <summary>What another MQTT client sees on the wire.</summary>
public sealed class WireTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Commands_SeenByMosquittoSub_AreExactlyTheProtocol()
    {
        var program = MosquittoBroker.Find("mosquitto_sub");
        await using var system = await DeviceSystem.StartAsync();
        await using var fleet = await system.StartFleetAsync(new() { Ids = ["544B3B144B8C"] });
        var lines = Channel.CreateUnbounded<string>();
        using var subscriber = new Process
        {
            StartInfo = new(program, ["-h", "127.0.0.1", "-p", $"{system.Broker.Port}", "-q", "1", "-t", "device/#", "-v"]) { RedirectStandardOutput = true },
        };
        subscriber.OutputDataReceived += (_, line) => lines.Writer.TryWrite(line.Data ?? "");
        subscriber.Start();
        subscriber.BeginOutputReadLine();
        try
        {
            // It is subscribed once it shows something that the device sends until then.
            while (!lines.Reader.TryPeek(out _))
            {
                fleet["544B3B144B8C"].Report();

                // Another process cannot be awaited here: it is asked again.
                await Task.Delay(20, Cancelled);
            }

            await system.Cluster.UpdateAsync("544B3B144B8C", [], null, Cancelled);
            await system.Cluster.ConfigPinsAsync(
                "544B3B144B8C", [new(13, PinMode.Output, PinState.High), new(14, PinMode.Output, PinState.Low), new(15, PinMode.Input)], null, Cancelled);
            await system.Cluster.SetPinsAsync(
                "544B3B144B8C", [new(13, PinState.Low, TimeSpan.FromMinutes(1)), new(14, PinState.High)], null, Cancelled);
            await system.Cluster.UpdateAsync("544B3B144B8C", [13, 14], null, Cancelled);

            List<string> commands = [];
            using var bound = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
            bound.CancelAfter(TimeSpan.FromSeconds(30));
            while (commands.Count < 4)
            {
                var line = await lines.Reader.ReadAsync(bound.Token);
                if (!line.StartsWith("device/544B3B144B8C/pin/update ", StringComparison.Ordinal))
                {
                    commands.Add(line);
                }
            }

            Assert.Equal(
                [
                    "device/544B3B144B8C/pin/get []",
                    """device/544B3B144B8C/pin/config [{"pin":13,"mode":3,"state":1},{"pin":14,"mode":3,"state":0},{"pin":15,"mode":1}]""",
                    """device/544B3B144B8C/pin/set [{"pin":13,"state":0,"time":60000},{"pin":14,"state":1}]""",
                    "device/544B3B144B8C/pin/get [13,14]",
                ],
                commands);
        }
        finally
        {
            subscriber.Kill();
        }
    }

    [Fact]
    public async Task Command_Properties_AreThoseOfTheProtocol()
    {
        await using var system = await DeviceSystem.StartAsync();
        await using var fleet = await system.StartFleetAsync(new() { Ids = ["a"] });

        var result = await system.Cluster.SetPinsAsync("a", [new(13, PinState.High)], new() { Timeout = TimeSpan.FromSeconds(10) }, Cancelled);

        var command = Assert.Single(fleet["a"].Commands);
        Assert.Equal(1, command.QualityOfService);
        Assert.False(command.Retained);
        Assert.InRange(command.MessageExpirySeconds!.Value, 1u, 9u);
        Assert.Equal(result.CommandId, new Guid(command.CorrelationData!.Value.Span, bigEndian: true));
        Assert.Equal("device/a/pin/update", command.ResponseTopic);
        Assert.Equal("application/json", command.ContentType);
        Assert.NotNull(command.Deadline);
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("{}")]
    [InlineData("[{\"pin\":\"x\",\"state\":1}]")]
    [InlineData("[[[[[[[[[[")]
    public async Task Update_ThatIsMalformed_StopsNeitherItsDeviceNorOthers(string payload)
    {
        await using var system = await DeviceSystem.StartAsync();
        await using var fleet = await system.StartFleetAsync(new() { Ids = ["bad", "good"] });

        await fleet["bad"].SendRawAsync(System.Text.Encoding.UTF8.GetBytes(payload));
        await fleet["bad"].SendRawAsync(System.Text.Encoding.UTF8.GetBytes(payload), topic: "device/bad/elsewhere");

        Assert.Equal(Evidence.Observed, (await system.Cluster.SetPinsAsync("bad", [new(13, PinState.High)], null, Cancelled)).Evidence);
        Assert.Equal(Evidence.Observed, (await system.Cluster.SetPinsAsync("good", [new(13, PinState.High)], null, Cancelled)).Evidence);
    }

    [Fact]
    public async Task Behaviors_EveryAnsweringStyle_Confirms()
    {
        await using var system = await DeviceSystem.StartAsync();
        var basic = DeviceBehavior.Default;
        (string Id, DeviceBehavior Behavior, PulseEdge Edge, Evidence Evidence)[] styles =
        [
            ("per-pin", basic with { Split = UpdateSplit.PerPin }, PulseEdge.First, Evidence.Observed),
            ("extra", basic with { ExtraFields = true }, PulseEdge.First, Evidence.Observed),
            ("copies", basic with { Copies = 3 }, PulseEdge.First, Evidence.Observed),
            ("envelope", basic with { Envelope = true }, PulseEdge.First, Evidence.Observed),
            ("echo", basic with { Echo = true }, PulseEdge.First, Evidence.Echoed),
            ("back", basic with { Pulses = PulseReports.WayBack }, PulseEdge.Return, Evidence.Observed),
            ("both", basic with { Pulses = PulseReports.Both }, PulseEdge.Either, Evidence.Observed),
        ];
        foreach (var style in styles)
        {
            await using var fleet = await system.StartFleetAsync(new() { Ids = [style.Id], Behavior = style.Behavior });

            var result = await system.Cluster.SetPinsAsync(
                style.Id,
                [new(13, PinState.High, TimeSpan.FromMilliseconds(200))],
                new() { PulseConfirmedBy = style.Edge, Timeout = TimeSpan.FromSeconds(30) },
                Cancelled);

            Assert.True(style.Evidence == result.Evidence, $"{style.Id}: {result.Evidence}");
            Assert.Equal([13], result.Updates.Select(update => update.Pin));
        }
    }
}
