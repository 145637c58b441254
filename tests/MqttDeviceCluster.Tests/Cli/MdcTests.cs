using System.Diagnostics;
using MqttDeviceCluster.Cli.Connection;

namespace MqttDeviceCluster.Tests.Cli;

public sealed class MdcTests
{
    private const string Id = "544B3B144B8C";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string, Exception, int, string> Failures => new()
    {
        { "timeout", new DeviceTimeoutException(Id, TimeSpan.FromSeconds(5), [13], published: true), 3, $"Device '{Id}' did not confirm pin 13 within 5 s." },
        { "timeout", new TimeoutException("No answer."), 3, "No answer." },
        { "offline", new DeviceOfflineException(Id), 4, $"Device '{Id}' is offline: the broker knows no subscriber for its commands. Nothing happened." },
        { "broker-away", new BrokerUnavailableException(Id, "not connected", refused: false), 4, $"The command to device '{Id}' could not be sent: not connected. Nothing happened." },
        { "broker-refused", new BrokerUnavailableException(Id, "NotAuthorized", refused: true), 4, $"The broker refused the command to device '{Id}': NotAuthorized. Nothing happened." },
        { "no-cluster", new NoClusterException("no cluster at 127.0.0.1:30000"), 5, "no cluster at 127.0.0.1:30000" },
        {
            "interrupted", new DeviceInterruptedException(Id, "the silo is stopping", published: false), 1,
            $"The call to device '{Id}' was cut short: the silo is stopping. Nothing was sent."
        },
        { "fleet-unavailable", new FleetUnavailableException("The store does not answer."), 1, "The store does not answer." },
        { "busy", new DeviceBusyException(Id, 64), 1, $"Device '{Id}' has 64 commands in line already; nothing was sent." },
        { "bad-input", new ArgumentException("Too many.", "pins"), 2, "Too many." },
        { "failed", new InvalidOperationException("first\nsecond"), 1, "first second (InvalidOperationException)" },
    };

    [Theory, MemberData(nameof(Failures))]
    public async Task Run_ClusterFails_ExitsWithItsCodeAndOneLine(string word, Exception failure, int exitCode, string message)
    {
        var (code, output, error) = await new FakeCluster { Failure = failure }.RunAsync($"set {Id} 13=high");
        Assert.Equal((exitCode, "", $"mdc: {message}\n"), (code, output, error));

        (code, output, error) = await new FakeCluster { Failure = failure }.RunAsync($"set {Id} 13=high --json");
        Assert.Equal((exitCode, "", $$"""{"error":"{{word}}","message":"{{message}}"}""" + "\n"), (code, output, error));
    }

    [Fact]
    public async Task Set_EveryOption_AsksExactlyThat()
    {
        var cluster = new FakeCluster();
        var (code, _, error) = await cluster.RunAsync(
            $"set {Id} 13=low:500ms 14=HIGH 15=1:1.5s --timeout 2m --no-wait --pulse-edge either --gateway a:1 --gateway [::1] --cluster-id c --service-id s");
        Assert.Equal((0, ""), (code, error));
        Assert.Equal(
            [
                Id,
                new SetPin(13, PinState.Low, TimeSpan.FromMilliseconds(500)),
                new SetPin(14, PinState.High),
                new SetPin(15, PinState.High, TimeSpan.FromMilliseconds(1500)),
                new CommandOptions { Timeout = TimeSpan.FromMinutes(2), Confirm = false, PulseConfirmedBy = PulseEdge.Either },
            ],
            cluster.Asked);
        Assert.Equal("a:1, [::1]:30000", string.Join(", ", cluster.Settings!.Gateways));
        Assert.Equal(("c", "s"), (cluster.Settings.ClusterId, cluster.Settings.ServiceId));
    }

    [Theory]
    [InlineData("show D", "silos:30000, [::1]:4", "c", "s")]
    [InlineData("show D --gateway a:1 --service-id other", "a:1", "c", "other")]
    public async Task Run_Variables_SayWhichClusterWhereNoOptionDoes(string line, string gateways, string clusterId, string serviceId)
    {
        var cluster = new FakeCluster { Variables = new() { ["MDC_GATEWAY"] = "silos, [::1]:4", ["MDC_CLUSTER_ID"] = "c", ["MDC_SERVICE_ID"] = "s" } };
        await cluster.RunAsync(line);
        Assert.Equal(gateways, string.Join(", ", cluster.Settings!.Gateways));
        Assert.Equal((clusterId, serviceId), (cluster.Settings.ClusterId, cluster.Settings.ServiceId));
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData(null)]
    public async Task Run_VariablesAreEmptyOrNotThere_MeansTheDefaults(string? value)
    {
        var cluster = new FakeCluster { Variables = value is null ? [] : new() { ["MDC_GATEWAY"] = value, ["MDC_CLUSTER_ID"] = value, ["MDC_SERVICE_ID"] = value } };
        await cluster.RunAsync("show D");
        Assert.Equal("127.0.0.1:30000", string.Join(", ", cluster.Settings!.Gateways));
        Assert.Equal(("default", "default"), (cluster.Settings.ClusterId, cluster.Settings.ServiceId));
    }

