using System.Text;
using Microsoft.Extensions.Time.Testing;
using MqttDeviceCluster.Simulator;
using MQTTnet;

namespace MqttDeviceCluster.Tests.Simulator;

public sealed class SimulatedFleetTests : IAsyncLifetime
{
    private const string Id = "544B3B144B8C";
    private readonly SimulatorBroker _broker = new();
    private readonly FakeTimeProvider _time = new(DateTimeOffset.FromUnixTimeSeconds(1_800_000_000));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => _broker.InitializeAsync();

    public ValueTask DisposeAsync() => _broker.DisposeAsync();

    [Fact]
    public async Task Config_BaseProfile_AnswersWithModeAndState()
    {
        await using var fleet = await StartAsync();
        await _broker.SendAsync(Id, "config", """[{"pin":13,"mode":3,"state":1},{"pin":5,"mode":5}]""");
        var update = await _broker.NextAsync();
        Assert.Equal($"device/{Id}/pin/update", update.Topic);
        Assert.Equal("""[{"pin":13,"mode":3,"state":1},{"pin":5,"mode":5,"state":0}]""", update.ConvertPayloadToString());
        Assert.False(update.Retain);
        Assert.Null(update.CorrelationData);
    }

    [Fact]
    public async Task Get_KnownUnknownAndAll_AnswersInTheOrderAsked()
    {
        await using var fleet = await StartAsync();
        await _broker.SendAsync(Id, "get", "[14,99,13]");
        Assert.Equal(
            """[{"pin":14,"mode":3,"state":0},{"pin":99,"mode":-1,"state":0},{"pin":13,"mode":3,"state":0}]""", await _broker.NextPayloadAsync());
        await _broker.SendAsync(Id, "get", "[]");
        Assert.Equal("""[{"pin":13,"mode":3,"state":0},{"pin":14,"mode":3,"state":0}]""", await _broker.NextPayloadAsync());
    }

    [Fact]
    public async Task ReportsOnConnect_EachConnection_IsABirthAndThenAllPins()
    {
        await using var fleet = await StartAsync(
            new() { Status = StatusStyle.Word, ReportsOnConnect = true }, options => options with { Ids = ["a", "b"], Connections = 1 });
        Assert.Equal(
            ["device/a/status online", "device/b/status online", Report("a"), Report("b")],
            [await NextAsync(), await NextAsync(), await NextAsync(), await NextAsync()]);

        fleet["a"].DropConnection();
        await fleet["a"].ReconnectAsync(cancellationToken: Token);

        Assert.Equal(
            ["device/a/status online", "device/b/status online", Report("a"), Report("b")],
            [await NextAsync(), await NextAsync(), await NextAsync(), await NextAsync()]);

        async Task<string> NextAsync()
        {
            var message = await _broker.NextAsync();
            return $"{message.Topic} {message.ConvertPayloadToString()}";
        }

        static string Report(string id) => $$"""device/{{id}}/pin/update [{"pin":13,"mode":3,"state":0},{"pin":14,"mode":3,"state":0}]""";
    }

    [Fact]
    public async Task Set_PerPin_AnswersWithOneUpdateEach()
    {
        await using var fleet = await StartAsync(new() { Split = UpdateSplit.PerPin });
        await _broker.SendAsync(Id, "set", """[{"pin":13,"state":1},{"pin":14,"state":1}]""");
        Assert.Equal("""[{"pin":13,"mode":3,"state":1}]""", await _broker.NextPayloadAsync());
        Assert.Equal("""[{"pin":14,"mode":3,"state":1}]""", await _broker.NextPayloadAsync());
    }

    [Fact]
    public async Task Set_ReorderedWithEnvelope_LeavesLastFirstWithItsTrueNumber()
    {
        await using var fleet = await StartAsync(new() { Split = UpdateSplit.PerPin, Reorder = true, Envelope = true }, o => o with { FirstBoot = 17 });
        await _broker.SendAsync(Id, "set", """[{"pin":13,"state":1},{"pin":14,"state":1}]""");
        Assert.Equal("""{"boot":17,"seq":2,"pins":[{"pin":14,"mode":3,"state":1}]}""", await _broker.NextPayloadAsync());
        Assert.Equal("""{"boot":17,"seq":1,"pins":[{"pin":13,"mode":3,"state":1}]}""", await _broker.NextPayloadAsync());
    }

