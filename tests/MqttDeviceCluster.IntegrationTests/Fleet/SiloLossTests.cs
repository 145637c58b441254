using System.Diagnostics;

namespace MqttDeviceCluster.IntegrationTests.Fleet;

/// <summary>A silo goes while others watch and devices send.</summary>
public sealed class SiloLossTests(ITestOutputHelper output)
{
    private static readonly string[] DeviceIds = [.. Enumerable.Range(0, 50).Select(static i => $"d{i}")];
    private static readonly WatchOptions Wide = new() { BufferSize = WatchOptions.MaxBufferSize };

    /// <summary>Noticing that a silo died takes some seconds, and on a busy machine more.</summary>
    private static readonly TimeSpan LossBound = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Watch_SiloKilled_GoesOnWithAGapAndWithoutARepeatedChange()
    {
        await using var system = await FleetSystem.StartAsync(silos: 1);
        var (victim, holds) = await system.StartHolderAsync();
        var client = await system.ConnectAsync();
        var orleans = await system.ConnectOrleansAsync();
        await using var watch = await WatchLog.StartAsync(token => client.WatchAsync(Wide, token));
        await using NumberedReports reports = new(system.Broker, DeviceIds, perSecond: 500);
        await WaitForRoundAsync(watch, reports, reports.Round + 5);
        var held = await DeviceOnAsync(orleans, victim.SiloPort);
        await using var one = await WatchLog.StartAsync(token => client.WatchAsync(held, cancellationToken: token));
        Assert.IsType<DeviceSnapshotEvent>(one.Events[0]);
        await one.WaitForAsync<PinEvent>(static _ => true, "a change of the one device");

        var killedIn = reports.Round;
        var killed = Stopwatch.StartNew();
        await victim.KillAsync();
        var (gap, gapAt) = await watch.WaitForAsync<GapEvent>(static _ => true, "the gap", bound: LossBound);
        var noticed = killed.Elapsed;
        var noticedIn = reports.Round;
        await WaitForRoundAsync(watch, reports, noticedIn + 20);
        var last = await reports.StopAsync();
        await WaitForRoundAsync(watch, reports, last);

        output.WriteLine($"the gap was told {noticed.TotalSeconds:0.0} s after the kill of the silo that {(holds ? "had" : "had not")} the connection; killed in round {killedIn}, noticed in {noticedIn}, ended with {last}");
        var events = watch.Events;
        Assert.Equal(GapReason.SiloLost, gap.Reason);
        Assert.Null(gap.Missed);
        AssertNoChangeTwice(events);
        AssertWholeBefore(events.Take(gapAt), "before the gap");

        // From a while after the gap on, every number is told again.
        foreach (var device in events.OfType<PinEvent>().GroupBy(static value => value.DeviceId!))
        {
            var tail = device.Select(static value => NumberedReports.NumberOf(value.Update)).Where(number => number >= noticedIn + 10).ToList();
            Assert.Equal(Enumerable.Range(noticedIn + 10, last - noticedIn - 9), tail);
        }

        output.WriteLine($"{events.OfType<PinEvent>().Count(static value => value.Redelivered)} of {events.Count} events are marked as sent again; missing {DeviceIds.Length * (last + 1) - events.OfType<PinEvent>().Select(static value => (value.DeviceId, NumberedReports.NumberOf(value.Update))).Distinct().Count()}");
        await AssertOneDeviceAsync(one, held, last);
    }

