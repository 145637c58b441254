using System.Diagnostics;
using Microsoft.Extensions.Time.Testing;
using MqttDeviceCluster.Cli;
using MqttDeviceCluster.Cli.Output;

namespace MqttDeviceCluster.Tests.Cli;

public sealed class WatchTests
{
    private const string Id = "544B3B144B8C";
    private static readonly DateTimeOffset Now = FakeCluster.Now;

    private static readonly DeviceEvent[] One =
    [
        new WatchStartedEvent(Now),
        new DeviceAddedEvent(Id, Now),
        new PresenceEvent(Id, Now, new(Presence.Online, PresenceReason.Birth, Now)),
        new PinEvent(Id, new(13, PinMode.Output, PinState.High, Now), Changed: true),
        new PinEvent(Id, new(7, null, (PinState)512, Now), Changed: false),
        new GapEvent(null, Now, GapReason.SiloLost),
        new GapEvent(Id, Now, GapReason.SlowWatcher, 12),
        new DeviceForgottenEvent(Id, Now),
    ];

    private static readonly DeviceSnapshotEvent Snapshot = new(
        new DeviceSnapshot(Id, [new(13, PinMode.Output, PinState.Low, Now), new(14, null, null, Now.AddSeconds(-1))], Now)
        {
            Presence = new(Presence.Offline, PresenceReason.LastWill, Now),
            AsOf = Now,
        });

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Watch_EveryOption_AsksExactlyThat()
    {
        var cluster = new FakeCluster { Events = One };
        await cluster.RunAsync("watch --pin 13 --state high --mode output --prefix 544B --count 1");
        Assert.Equal([new WatchOptions { Pins = new PinFilter(13, PinMode.Output, PinState.High), DeviceIdPrefix = "544B" }], cluster.Asked);
        Assert.True(cluster.Settings!.Stays);

        cluster = new FakeCluster { Events = One };
        await cluster.RunAsync("watch --pin *=output:512 --count 1");
        Assert.Equal([new WatchOptions { Pins = new PinFilter(null, PinMode.Output, (PinState)512) }], cluster.Asked);

        cluster = new FakeCluster { Events = One };
        await cluster.RunAsync($"watch {Id} --state 1 --count 1");
        Assert.Equal([Id, new PinFilter(State: PinState.High)], cluster.Asked);

        cluster = new FakeCluster { Events = One };
        await cluster.RunAsync("watch --count 1");
        Assert.Equal([new WatchOptions()], cluster.Asked);
    }

    [Fact]
    public async Task Watch_Json_IsOneDocumentAnEvent()
    {
        var (code, output, error) = await new FakeCluster { Events = [Snapshot, .. One] }.RunAsync("watch --json --count 5");
        Assert.Equal((0, ""), (code, error));
        Assert.Equal(
            """
            {"type":"snapshot","device":"544B3B144B8C","at":"2026-03-04T05:06:07.089Z","presence":"offline","presenceReason":"last-will","presenceSince":"2026-03-04T05:06:07.089Z","firstSeen":null,"lastSeen":"2026-03-04T05:06:07.089Z","firmware":null,"pins":[{"pin":13,"mode":3,"state":0,"receivedAt":"2026-03-04T05:06:07.089Z"},{"pin":14,"mode":null,"state":null,"receivedAt":"2026-03-04T05:06:06.089Z"}]}
            {"type":"started","device":null,"at":"2026-03-04T05:06:07.089Z"}
            {"type":"added","device":"544B3B144B8C","at":"2026-03-04T05:06:07.089Z"}
            {"type":"presence","device":"544B3B144B8C","at":"2026-03-04T05:06:07.089Z","presence":"online","presenceReason":"birth","presenceSince":"2026-03-04T05:06:07.089Z"}
            {"type":"pin","device":"544B3B144B8C","at":"2026-03-04T05:06:07.089Z","pin":13,"mode":3,"state":1,"changed":true}
            {"type":"pin","device":"544B3B144B8C","at":"2026-03-04T05:06:07.089Z","pin":7,"mode":null,"state":512,"changed":false}
            {"type":"gap","device":null,"at":"2026-03-04T05:06:07.089Z","reason":"silo-lost","missed":null}
            {"type":"gap","device":"544B3B144B8C","at":"2026-03-04T05:06:07.089Z","reason":"slow-watcher","missed":12}
            {"type":"forgotten","device":"544B3B144B8C","at":"2026-03-04T05:06:07.089Z"}

            """.ReplaceLineEndings("\n"),
            output);
    }