    [Fact]
    public async Task Run_VariableIsWrong_ExitsTwoAndNamesIt()
    {
        var cluster = new FakeCluster { Variables = new() { ["MDC_GATEWAY"] = "a:1,foo:bar" } };
        var (code, _, error) = await cluster.RunAsync("show D");
        Assert.Equal((2, "mdc: MDC_GATEWAY: 'foo:bar' is not a gateway: give HOST or HOST:PORT, such as 127.0.0.1:30000\n"), (code, error));
        Assert.Null(cluster.Settings);
    }

    [Theory]
    [InlineData("set D 13=high", WhenOffline.Send)]
    [InlineData("set D 13=high --when-offline send", WhenOffline.Send)]
    [InlineData("set D 13=high --when-offline fail", WhenOffline.Fail)]
    [InlineData("config D 13=output --when-offline fail", WhenOffline.Fail)]
    [InlineData("get D --when-offline fail", WhenOffline.Fail)]
    public async Task Command_WhenOffline_AsksForThat(string line, WhenOffline expected)
    {
        var cluster = new FakeCluster();
        await cluster.RunAsync(line);
        Assert.Equal(new CommandOptions { WhenOffline = expected }, cluster.Asked[^1]);
    }

    [Fact]
    public async Task Config_NamesAndNumbers_AsksExactlyThat()
    {
        var cluster = new FakeCluster();
        await cluster.RunAsync($"config {Id} 13=output:high 14=OUTPUT 4=5 5=input-pull-up 6=Input_PullDown:0 7=-1");
        Assert.Equal(
            [
                Id,
                new ConfigPin(13, PinMode.Output, PinState.High),
                new ConfigPin(14, PinMode.Output),
                new ConfigPin(4, PinMode.InputPullUp),
                new ConfigPin(5, PinMode.InputPullUp),
                new ConfigPin(6, PinMode.InputPullDown, PinState.Low),
                new ConfigPin(7, PinMode.Disabled),
                new CommandOptions(),
            ],
            cluster.Asked);
    }

    [Fact]
    public async Task Get_NoPins_AsksForAll()
    {
        var cluster = new FakeCluster();
        await cluster.RunAsync("get @0a");
        Assert.Equal(["@0a", new CommandOptions()], cluster.Asked);
    }

    [Fact]
    public async Task Wait_Filters_AsksExactlyThat()
    {
        var cluster = new FakeCluster();
        await cluster.RunAsync("wait -- -dev 1 2=high 3=output 4=192:512 5=*:low 6=3:*");
        Assert.Equal(
            [
                "-dev",
                new PinFilter(1),
                new PinFilter(2, State: PinState.High),
                new PinFilter(3, PinMode.Output),
                new PinFilter(4, PinMode.Analog, (PinState)512),
                new PinFilter(5, State: PinState.Low),
                new PinFilter(6, PinMode.Output),
                new WaitOptions(),
            ],
            cluster.Asked);

        cluster = new FakeCluster();
        await cluster.RunAsync("wait D *=high --in-one-update --or-now --timeout 1h");
        Assert.Equal(
            ["D", new PinFilter(State: PinState.High), new WaitOptions { Timeout = TimeSpan.FromHours(1), InOneUpdate = true, IncludeCurrent = true }],
            cluster.Asked);
    }