    [Fact]
    public async Task Watch_SiloStopped_GoesOnWithoutAGap()
    {
        await using var system = await FleetSystem.StartAsync(silos: 2);
        var client = await system.ConnectAsync();
        await using var watch = await WatchLog.StartAsync(token => client.WatchAsync(Wide, token));
        await using NumberedReports reports = new(system.Broker, DeviceIds, perSecond: 500);
        await WaitForRoundAsync(watch, reports, 10);

        var stopping = Stopwatch.StartNew();
        system.Silos[1].Terminate();
        Assert.Equal(0, await system.Silos[1].WaitForExitAsync());
        var stopped = stopping.Elapsed;
        await WaitForRoundAsync(watch, reports, reports.Round + 10);
        var last = await reports.StopAsync();
        await WaitForRoundAsync(watch, reports, last);

        var events = watch.Events;
        output.WriteLine(
            $"stopped after {stopped.TotalSeconds:0.0} s; {events.Count} events, {events.OfType<PinEvent>().Count(static value => value.Redelivered)} marked as sent again");
        Assert.DoesNotContain(events, static value => value is GapEvent);
        AssertNoChangeTwice(events);
        Assert.All(
            events.OfType<PinEvent>().GroupBy(static value => value.DeviceId!),
            device => Assert.Equal(Enumerable.Range(0, last + 1), device.Select(static value => NumberedReports.NumberOf(value.Update))));
    }

    private static async Task AssertOneDeviceAsync(WatchLog one, string deviceId, int last)
    {
        await one.WaitForAsync<DeviceEvent>(
            value => LastKnown(value) >= last, $"the last number of {deviceId}");
        var events = one.Events;
        var gaps = events.Select(static (value, i) => (value, i)).Where(static entry => entry.value is GapEvent).ToList();
        Assert.Contains(gaps, static entry => entry.value is GapEvent { Reason: GapReason.SiloLost });
        Assert.All(gaps, entry => Assert.IsType<DeviceSnapshotEvent>(events[entry.i + 1]));
        AssertNoChangeTwice(events);

        // What a snapshot said is not told again as news.
        var known = -1;
        foreach (var value in events)
        {
            if (value is PinEvent { Redelivered: false } pin)
            {
                Assert.True(NumberedReports.NumberOf(pin.Update) > known, $"{pin} after {known}");
            }

            known = Math.Max(known, LastKnown(value));
        }

        static int LastKnown(DeviceEvent value) => value switch
        {
            PinEvent pin => NumberedReports.NumberOf(pin.Update),
            DeviceSnapshotEvent { Snapshot.Pins: [var pin] } => NumberedReports.NumberOf(pin),
            _ => -1,
        };
    }

    /// <summary>What is not marked as sent again never repeats and never goes back, whatever was told before.</summary>
    private static void AssertNoChangeTwice(IEnumerable<DeviceEvent> events)
    {
        Dictionary<string, int> told = [];
        foreach (var value in events.OfType<PinEvent>())
        {
            var number = NumberedReports.NumberOf(value.Update);
            var before = told.GetValueOrDefault(value.DeviceId!, -1);
            Assert.True(value.Changed);
            Assert.True(value.Redelivered || number > before, $"{value} after {before}");
            told[value.DeviceId!] = Math.Max(before, number);
        }
    }

    private static void AssertWholeBefore(IEnumerable<DeviceEvent> events, string when)
    {
        foreach (var device in events.OfType<PinEvent>().GroupBy(static value => value.DeviceId!))
        {
            var numbers = device.Select(static value => NumberedReports.NumberOf(value.Update)).ToList();
            Assert.True(numbers.SequenceEqual(Enumerable.Range(0, numbers.Count)), $"{when}: {device.Key}: {string.Join(',', numbers)}");
        }
    }

    private static async Task WaitForRoundAsync(WatchLog watch, NumberedReports reports, int round)
    {
        HashSet<string> reached = [];
        await watch.WaitForAsync<PinEvent>(
            value => NumberedReports.NumberOf(value.Update) >= round && reached.Add(value.DeviceId!) && reached.Count == reports.DeviceIds.Count,
            $"number {round} of every device",
            bound: LossBound);
    }

    private static async Task<string> DeviceOnAsync(IClusterClient orleans, int siloPort)
    {
        var management = orleans.GetGrain<IManagementGrain>(0);
        foreach (var deviceId in DeviceIds)
        {
            if ((await management.GetActivationAddress(orleans.GetGrain<IDeviceGrain>(deviceId)))?.Endpoint.Port == siloPort)
            {
                return deviceId;
            }
        }

        throw new InvalidOperationException("The silo holds no device.");
    }
}