    [Fact]
    public async Task Watch_Redirected_IsALineAnEvent()
    {
        var (_, output, _) = await new FakeCluster { Events = [Snapshot, .. One] }.RunAsync("watch --count 5");
        Assert.Equal(
            """
            2026-03-04T05:06:07.089Z  544B3B144B8C  snapshot offline (last-will) 13=output:low 14=-:-
            2026-03-04T05:06:07.089Z  -             started
            2026-03-04T05:06:07.089Z  544B3B144B8C  added
            2026-03-04T05:06:07.089Z  544B3B144B8C  presence online (birth)
            2026-03-04T05:06:07.089Z  544B3B144B8C  pin 13=output:high
            2026-03-04T05:06:07.089Z  544B3B144B8C  pin 7=-:512
            2026-03-04T05:06:07.089Z  -             gap (silo-lost)
            2026-03-04T05:06:07.089Z  544B3B144B8C  gap (slow-watcher), 12 missed
            2026-03-04T05:06:07.089Z  544B3B144B8C  forgotten

            """.ReplaceLineEndings("\n"),
            output);
    }

    [Theory]
    [InlineData("watch --json", false)]
    [InlineData("watch", false)]
    [InlineData("watch", true)]
    public async Task Watch_Cancelled_Exits130InSilence(string line, bool live)
    {
        using var source = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var cluster = new FakeCluster { Events = One, LiveTerminal = live ? () => (80, 24) : null };
        var run = cluster.RunUntilAsync(line, live ? 80 : null, source.Token);
        await cluster.Told.WaitAsync(TimeSpan.FromSeconds(30), Token);
        await source.CancelAsync();
        var (code, output, error) = await run.WaitAsync(TimeSpan.FromSeconds(30), Token);
        Assert.Equal((130, ""), (code, error));
        Assert.Contains("forgotten", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("watch")]
    [InlineData("watch --json")]
    [InlineData("list")]
    public async Task Run_NobodyReadsTheOutput_EndsInSilence(string line)
    {
        var cluster = new FakeCluster { Events = One, Devices = [Snapshot.Snapshot] };
        using var error = new StringWriter();
        await using var output = new ClosedWriter();

        var code = await Mdc.RunAsync(line.Split(' '), new CliEnvironment { Output = output, Error = error, Connector = cluster }, Token).WaitAsync(TimeSpan.FromSeconds(30), Token);

        Assert.Equal((141, ""), (code, error.ToString()));
    }

    [Fact]
    public async Task Process_PipeClosed_EndsInSilence()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Skip("Pipes of Unix.");
        }

        using var process = Process.Start(new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "mdc"), ["--help"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;

        // Long before it has something to write.
        process.StandardOutput.Close();

        var error = await process.StandardError.ReadToEndAsync(Token);
        await process.WaitForExitAsync(Token);
        Assert.Equal((141, ""), (process.ExitCode, error));
    }

    [Fact]
    public async Task Watch_EachEvent_IsOutBeforeTheNext()
    {
        var cluster = (FakeCluster)null!;
        List<int> lines = [];
        IEnumerable<DeviceEvent> Watched()
        {
            foreach (var told in One)
            {
                yield return told;
                lines.Add(cluster.Output.ToString().Count(c => c == '\n'));
            }
        }

        cluster = new FakeCluster { Events = Watched() };
        using var source = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var run = cluster.RunUntilAsync("watch --json", null, source.Token);
        await cluster.Told.WaitAsync(TimeSpan.FromSeconds(30), Token);
        await source.CancelAsync();
        await run;
        Assert.Equal(Enumerable.Range(1, One.Length), lines);
    }

    [Theory]
    [InlineData("watch --timeout 5s", 0, "")]
    [InlineData("watch --timeout 5s --count 6", 3, "mdc: 5 of 6 changes within 5 s.\n")]
    public async Task Watch_TimeOver_EndsByItself(string line, int expected, string message)
    {
        var time = new FakeTimeProvider(Now);
        var cluster = new FakeCluster { Events = One, Time = time };
        var run = cluster.RunAsync(line);
        await cluster.Told.WaitAsync(TimeSpan.FromSeconds(30), Token);
        time.Advance(TimeSpan.FromSeconds(4));
        Assert.False(run.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(1));
        var (code, _, error) = await run.WaitAsync(TimeSpan.FromSeconds(30), Token);
        Assert.Equal((expected, message), (code, error));
    }