    [Theory]
    [InlineData("", "no command")]
    [InlineData("frob", "'frob' is not a command")]
    [InlineData("set", "no device")]
    [InlineData("set D", "no pins: give PIN=STATE")]
    [InlineData("set D/x 13=high", "'D/x' is not a device id")]
    [InlineData("set D 13", "'13' is not understood: give PIN=STATE")]
    [InlineData("set D 13=", "'' in '13=' is not a state")]
    [InlineData("set D 13=on", "'on' in '13=on' is not a state: give low, high, 0 or 1")]
    [InlineData("set D 13=2", "'2' in '13=2' is not a state")]
    [InlineData("set D -13=high", "'-13' in '-13=high' is not a pin")]
    [InlineData("set D 99999999999=high", "is not a pin")]
    [InlineData("set D 13=high 13=low", "'13=low' names pin 13 a second time")]
    [InlineData("set D 13=high:500", "'500' is not a pulse: give a number with a unit")]
    [InlineData("set D 13=high:0ms", "the pulse '0ms' is out of range")]
    [InlineData("set D 13=high:0.5ms", "not a whole number of milliseconds")]
    [InlineData("set D 13=high:25h", "the pulse '25h' is out of range: more than 0 and at most 24h")]
    [InlineData("set D 13=high:1e3s", "'1e3s' is not a pulse")]
    [InlineData("set D 13=high --timeout 0s", "--timeout: the duration '0s' is out of range: more than 0 and at most 1h")]
    [InlineData("set D 13=high --timeout 61m", "out of range")]
    [InlineData("set D 13=high --gateway foo:bar", "'foo:bar' is not a gateway")]
    [InlineData("set D 13=high --pulse-edge up", "'up' is not one of first|return|either")]
    [InlineData("set D 13=high --no-wiat", "'--no-wiat' is not an option")]
    [InlineData("show --jsno", "'--jsno' is not an option")]
    [InlineData("config D 13=7", "'7' in '13=7' is not a mode: give disabled, input, output")]
    [InlineData("config D 13=3,5", "'3,5' in '13=3,5' is not a mode")]
    [InlineData("get D x", "'x' is not a pin")]
    [InlineData("get D 1 1", "names pin 1 a second time")]
    [InlineData("wait D 13=high 13=output", "'13=high' and '13=output' overlap")]
    [InlineData("wait D * 1", "overlap")]
    [InlineData("wait D 13=foo", "'foo' in '13=foo' is neither a state nor a mode")]
    [InlineData("set D 13=high --when-offline maybe", "--when-offline: 'maybe' is not one of send|fail")]
    [InlineData("list D", "Unrecognized command or argument 'D'")]
    [InlineData("list --presence away", "--presence: 'away' is not one of online|offline|unknown")]
    [InlineData("list --pin 13=foo", "--pin: 'foo' in '13=foo' is neither a state nor a mode")]
    [InlineData("list --prefix a/b", "--prefix: 'a/b' cannot begin a device id")]
    [InlineData("watch D/x", "'D/x' is not a device id")]
    [InlineData("watch D E", "Unrecognized command or argument 'E'")]
    [InlineData("watch D --prefix E", "a device and --prefix do not go together")]
    [InlineData("watch --jsno", "'--jsno' is not an option")]
    [InlineData("watch --pin x", "--pin: 'x' is not a pin")]
    [InlineData("watch --state on", "--state: 'on' is not a state")]
    [InlineData("watch --mode on", "--mode: 'on' is not a mode")]
    [InlineData("watch --pin 13=high --state low", "--state repeats what --pin says")]
    [InlineData("watch --pin 13=output --mode input", "--mode repeats what --pin says")]
    [InlineData("watch --count 0", "--count: '0' is not a whole number from 1")]
    [InlineData("watch --timeout 25h", "out of range")]
    [InlineData("forget", "no device")]
    [InlineData("forget D", "nobody can be asked whether to forget the device: give --yes")]
    [InlineData("simulate --devices 0", "'0' is not a whole number from 1 to 1000000")]
    [InlineData("simulate --broker localhost:1883", "--broker: not the address of a broker, such as mqtt://127.0.0.1:1883: it must start with mqtt://")]
    [InlineData("simulate --id a --id a", "each device once")]
    [InlineData("check --broker mqtt://u:pa55@", "--broker: not the address of a broker, such as mqtt://127.0.0.1:1883: it is not a URL")]
    [InlineData("check --broker mqtt://127.0.0.1/path", "takes no path")]
    public async Task Run_BadInput_ExitsTwoNamesTheTokenAndAsksNothing(string line, string message)
    {
        var cluster = new FakeCluster();
        var (code, output, error) = await cluster.RunAsync(line);
        Assert.Equal((2, ""), (code, output));
        Assert.Contains(message, error, StringComparison.Ordinal);
        Assert.StartsWith("mdc: ", error, StringComparison.Ordinal);
        Assert.Equal(1, error.Count(c => c == '\n'));
        Assert.Null(cluster.Settings);
    }

    [Fact]
    public async Task Set_TooManyPins_IsRefused()
    {
        var pins = string.Join(' ', Enumerable.Range(0, 257).Select(pin => $"{pin}=high"));
        var (code, _, error) = await new FakeCluster().RunAsync($"set D {pins}");
        Assert.Equal((2, "mdc: 257 pins are too many: at most 256\n"), (code, error));
    }

