using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;

namespace MqttDeviceCluster.Tests.Cli;

public sealed class ListTests
{
    private static readonly DateTimeOffset Now = FakeCluster.Now;

    private static readonly DeviceSnapshot[] Three =
    [
        new("544B3B144B8C", [new(13, PinMode.Output, PinState.High, Now), new(14, PinMode.Output, PinState.Low, Now)], Now.AddSeconds(-4))
        {
            Presence = new(Presence.Online, PresenceReason.Birth, Now.AddMinutes(-3)),
            FirstSeen = Now.AddDays(-14),
            Firmware = "1.6.0",
        },
        new("544B3B144B8D", [new(7, null, (PinState)512, Now)], Now.AddHours(-30))
        {
            Presence = new(Presence.Offline, PresenceReason.LastWill, Now.AddHours(-2)),
            FirstSeen = Now.AddHours(-31),
        },
        new("0a", [], null),
    ];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task List_EveryOption_AsksExactlyThat()
    {
        var cluster = new FakeCluster();
        var (code, _, error) = await cluster.RunAsync("list --prefix 544B --presence OFFLINE --pin 13=output:high");
        Assert.Equal((0, ""), (code, error));
        Assert.Equal([new DeviceFilter("544B", Presence.Offline, new PinFilter(13, PinMode.Output, PinState.High))], cluster.Asked);

        cluster = new FakeCluster();
        await cluster.RunAsync("list");
        Assert.Equal([new DeviceFilter()], cluster.Asked);
    }

    [Fact]
    public async Task List_Redirected_IsAlignedColumnsWithEverything()
    {
        var (code, output, _) = await new FakeCluster { Devices = Three }.RunAsync("list");
        Assert.Equal(0, code);
        Assert.Equal(
            """
            DEVICE        PRESENCE  REASON     SINCE                     LAST-SEEN                 FIRST-SEEN                PINS
            544B3B144B8C  online    birth      2026-03-04T05:03:07.089Z  2026-03-04T05:06:03.089Z  2026-02-18T05:06:07.089Z  13=high,14=low
            544B3B144B8D  offline   last-will  2026-03-04T03:06:07.089Z  2026-03-02T23:06:07.089Z  2026-03-02T22:06:07.089Z  7=512
            0a            unknown   -          -                         -                         -                         -

            """.ReplaceLineEndings("\n"),
            output);
    }

    [Fact]
    public async Task List_Json_IsOneDocumentALine()
    {
        var (_, output, _) = await new FakeCluster { Devices = Three }.RunAsync("list --json");
        Assert.Equal(
            """
            {"device":"544B3B144B8C","presence":"online","presenceReason":"birth","presenceSince":"2026-03-04T05:03:07.089Z","firstSeen":"2026-02-18T05:06:07.089Z","lastSeen":"2026-03-04T05:06:03.089Z","firmware":"1.6.0","pins":[{"pin":13,"mode":3,"state":1,"receivedAt":"2026-03-04T05:06:07.089Z"},{"pin":14,"mode":3,"state":0,"receivedAt":"2026-03-04T05:06:07.089Z"}]}
            {"device":"544B3B144B8D","presence":"offline","presenceReason":"last-will","presenceSince":"2026-03-04T03:06:07.089Z","firstSeen":"2026-03-02T22:06:07.089Z","lastSeen":"2026-03-02T23:06:07.089Z","firmware":null,"pins":[{"pin":7,"mode":null,"state":512,"receivedAt":"2026-03-04T05:06:07.089Z"}]}
            {"device":"0a","presence":"unknown","presenceReason":null,"presenceSince":null,"firstSeen":null,"lastSeen":null,"firmware":null,"pins":[]}

            """.ReplaceLineEndings("\n"),
            output);
    }

    [Fact]
    public async Task List_WideTerminal_IsATableWithAges()
    {
        var cluster = new FakeCluster { Devices = Three, Time = new FakeTimeProvider(Now) };
        var (_, output, _) = await cluster.RunAsync("list", terminalWidth: 120);
        Assert.Equal(
            """
            ╭──────────────┬─────────────────────┬─────┬───────────┬────────────┬────────────────╮
            │ device       │ presence            │ for │ last seen │ first seen │ pins           │
            ├──────────────┼─────────────────────┼─────┼───────────┼────────────┼────────────────┤
            │ 544B3B144B8C │ online (birth)      │ 3m  │ 4s        │ 14d        │ 13=high 14=low │
            │ 544B3B144B8D │ offline (last-will) │ 2h  │ 1d        │ 1d         │ 7=512          │
            │ 0a           │ unknown             │ -   │ -         │ -          │                │
            ╰──────────────┴─────────────────────┴─────┴───────────┴────────────┴────────────────╯
            3 devices

            """.ReplaceLineEndings("\n"),
            output);
    }

