using System.Collections.Concurrent;
using System.Diagnostics;
using MqttDeviceCluster.IntegrationTests.Infrastructure;

namespace MqttDeviceCluster.IntegrationTests.Fleet;

/// <summary>Many watch, and thousands of devices send.</summary>
public sealed class WatchTests(ITestOutputHelper output)
{
    private const int Devices = 2_000;
    private const int Rounds = 6;
    private const string Stranger = "FFFF";

    private static readonly WatchOptions Default = new() { BufferSize = WatchOptions.MaxBufferSize };

    private static readonly WatchOptions[] Options =
    [
        Default,
        Default with { IncludeUnchanged = true },
        Default with { Pins = new(Pin: 13) },
        Default with { Pins = new(Pin: 14, State: PinState.High) },
        Default with { Pins = new(State: PinState.High) },
        Default with { Pins = new(State: PinState.Low), IncludeUnchanged = true },
        Default with { Pins = new(Mode: PinMode.Output) },
        Default with { Pins = new(Mode: PinMode.Input), IncludePresence = false },
        Default with { Pins = new(Mode: PinMode.InputPullUp), IncludeUnchanged = true },
        Default with { DeviceIdPrefix = "03" },
        Default with { DeviceIdPrefix = "07C", IncludeUnchanged = true },
        Default with { DeviceId = "0000" },
        Default with { DeviceId = "07CF", IncludeUnchanged = true },
        Default with { DeviceId = Stranger },
        Default with { Pins = new(Pin: 99), IncludePresence = false },
        Default with { DeviceIdPrefix = "01", Pins = new(13, PinMode.Output, PinState.High), IncludePresence = false },
    ];

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Twenty_WithDifferentFilters_EachHasExactlyItsChangesInOrder()
    {
        await using var system = await FleetSystem.StartAsync(silos: 2);
        await using TestPublisher publisher = new(system.Broker);
        FleetLedger ledger = new(Devices, seed: 20);
        var clients = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => system.ConnectAsync()));
        PausableLink link = new();
        var stalled = await system.ConnectAsync(link);

        // Sixteen that read, two that are called back, one that does not read, and one whose process hangs.
        var watches = await Task.WhenAll(Options.Select((options, i) => WatchLog.StartAsync(token => clients[i % 4].WatchAsync(options, token))));
        ConcurrentQueue<DeviceEvent> calledBack = new();
        await using var callback = clients[0].OnUpdate(new PinFilter(13, State: PinState.Low), (value, _) => Note(calledBack, value));
        ConcurrentQueue<DeviceEvent> calledBackForAll = new();
        WatchOptions callbackOptions = new() { DeviceIdPrefix = "00", BufferSize = WatchOptions.MaxBufferSize };
        await using var callbackForAll = clients[1].OnUpdate(callbackOptions, (value, _) => Note(calledBackForAll, value));
        WatchOptions small = new() { Pins = new(State: PinState.High), BufferSize = 100 };
        await using var idle = clients[2].WatchAsync(small, Cancelled).GetAsyncEnumerator(Cancelled);
        Assert.True(await idle.MoveNextAsync());
        Assert.IsType<WatchStartedEvent>(idle.Current);
        await using var unreachable = await WatchLog.StartAsync(token => stalled.WatchAsync(small, token));
        await Task.WhenAll(callback.Started, callbackForAll.Started).WaitAsync(TimeSpan.FromSeconds(30), Cancelled);

        link.Pause();
        var started = Stopwatch.StartNew();
        for (var round = 0; round < Rounds; round++)
        {
            await ledger.PublishRoundAsync(publisher);
        }

        var published = started.Elapsed;
        foreach (var (options, log) in Options.Zip(watches))
        {
            var expected = ledger.Expected(options);
            await log.WaitForCountAsync(1 + expected.Values.Sum(static told => told.Count));
            AssertTold(expected, log.Events.Skip(1), $"{options}");
        }

        output.WriteLine($"{Devices * Rounds} reports published in {published.TotalSeconds:0.0} s, told to all after {started.Elapsed.TotalSeconds:0.0} s; {watches.Sum(log => log.Count)} events");
        AssertTold(
            ledger.Expected(new() { Pins = new(13, State: PinState.Low), IncludePresence = false, IncludeUnchanged = true }), calledBack, "the callback of a pin");
        AssertTold(ledger.Expected(callbackOptions), calledBackForAll, "the callback of a prefix");

        // Those that were not told all know how much they missed, and nobody else has missed anything: see above.
        var high = ledger.Expected(small);
        var total = high.Values.Sum(static told => told.Count);
        List<DeviceEvent> late = [];
        while (Sum(late) < total)
        {
            Assert.True(await idle.MoveNextAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(30), Cancelled));
            late.Add(idle.Current);
        }

        AssertGaps(high, late, total, "the one that did not read");
        link.Resume();
        await WaitForSumAsync(unreachable, total);
        AssertGaps(high, unreachable.Events.Skip(1).ToList(), total, "the one that could not be reached");
        foreach (var log in watches)
        {
            await log.DisposeAsync();
        }
    }

    private static Task Note(ConcurrentQueue<DeviceEvent> events, DeviceEvent value)
    {
        events.Enqueue(value);
        return Task.CompletedTask;
    }

    private static long Sum(IEnumerable<DeviceEvent> events) => events.Sum(static value => value is GapEvent gap ? gap.Missed ?? 0 : 1);

    private static async Task WaitForSumAsync(WatchLog log, int total)
    {
        var (sum, next) = (0L, 0);
        await log.WaitForAsync<DeviceEvent>(
            value =>
            {
                sum += next++ == 0 ? 0 : Sum([value]);
                return sum >= total;
            },
            $"{total} events, those that it missed included");
    }

    private void AssertGaps(Dictionary<string, List<string>> expected, List<DeviceEvent> told, int total, string who)
    {
        var gaps = told.OfType<GapEvent>().ToList();
        output.WriteLine($"{who}: told {told.Count - gaps.Count} of {total}, {gaps.Count} gaps");
        Assert.NotEmpty(gaps);
        Assert.All(gaps, static gap => Assert.True(gap is { Reason: GapReason.SlowWatcher, Missed: > 0, DeviceId: null }, gap.ToString()));
        Assert.Equal(total, Sum(told));
        foreach (var (device, events) in FleetLedger.Told(told.Where(static value => value is not GapEvent)))
        {
            // What it was told is what was to be told, in the same order, with some missing.
            var next = 0;
            Assert.All(events, value => Assert.True((next = expected[device].IndexOf(value, next) + 1) > 0, $"{who}: {device}: {value} is out of place"));
        }
    }

    private static void AssertTold(Dictionary<string, List<string>> expected, IEnumerable<DeviceEvent> events, string who)
    {
        var told = FleetLedger.Told(events);
        Assert.True(told.Keys.ToHashSet().SetEquals(expected.Keys), $"{who}: told of {told.Count} devices and not of {expected.Count}");
        foreach (var (device, entries) in expected)
        {
            Assert.True(entries.SequenceEqual(told[device]), $"{who}: {device}:\n{string.Join('\n', told[device])}\nand not\n{string.Join('\n', entries)}");
        }
    }
}