    [Fact]
    public async Task Set_Json_IsOneDocumentInAFixedOrder()
    {
        var (code, output, error) = await new FakeCluster { Evidence = Evidence.Echoed }.RunAsync($"set {Id} 13=low --json");
        Assert.Equal((0, ""), (code, error));
        Assert.Equal(
            """{"device":"544B3B144B8C","evidence":"echoed","updates":[{"pin":13,"mode":3,"state":0,"receivedAt":"2026-03-04T05:06:07.089Z"},{"pin":7,"mode":null,"state":512,"receivedAt":"2026-03-04T05:06:07.089Z"},{"pin":104,"mode":77,"state":null,"receivedAt":"2026-03-04T05:06:07.089Z"}]}""" + "\n",
            output);
    }

    [Fact]
    public async Task Set_NoWaitJson_HasNoUpdates()
    {
        var (_, output, _) = await new FakeCluster { Evidence = Evidence.Published }.RunAsync($"set {Id} 13=low --json --no-wait");
        Assert.Equal("""{"device":"544B3B144B8C","evidence":"published","updates":[]}""" + "\n", output);
    }

    [Fact]
    public async Task Set_Redirected_IsAlignedText()
    {
        var (_, output, _) = await new FakeCluster().RunAsync($"set {Id} 13=low");
        Assert.Equal(
            """
            device    544B3B144B8C
            evidence  observed

            PIN  MODE    STATE  RECEIVED
            13   output  low    2026-03-04T05:06:07.089Z
            7    -       512    2026-03-04T05:06:07.089Z
            104  77      -      2026-03-04T05:06:07.089Z

            """.ReplaceLineEndings("\n"),
            output);
    }

    [Fact]
    public async Task Set_NarrowTerminal_IsATableAndTheIdStaysWhole()
    {
        var id = new string('x', 128);
        var (_, output, _) = await new FakeCluster().RunAsync($"set {id} 13=low", terminalWidth: 20);
        Assert.Equal(
            $"""
            device    {id}
            evidence  observed (the device reported it after the command was sent)
            ╭─────┬────────┬───────┬──────────────────────────╮
            │ pin │ mode   │ state │ received                 │
            ├─────┼────────┼───────┼──────────────────────────┤
            │ 13  │ output │ low   │ 2026-03-04T05:06:07.089Z │
            │ 7   │ -      │ 512   │ 2026-03-04T05:06:07.089Z │
            │ 104 │ 77     │ -     │ 2026-03-04T05:06:07.089Z │
            ╰─────┴────────┴───────┴──────────────────────────╯

            """.ReplaceLineEndings("\n"),
            output);
    }

    [Fact]
    public async Task Show_JsonAndText_GiveAllThatIsKnown()
    {
        var cluster = new FakeCluster
        {
            Snapshot = new DeviceSnapshot(Id, [new(13, PinMode.Output, PinState.High, FakeCluster.Now)], FakeCluster.Now)
            {
                Presence = new DevicePresence(Presence.Online, PresenceReason.Birth, FakeCluster.Now.AddHours(-1)),
                FirstSeen = FakeCluster.Now.AddDays(-1),
                Firmware = "1.6.0",
            },
        };
        var (_, json, _) = await cluster.RunAsync($"show {Id} --json");
        Assert.Equal(
            """{"device":"544B3B144B8C","presence":"online","presenceReason":"birth","presenceSince":"2026-03-04T04:06:07.089Z","firstSeen":"2026-03-03T05:06:07.089Z","lastSeen":"2026-03-04T05:06:07.089Z","firmware":"1.6.0","pins":[{"pin":13,"mode":3,"state":1,"receivedAt":"2026-03-04T05:06:07.089Z"}]}""" + "\n",
            json);
        var (_, text, _) = await cluster.RunAsync($"show {Id}");
        Assert.Equal(
            """
            device      544B3B144B8C
            presence    online (birth) since 2026-03-04T04:06:07.089Z
            first-seen  2026-03-03T05:06:07.089Z
            last-seen   2026-03-04T05:06:07.089Z
            firmware    1.6.0

            PIN  MODE    STATE  RECEIVED
            13   output  high   2026-03-04T05:06:07.089Z

            """.ReplaceLineEndings("\n"),
            text);
    }

    [Fact]
    public async Task Show_DeviceNeverHeardOf_SaysSo()
    {
        var cluster = new FakeCluster { Snapshot = new DeviceSnapshot(Id, [], null) };
        var (_, text, _) = await cluster.RunAsync($"show {Id}");
        Assert.Equal($"device      {Id}\npresence    unknown\nfirst-seen  never\nlast-seen   never\nfirmware    -\n", text);
        var (_, json, _) = await cluster.RunAsync($"show {Id} --json");
        Assert.Equal(
            """{"device":"544B3B144B8C","presence":"unknown","presenceReason":null,"presenceSince":null,"firstSeen":null,"lastSeen":null,"firmware":null,"pins":[]}""" + "\n",
            json);
    }