    [Fact]
    public async Task Set_RandomSplit_NamesEveryPinOnceAndTheSameWayForTheSameSeed()
    {
        List<string[]> runs = [];
        for (var run = 0; run < 2; run++)
        {
            await using var fleet = await StartAsync(new() { Split = UpdateSplit.Random }, o => o with { Seed = 1 });
            var pins = string.Join(',', Enumerable.Range(0, 20).Select(pin => $$"""{"pin":{{pin}},"state":1}"""));
            for (var command = 0; command < 3; command++)
            {
                await _broker.SendAsync(Id, "set", $"[{pins}]");
            }

            List<string> updates = [];
            while (updates.Sum(update => update.Split("\"pin\"").Length - 1) < 60)
            {
                updates.Add(await _broker.NextPayloadAsync());
            }

            runs.Add([.. updates]);
        }

        Assert.Equal(runs[0], runs[1]);
        Assert.True(runs[0].Length > 3);
    }

    [Theory]
    [InlineData(PulseReports.FirstEdge, new[] { 1 })]
    [InlineData(PulseReports.WayBack, new[] { 0 })]
    [InlineData(PulseReports.Both, new[] { 1, 0 })]
    public async Task Set_Pulse_ReportsTheChosenEdges(PulseReports reports, int[] states)
    {
        await using var fleet = await StartAsync(new() { Pulses = reports });
        var device = fleet[Id];
        var over = device.WaitForPulseEndAsync(13, Token);
        await _broker.SendAsync(Id, "set", """[{"pin":13,"state":1,"time":500}]""");
        await fleet.WaitForCommandsAsync(1, Token).WaitAsync(SimulatorBroker.Bound, Token);

        _time.Advance(TimeSpan.FromMilliseconds(499));
        Assert.False(over.IsCompleted);
        Assert.Equal(1, device.Pins[0].State);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        await over.WaitAsync(SimulatorBroker.Bound, Token);
        Assert.Equal(0, device.Pins[0].State);

        foreach (var state in states)
        {
            Assert.Equal($$"""[{"pin":13,"mode":3,"state":{{state}}}]""", await _broker.NextPayloadAsync());
        }

        device.ChangePin(14, 1);
        Assert.Equal("""[{"pin":14,"mode":3,"state":1}]""", await _broker.NextPayloadAsync());
    }

    [Fact]
    public async Task Set_DuringAPulse_ReplacesIt()
    {
        await using var fleet = await StartAsync(new() { Pulses = PulseReports.Both });
        await _broker.SendAsync(Id, "set", """[{"pin":13,"state":1,"time":500}]""");
        await _broker.SendAsync(Id, "set", """[{"pin":13,"state":1}]""");
        await fleet.WaitForCommandsAsync(2, Token).WaitAsync(SimulatorBroker.Bound, Token);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(1, fleet[Id].Pins[0].State);
    }

    [Fact]
    public async Task Answer_ExtraFieldsCopiesRetainAndEcho_CarriesThemAll()
    {
        await using var fleet = await StartAsync(new() { ExtraFields = true, Copies = 2, RetainUpdates = true, Echo = true });
        byte[] id = [.. Enumerable.Range(1, 16).Select(i => (byte)i)];
        await _broker.SendAsync(Id, "get", "[13]", message => message.WithCorrelationData(id));
        for (var copy = 0; copy < 2; copy++)
        {
            var update = await _broker.NextAsync();
            Assert.Matches("""^\[\{"pin":13,"mode":3,"state":0,"rssi":-\d+,"voice_call_state":\d\}\]$""", update.ConvertPayloadToString());
            Assert.True(update.Retain);
            Assert.Equal(id, update.CorrelationData);
        }
    }