    [Fact]
    public async Task Watch_EndsOrFails_IsAFailure()
    {
        var (code, _, error) = await new FakeCluster { Events = One, WatchEnds = true }.RunAsync("watch");
        Assert.Equal((1, "mdc: the watch ended by itself (InvalidOperationException)\n"), (code, error));
        (code, _, error) = await new FakeCluster { Events = One, Failure = new DeviceBusyException(Id, 64) }.RunAsync($"watch {Id} --json");
        Assert.Equal(1, code);
        Assert.StartsWith("""{"error":"busy",""", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Watch_OnATerminal_EndsWithAllOfItNewestFirst()
    {
        var cluster = new FakeCluster { Events = [Snapshot, .. One[3..]], LiveTerminal = () => (80, 24) };
        var (code, output, error) = await cluster.RunAsync($"watch {Id} --count 3", terminalWidth: 80);
        Assert.Equal((0, ""), (code, error));
        Assert.Equal(
            """
            device 544B3B144B8C: offline (last-will)
            ╭──────────────┬──────────────┬─────┬────────┬───────────────────────────────╮
            │ when (UTC)   │ device       │ pin │ mode   │ state                         │
            ├──────────────┼──────────────┼─────┼────────┼───────────────────────────────┤
            │ 05:06:07.089 │ 544B3B144B8C │     │        │ forgotten                     │
            │ 05:06:07.089 │ 544B3B144B8C │     │        │ gap (slow-watcher), 12 missed │
            │ 05:06:07.089 │              │     │        │ gap (silo-lost)               │
            │ 05:06:07.089 │ 544B3B144B8C │ 7   │ -      │ 512                           │
            │ 05:06:07.089 │ 544B3B144B8C │ 13  │ output │ high                          │
            │ 05:06:07.089 │ 544B3B144B8C │ 13  │ output │ low                           │
            │ 05:06:06.089 │ 544B3B144B8C │ 14  │ -      │ -                             │
            ╰──────────────┴──────────────┴─────┴────────┴───────────────────────────────╯
            3 changes, 2 gaps: events are missing
            """.ReplaceLineEndings("\n"),
            string.Join('\n', Screen.Of(output)).TrimEnd());
        Assert.Contains("\u001b[?25l", output, StringComparison.Ordinal);
        Assert.EndsWith("\u001b[?25h", output.TrimEnd(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(30, 10, 3)]
    [InlineData(80, 24, 17)]
    [InlineData(200, 60, 53)]
    public async Task Watch_ManyEvents_FitsTheTerminal(int width, int height, int rows)
    {
        var events = Enumerable.Range(0, 10_000).Select(i => new PinEvent(new string('x', 60) + i, new(i, PinMode.Output, PinState.High, Now), true));
        var cluster = new FakeCluster { Events = events, LiveTerminal = () => (width, height) };
        var (_, output, _) = await cluster.RunAsync("watch --count 10000", terminalWidth: width);
        var frame = string.Join('\n', Screen.Of(output)).TrimEnd().Split('\n');
        Assert.All(frame, line => Assert.True(line.Length <= width, line));
        Assert.Equal(rows, frame.Count(line => line.StartsWith('│') && line.Contains("xxx", StringComparison.Ordinal)));
        Assert.True(frame.Length < height, $"{frame.Length} lines");
        if (width > 30)
        {
            // The id gives way, not the rest.
            Assert.All(frame.Where(line => line.Contains("xxx", StringComparison.Ordinal)), line => Assert.Matches(@"^│ 05:06:07.089 │ x+.* │ 9\d\d\d │ output │ high *│$", line));
        }
    }

    private sealed class ClosedWriter : StringWriter
    {
        public override void Write(char value) => throw new OutputClosedException(new IOException());

        public override void Write(char[] buffer, int index, int count) => throw new OutputClosedException(new IOException());

        public override void Write(string? value) => throw new OutputClosedException(new IOException());

        public override void WriteLine(string? value) => throw new OutputClosedException(new IOException());
    }
}