    [Theory]
    [InlineData(80)]
    [InlineData(100)]
    [InlineData(200)]
    public async Task List_ManyPins_FitsTheTerminalAndSaysHowManyAreLeftOut(int width)
    {
        var pins = Enumerable.Range(0, 256).Select(pin => new PinUpdate(pin, PinMode.Output, PinState.High, Now));
        var cluster = new FakeCluster { Devices = [Three[0] with { Pins = [.. pins] }], Time = new FakeTimeProvider(Now) };
        var (_, output, _) = await cluster.RunAsync("list", terminalWidth: width);
        Assert.All(output.Split('\n'), line => Assert.True(line.Length <= width, line));
        Assert.Matches(@"0=high 1=high .*\+2\d\d", output);
    }

    [Theory]
    [InlineData(20)]
    [InlineData(80)]
    public async Task List_LongId_StaysWhole(int width)
    {
        var id = new string('x', 128);
        var (_, output, _) = await new FakeCluster { Devices = [Three[0] with { DeviceId = id }] }.RunAsync("list", terminalWidth: width);
        Assert.Contains($"│ {id} │", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task List_ManyDevicesOnATerminal_IsSeveralTablesWithAHeaderEach()
    {
        var devices = Enumerable.Range(0, 1201).Select(i => new DeviceSnapshot(i.ToString("D12", CultureInfo.InvariantCulture), [], null));
        var (_, output, _) = await new FakeCluster { Devices = devices }.RunAsync("list", terminalWidth: 80);
        Assert.Equal(3, output.Split("│ device ").Length - 1);
        Assert.Contains("│ 000000001200 │", output, StringComparison.Ordinal);
        Assert.EndsWith("1201 devices\n", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task List_ManyDevicesRedirected_HasOneHeader()
    {
        var devices = Enumerable.Range(0, 1201).Select(i => new DeviceSnapshot(i.ToString("D12", CultureInfo.InvariantCulture), [], null));
        var (_, output, _) = await new FakeCluster { Devices = devices }.RunAsync("list");
        Assert.Equal(1202, output.Count(c => c == '\n'));
        Assert.Equal(1, output.Split("DEVICE").Length - 1);
    }

    [Theory]
    [InlineData("list")]
    [InlineData("list --json")]
    public async Task List_DeviceThatLetsWait_TheOnesBeforeAreWritten(string line)
    {
        var time = new FakeTimeProvider(Now);
        var (waits, mayCome) = (new TaskCompletionSource(), new TaskCompletionSource());
        var cluster = new FakeCluster
        {
            Devices = Three,
            Time = time,
            BeforeDevice = async number =>
            {
                if (number == 2)
                {
                    waits.SetResult();
                    await mayCome.Task;
                }
            },
        };
        var run = cluster.RunAsync(line);
        await waits.Task.WaitAsync(TimeSpan.FromSeconds(30), Token);
        while (!cluster.Output.ToString().Contains("544B3B144B8D", StringComparison.Ordinal))
        {
            // The timer may be armed a moment after the device began to wait.
            time.Advance(TimeSpan.FromMilliseconds(500));
            await Task.Delay(5, Token);
        }

        Assert.DoesNotContain("0a", cluster.Output.ToString(), StringComparison.Ordinal);
        mayCome.SetResult();
        Assert.Contains("0a", (await run).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task List_Count_IsANumber()
    {
        var (_, output, _) = await new FakeCluster { Devices = Three }.RunAsync("list --count --presence online", terminalWidth: 80);
        Assert.Equal("3\n", output);
        (_, output, _) = await new FakeCluster { Devices = Three }.RunAsync("list --count --json");
        Assert.Equal("""{"devices":3}""" + "\n", output);
    }

    [Fact]
    public async Task List_NoDevices_IsAnEmptyList()
    {
        Assert.Equal((0, "", ""), await new FakeCluster().RunAsync("list"));
        Assert.Equal((0, "", ""), await new FakeCluster().RunAsync("list --json"));
        Assert.Equal((0, "0 devices\n", ""), await new FakeCluster().RunAsync("list", terminalWidth: 80));
    }

    [Fact]
    public async Task List_StoreFailsOnTheWay_ExitsOneAfterWhatWasRead()
    {
        var cluster = new FakeCluster { Devices = Three, Failure = new FleetUnavailableException("The store does not answer.") };
        var (code, output, error) = await cluster.RunAsync("list --json");
        Assert.Equal((1, """{"error":"fleet-unavailable","message":"The store does not answer."}""" + "\n"), (code, error));
        Assert.All(output.TrimEnd().Split('\n'), line => JsonDocument.Parse(line).Dispose());
        Assert.Equal(3, output.Count(c => c == '\n'));
    }

    [Fact]
    public async Task List_Cancelled_Exits130()
    {
        using var source = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var cluster = new FakeCluster { Devices = Three, BeforeDevice = number => number == 1 ? source.CancelAsync() : Task.CompletedTask };
        var (code, _, error) = await cluster.RunUntilAsync("list --json", null, source.Token);
        Assert.Equal((130, """{"error":"cancelled","message":"cancelled; the list is not complete"}""" + "\n"), (code, error));
    }
}