    [Fact]
    public async Task Answer_Delayed_LeavesWhenDueAndInOrder()
    {
        await using var fleet = await StartAsync(new() { Delay = TimeSpan.FromSeconds(2), Jitter = TimeSpan.FromSeconds(1) });
        await _broker.SendAsync(Id, "get", "[13]");
        await _broker.SendAsync(Id, "get", "[14]");
        await fleet.WaitForCommandsAsync(2, Token).WaitAsync(SimulatorBroker.Bound, Token);
        _time.Advance(TimeSpan.FromMilliseconds(1999));
        Assert.Equal(0, fleet.Counters.UpdatesSent);
        _time.Advance(TimeSpan.FromMilliseconds(1002));
        Assert.Contains("\"pin\":13", await _broker.NextPayloadAsync(), StringComparison.Ordinal);
        Assert.Contains("\"pin\":14", await _broker.NextPayloadAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Command_SilentDevice_ActsAndNeverAnswers()
    {
        await using var fleet = await StartAsync(new() { Silent = true });
        await _broker.SendAsync(Id, "set", """[{"pin":13,"state":1}]""");
        await fleet.WaitForCommandsAsync(1, Token).WaitAsync(SimulatorBroker.Bound, Token);
        Assert.Equal(1, fleet[Id].Pins[0].State);
        fleet[Id].Behavior = DeviceBehavior.Default;
        await _broker.SendAsync(Id, "get", "[14]");
        Assert.Equal("""[{"pin":14,"mode":3,"state":0}]""", await _broker.NextPayloadAsync());
    }

    [Theory]
    [InlineData(true, 0)]
    [InlineData(false, 1)]
    public async Task Command_PastItsDeadline_IsCountedAndLeftUndoneWhenHonored(bool honor, int state)
    {
        await using var fleet = await StartAsync(new() { HonorDeadline = honor }, o => o with { RecordCommands = true });
        var past = _time.GetUtcNow().ToUnixTimeMilliseconds() - 1;
        await _broker.SendAsync(Id, "set", """[{"pin":13,"state":1}]""", message => message
            .WithUserProperty("deadline", Encoding.UTF8.GetBytes($"{past}"))
            .WithMessageExpiryInterval(5)
            .WithResponseTopic($"device/{Id}/pin/update")
            .WithContentType("application/json"));
        await fleet.WaitForCommandsAsync(1, Token).WaitAsync(SimulatorBroker.Bound, Token);
        Assert.Equal(1, fleet.Counters.LateCommands);
        Assert.Equal(state, fleet[Id].Pins[0].State);

        var command = Assert.Single(fleet[Id].Commands);
        Assert.True(command.IsPastDeadline);
        Assert.Equal(CommandKind.Set, command.Kind);
        Assert.Equal("""[{"pin":13,"state":1}]""", SimulatorBroker.Text(command.Payload));
        Assert.Equal(5u, command.MessageExpirySeconds);
        Assert.Equal($"device/{Id}/pin/update", command.ResponseTopic);
        Assert.Equal("application/json", command.ContentType);
        Assert.Equal(1, command.QualityOfService);
        Assert.False(command.Retained);
    }

    [Theory]
    [InlineData("set", """{"pin":13}""", "not an array")]
    [InlineData("set", "[", "not JSON")]
    [InlineData("set", """[{"pin":13}]""", "needs pin and state")]
    [InlineData("set", """[{"pin":13,"state":1,"time":0}]""", "time 0 is out of range")]
    [InlineData("config", """[{"pin":13,"state":1}]""", "needs pin and mode")]
    [InlineData("get", """["13"]""", "not a pin number")]
    public async Task Command_ThatBreaksTheProtocol_IsCountedAndNotObeyed(string kind, string payload, string problem)
    {
        await using var fleet = await StartAsync(null, o => o with { RecordCommands = true });
        await _broker.SendAsync(Id, kind, payload);
        await fleet.WaitForCommandsAsync(1, Token).WaitAsync(SimulatorBroker.Bound, Token);
        Assert.Equal(1, fleet.Counters.BadCommands);
        Assert.Contains(problem, Assert.Single(fleet[Id].Commands).Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Status_DropReconnectRebootAndGoodbye_IsAnnouncedEachTime()
    {
        await using (var fleet = await StartAsync(new() { Status = StatusStyle.Json }, o => o with { FirstBoot = 17 }))
        {
            var birth = await _broker.NextAsync();
            Assert.Equal($"device/{Id}/status", birth.Topic);
            Assert.Equal("""{"online":true,"boot":17,"fw":"1.6.0"}""", birth.ConvertPayloadToString());
            Assert.True(birth.Retain);

            fleet[Id].DropConnection();
            var will = await _broker.NextAsync();
            Assert.Equal("""{"online":false,"boot":17}""", will.ConvertPayloadToString());
            Assert.True(will.Retain);

            await fleet[Id].ReconnectAsync(reboot: true, Token).WaitAsync(SimulatorBroker.Bound, Token);
            Assert.Equal("""{"online":true,"boot":18,"fw":"1.6.0"}""", await _broker.NextPayloadAsync());
            await _broker.SendAsync(Id, "get", "[13]");
            Assert.Equal("""[{"pin":13,"mode":3,"state":0}]""", await _broker.NextPayloadAsync());
        }

        Assert.Equal("""{"online":false,"boot":18}""", await _broker.NextPayloadAsync());
    }

    [Fact]
    public async Task Status_OneOfThreeIsKilled_OnlyItsWillIsPublished()
    {
        string[] ids = ["a", "b", "c"];
        await using (var fleet = await StartAsync(new() { Status = StatusStyle.Json }, o => o with { Ids = [.. ids], FirstBoot = 1 }))
        {
            Assert.Equal(ids, (await NextStatusesAsync(3)).Select(status => status.Device));
            fleet["b"].DropConnection();
            Assert.Equal(("b", """{"online":false,"boot":1}"""), Assert.Single(await NextStatusesAsync(1)));

            // The others are there, and the next status is the reborn one's: nothing was said of them meanwhile.
            await fleet["b"].ReconnectAsync(reboot: true, Token).WaitAsync(SimulatorBroker.Bound, Token);
            Assert.Equal(("b", """{"online":true,"boot":2,"fw":"1.6.0"}"""), Assert.Single(await NextStatusesAsync(1)));
        }

        Assert.Equal(
            [("a", """{"online":false,"boot":1}"""), ("b", """{"online":false,"boot":2}"""), ("c", """{"online":false,"boot":1}""")],
            await NextStatusesAsync(3));
    }

    [Fact]
    public async Task Status_ThousandDevicesOnOneConnection_AllAreBornAndAllSayGoodbye()
    {
        await using (var fleet = new SimulatedFleet(new() { Broker = _broker.Uri, Count = 1000, Behavior = new() { Status = StatusStyle.Json } }))
        {
            await fleet.StartAsync(Token);
            Assert.Equal(1, fleet.Counters.ConnectionsMade);
            var births = await NextStatusesAsync(1000);
            Assert.Equal(fleet.Devices.Select(device => device.Id), births.Select(birth => birth.Device));
            Assert.All(births, birth => Assert.StartsWith("""{"online":true,""", birth.Payload, StringComparison.Ordinal));
        }

        var goodbyes = await NextStatusesAsync(1000);
        Assert.Equal(1000, goodbyes.Select(goodbye => goodbye.Device).Distinct().Count());
        Assert.All(goodbyes, goodbye => Assert.StartsWith("""{"online":false,""", goodbye.Payload, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Status_Word_IsThePlainWord()
    {
        await using (var fleet = await StartAsync(new() { Status = StatusStyle.Word }))
        {
            Assert.Equal("online", await _broker.NextPayloadAsync());
        }

        Assert.Equal("offline", await _broker.NextPayloadAsync());
    }

    [Fact]
    public async Task Command_Mqtt311Device_IsAnswered()
    {
        await using var fleet = await StartAsync(null, o => o with { MqttVersion = SimulatedMqttVersion.V311 });
        await _broker.SendAsync(Id, "get", "[13]");
        Assert.Equal("""[{"pin":13,"mode":3,"state":0}]""", await _broker.NextPayloadAsync());
    }

    [Theory]
    [InlineData(FleetSubscription.PerDevice)]
    [InlineData(FleetSubscription.Wildcard)]
    public async Task Commands_ThousandDevicesOnOneConnection_EachAnswersItsOwn(FleetSubscription subscription)
    {
        await using var fleet = new SimulatedFleet(new() { Broker = _broker.Uri, Count = 1000, Subscription = subscription });
        await fleet.StartAsync(Token);
        Assert.Equal(1, fleet.Counters.ConnectionsMade);
        Assert.Equal("020000000001", fleet.Devices[0].Id);
        Assert.Equal("0200000003E8", fleet.Devices[^1].Id);
        await Task.WhenAll(fleet.Devices.Select((device, i) => _broker.SendAsync(device.Id, "set", $$"""[{"pin":{{i}},"state":1}]""")));

        Dictionary<string, string> answers = [];
        while (answers.Count < 1000)
        {
            var update = await _broker.NextAsync();
            answers.Add(update.Topic, update.ConvertPayloadToString());
        }

        Assert.All(fleet.Devices.Select((device, i) => (device, i)), pair => Assert.Equal(
            $$"""[{"pin":{{pair.i}},"mode":3,"state":1}]""", answers[$"device/{pair.device.Id}/pin/update"]));
        Assert.Equal(1000, fleet.Counters.CommandsReceived);
        Assert.Equal(0, fleet.Counters.UpdatesLost);
    }

    [Fact]
    public async Task ReportInterval_TenDevices_EachReportsOncePerInterval()
    {
        await using var fleet = new SimulatedFleet(
            new() { Broker = _broker.Uri, Count = 10, ReportInterval = TimeSpan.FromSeconds(10) }, timeProvider: _time);
        await fleet.StartAsync(Token);
        for (var second = 0; second < 10; second++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        HashSet<string> topics = [];
        for (var i = 0; i < 10; i++)
        {
            topics.Add((await _broker.NextAsync()).Topic);
        }

        Assert.Equal(10, topics.Count);
    }

    [Fact]
    public async Task SendRawAsync_BadPayloads_ArriveByteForByte()
    {
        await using var fleet = await StartAsync();
        foreach (var payload in BadPayload.All.Add(BadPayload.BadElements))
        {
            await fleet[Id].SendRawAsync(payload).WaitAsync(SimulatorBroker.Bound, Token);
            Assert.Equal(payload.ToArray(), System.Buffers.BuffersExtensions.ToArray((await _broker.NextAsync()).Payload));
        }

        Assert.Equal(65_537, BadPayload.TooBig.Length);
    }

    [Fact]
    public async Task StartAsync_BrokerAway_ThrowsNamingItOrGoesOnByItself()
    {
        var away = new Uri("mqtt://user:secret@127.0.0.1:1");
        await using var strict = new SimulatedFleet(new() { Broker = away, Reconnect = ReconnectPolicy.OnceConnected });
        var exception = await Assert.ThrowsAsync<SimulatorConnectionException>(() => strict.StartAsync(Token));
        Assert.Contains("mqtt://127.0.0.1:1", exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", exception.Message, StringComparison.Ordinal);

        await using var patient = new SimulatedFleet(new() { Broker = away });
        await patient.StartAsync(Token);
        Assert.Equal(0, patient.Counters.ConnectionsMade);
    }

    [Fact]
    public void Constructor_BadOptions_NamesEveryProblem()
    {
        var exception = Assert.Throws<ArgumentException>(() => new SimulatedFleet(new()
        {
            Broker = new Uri("http://x"),
            Count = 0,
            QualityOfService = 2,
            Behavior = new() { Copies = 0 },
        }));
        Assert.Contains("Broker", exception.Message, StringComparison.Ordinal);
        Assert.Contains("Count", exception.Message, StringComparison.Ordinal);
        Assert.Contains("QualityOfService", exception.Message, StringComparison.Ordinal);
        Assert.Contains("Copies", exception.Message, StringComparison.Ordinal);
    }

    /// <summary>The next statuses, which must all be retained, in the order of the devices.</summary>
    private async Task<List<(string Device, string Payload)>> NextStatusesAsync(int count)
    {
        List<(string Device, string Payload)> statuses = [];
        while (statuses.Count < count)
        {
            var message = await _broker.NextAsync();
            Assert.True(message.Retain);
            Assert.Equal(MQTTnet.Protocol.MqttQualityOfServiceLevel.AtLeastOnce, message.QualityOfServiceLevel);
            var levels = message.Topic.Split('/');
            Assert.Equal("status", levels[^1]);
            statuses.Add((levels[1], message.ConvertPayloadToString()));
        }

        statuses.Sort();
        return statuses;
    }

    private async Task<SimulatedFleet> StartAsync(DeviceBehavior? behavior = null, Func<SimulatedFleetOptions, SimulatedFleetOptions>? change = null)
    {
        var options = new SimulatedFleetOptions
        {
            Broker = _broker.Uri,
            Ids = [Id],
            Behavior = behavior ?? DeviceBehavior.Default,
            Reconnect = ReconnectPolicy.Never,
        };
        var fleet = new SimulatedFleet(change?.Invoke(options) ?? options, timeProvider: _time);
        await fleet.StartAsync(Token);
        return fleet;
    }
}