    [Fact]
    public async Task Wait_Json_HasNoEvidence()
    {
        var cluster = new FakeCluster { Updates = [new(13, PinMode.Output, PinState.High, FakeCluster.Now)] };
        var (_, output, _) = await cluster.RunAsync("wait Tür 13=high --json");
        Assert.Equal("""{"device":"Tür","updates":[{"pin":13,"mode":3,"state":1,"receivedAt":"2026-03-04T05:06:07.089Z"}]}""" + "\n", output);
    }

    [Fact]
    public async Task Run_Cancelled_CancelsTheCallAndExits130()
    {
        using var source = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var told = new TaskCompletionSource();
        var cluster = new FakeCluster
        {
            Before = async token =>
            {
                await source.CancelAsync();
                using var registration = token.Register(told.SetResult);
                await told.Task;
                token.ThrowIfCancellationRequested();
            },
        };
        var (code, output, error) = await cluster.RunUntilAsync($"set {Id} 13=high", null, source.Token);
        Assert.Equal((130, "", "mdc: cancelled; what was already sent may still take effect\n"), (code, output, error));
        Assert.True(told.Task.IsCompleted);
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("set --help")]
    [InlineData("wait -h")]
    [InlineData("simulate --help")]
    [InlineData("list --help")]
    [InlineData("watch --help")]
    [InlineData("forget --help")]
    [InlineData("check --help")]
    public async Task Run_Help_ShowsExamplesAndExitsZero(string line)
    {
        var (code, output, error) = await new FakeCluster().RunAsync(line);
        Assert.Equal((0, ""), (code, error));
        Assert.Contains("Examples:", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_Help_ShowsWhichArgumentsAreOptional()
    {
        var (_, output, _) = await new FakeCluster().RunAsync("--help");
        var lines = output.Split('\n');
        var column = Assert.Single(lines, static line => line.StartsWith("  show <DEVICE> ", StringComparison.Ordinal)).IndexOf("Show what", StringComparison.Ordinal);
        Assert.Equal(column, Assert.Single(lines, static line => line.StartsWith("  get <DEVICE> [<PIN>...]  ", StringComparison.Ordinal)).IndexOf("Ask the", StringComparison.Ordinal));
        Assert.Equal(column, Assert.Single(lines, static line => line.StartsWith("  watch [<DEVICE>]  ", StringComparison.Ordinal)).IndexOf("Watch what", StringComparison.Ordinal));
        Assert.Contains(lines, static line => line.StartsWith("  set <DEVICE> <PIN=STATE[:DURATION]>  ", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("sim --help")]
    [InlineData("--help sim")]
    [InlineData("sim --version")]
    public async Task Run_UnknownCommandWithHelp_IsAnErrorAllTheSame(string line)
    {
        var (code, output, error) = await new FakeCluster().RunAsync(line);
        Assert.Equal((2, ""), (code, output));
        Assert.StartsWith("mdc: 'sim' is not a command: give one of config, set, ", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Process_NoCluster_ExitsFiveWithinSecondsWithOneLine()
    {
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet")
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        start.ArgumentList.Add(MdcPath());
        foreach (var argument in (string[])["show", Id, "--gateway", "127.0.0.1:1"])
        {
            start.ArgumentList.Add(argument);
        }

        using var process = Process.Start(start)!;
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(Token);
        timeout.CancelAfter(TimeSpan.FromSeconds(20));
        var output = process.StandardOutput.ReadToEndAsync(timeout.Token);
        var error = process.StandardError.ReadToEndAsync(timeout.Token);
        await process.WaitForExitAsync(timeout.Token);
        Assert.Equal((5, "", $"mdc: no cluster at 127.0.0.1:1: Connection refused{Environment.NewLine}"), (process.ExitCode, await output, await error));
    }

    /// <summary>
    /// The program as it is built for itself: beside the tests it lacks the packages that ASP.NET Core brings to them.
    /// </summary>
    private static string MdcPath()
    {
        var output = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        var root = output.Parent!.Parent!.Parent!.Parent!.Parent!.FullName;
        var path = Path.Combine(root, "src", "MqttDeviceCluster.Cli", "bin", output.Parent.Name, output.Name, "mdc.dll");
        Assert.True(File.Exists(path), $"{path} is missing");
        return path;
    }
}
