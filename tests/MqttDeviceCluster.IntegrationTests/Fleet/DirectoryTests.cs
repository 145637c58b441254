using System.Diagnostics;
using System.Globalization;
using Microsoft.Data.Sqlite;
using MqttDeviceCluster.IntegrationTests.Infrastructure;

namespace MqttDeviceCluster.IntegrationTests.Fleet;

/// <summary>The list of all devices.</summary>
public sealed class DirectoryTests(ITestOutputHelper output)
{
    private const int Many = 100_000;

    /// <summary>On an idle machine of two cores all 100,000 take less than 5 s; this one may be busy.</summary>
    private static readonly TimeSpan ListBound = TimeSpan.FromSeconds(30);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task List_AHundredThousandRightAfterAStart_IsQuickAndWakesNobody()
    {
        await using var system = await FleetSystem.PrepareAsync();
        var filling = Stopwatch.StartNew();
        await StoredFleet.WriteAsync(Path.Combine(system.DataDirectory, "devices.db"), Enumerable.Range(0, Many).Select(Device));
        output.WriteLine($"{Many} devices stored in {filling.Elapsed.TotalSeconds:0.0} s");
        await system.StartFirstAsync();
        var orleans = await system.ConnectOrleansAsync();
        var cluster = await system.ConnectAsync();

        var (ids, first, all) = await ListAsync(cluster, null);
        output.WriteLine($"all: the first after {first.TotalMilliseconds:0} ms, {ids.Count} after {all.TotalMilliseconds:0} ms");
        Assert.Equal(Enumerable.Range(0, Many).Select(Id), ids);
        Assert.InRange(all, TimeSpan.Zero, ListBound);
        await AssertListAsync(cluster, new(IdPrefix: "00FF"), static i => i >> 8 == 0xFF);
        await AssertListAsync(cluster, new(IdPrefix: "00ff"), static _ => false);
        await AssertListAsync(cluster, new(Presence: Presence.Offline), static i => i % 1000 == 0);
        await AssertListAsync(cluster, new(Pin: new(14, State: PinState.High)), static i => i % 100 == 7);
        await AssertListAsync(cluster, new(Presence: Presence.Online, Pin: new(13, PinMode.Output, PinState.Low), IdPrefix: "01"), static i => i >> 16 == 1 && i % 1000 != 0 && i % 2 == 0);

        var woken = await ActivationsAsync(orleans);
        Assert.True(woken == 0, $"{woken} devices were woken up.");

        // What a silo has in memory takes the place of what is stored.
        await using TestPublisher publisher = new(system.Broker);
        await using var watch = await WatchLog.StartAsync(token => cluster.WatchAsync(cancellationToken: token));
        await publisher.PublishAsync($"device/{Id(5)}/pin/update", """[{"pin":14,"mode":3,"state":1}]""");
        await watch.WaitForAsync<PinEvent>(static _ => true, "the change");
        await AssertListAsync(cluster, new(Pin: new(14, State: PinState.High)), static i => i % 100 == 7 || i == 5);
        Assert.Equal(1, await ActivationsAsync(orleans));
    }

    [Fact]
    public async Task List_NewAndForgottenDevices_AreThereAndGone()
    {
        await using var system = await FleetSystem.StartAsync(silos: 2);
        var cluster = await system.ConnectAsync();
        await using TestPublisher publisher = new(system.Broker);
        await using var watch = await WatchLog.StartAsync(token => cluster.WatchAsync(cancellationToken: token));

        // Some of these are the same number, and the same text but for the case.
        string[] alike = ["a", "0a", "A", "00a", "0A", "00A"];
        for (var i = 0; i < alike.Length; i++)
        {
            var sent = Stopwatch.StartNew();
            await ReportAsync(alike[i], i);
            while (!(await IdsAsync(cluster)).Contains(alike[i]))
            {
                Assert.True(sent.Elapsed < TimeSpan.FromSeconds(10), $"{alike[i]} was not listed.");
            }

            output.WriteLine($"{alike[i]} is listed {sent.Elapsed.TotalMilliseconds:0} ms after its first message");
        }

        await AssertAlikeAsync(alike);

        // Two silos tell of them, each when it comes to it: the order is one device's, not the fleet's.
        HashSet<string> added = [];
        await watch.WaitForAsync<DeviceAddedEvent>(value => added.Add(value.DeviceId!) && added.Count == alike.Length, "every device as added");
        Assert.Equal(alike.Order(StringComparer.Ordinal), watch.Events.OfType<DeviceAddedEvent>().Select(static value => value.DeviceId!).Order(StringComparer.Ordinal));

        Assert.True(await cluster.ForgetAsync("0a", Cancelled));
        Assert.False(await cluster.ForgetAsync("0a", Cancelled));
        Assert.False(await cluster.ForgetAsync("000a", Cancelled));
        var (_, forgotten) = await watch.WaitForAsync<DeviceForgottenEvent>(static value => value.DeviceId == "0a", "the forgetting");
        await AssertAlikeAsync([.. alike.Where(static id => id != "0a")]);
        Assert.Equal(alike.Where(static id => id != "0a").Order(StringComparer.Ordinal), Stored(system));

        await ReportAsync("0a", 1);
        await watch.WaitForAsync<DeviceAddedEvent>(static value => value.DeviceId == "0a", "its return as a new device", forgotten);
        await watch.WaitForAsync<PinEvent>(static value => value.DeviceId == "0a", "its pin", forgotten);
        await AssertAlikeAsync(alike);
        Assert.Single(watch.Events, static value => value is DeviceForgottenEvent);

        // Also after all silos were gone.
        await system.Silos[1].KillAsync();
        await system.Silos[0].KillAsync();
        await system.StartFirstAsync();
        cluster = await system.ConnectAsync();
        await AssertAlikeAsync(alike);

        Task ReportAsync(string deviceId, int number) =>
            publisher.PublishAsync($"device/{deviceId}/pin/update", string.Create(CultureInfo.InvariantCulture, $$"""[{"pin":{{number}},"mode":3,"state":1}]"""));

        async Task AssertAlikeAsync(string[] expected)
        {
            List<DeviceSnapshot> listed = [];
            await foreach (var device in cluster.ListDevicesAsync(cancellationToken: Cancelled))
            {
                listed.Add(device);
            }

            Assert.Equal(expected.Order(StringComparer.Ordinal), listed.Select(static device => device.DeviceId).Order(StringComparer.Ordinal));
            Assert.All(listed, device =>
            {
                Assert.Equal([Array.IndexOf(alike, device.DeviceId)], device.Pins.Select(static pin => pin.Pin));
                Assert.Equal(Presence.Online, device.Presence.State);
                Assert.InRange(device.AsOf, device.FirstSeen!.Value, DateTimeOffset.MaxValue);
            });
        }
    }

    private static string Id(int i) => i.ToString("X6", CultureInfo.InvariantCulture);

    private static (string DeviceId, DeviceState State) Device(int i)
    {
        DateTimeOffset seen = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
        return (Id(i), new()
        {
            Pins =
            [
                new() { Pin = 13, Mode = (int)PinMode.Output, State = i % 2, ReceivedAt = seen },
                new() { Pin = 14, Mode = (int)PinMode.Output, State = i % 100 == 7 ? 1 : 0, ReceivedAt = seen },
            ],
            FirstSeen = seen,
            LastSeen = seen,
            Presence = (int)(i % 1000 == 0 ? Presence.Offline : Presence.Online),
            PresenceReason = (int)(i % 1000 == 0 ? PresenceReason.LastWill : PresenceReason.Birth),
            PresenceSince = seen,
            OffersStatus = true,
        });
    }

    private static async Task<(List<string> Ids, TimeSpan First, TimeSpan All)> ListAsync(IDeviceCluster cluster, DeviceFilter? filter)
    {
        List<string> ids = [];
        TimeSpan? first = null;
        var started = Stopwatch.StartNew();
        await foreach (var device in cluster.ListDevicesAsync(filter, Cancelled))
        {
            first ??= started.Elapsed;
            ids.Add(device.DeviceId);
        }

        return (ids, first ?? started.Elapsed, started.Elapsed);
    }

    private static async Task<List<string>> IdsAsync(IDeviceCluster cluster) => (await ListAsync(cluster, null)).Ids;

    private async Task AssertListAsync(IDeviceCluster cluster, DeviceFilter filter, Func<int, bool> expected)
    {
        var (ids, first, all) = await ListAsync(cluster, filter);
        output.WriteLine($"{filter}: the first after {first.TotalMilliseconds:0} ms, {ids.Count} after {all.TotalMilliseconds:0} ms");
        Assert.Equal(Enumerable.Range(0, Many).Where(expected).Select(Id), ids);
        Assert.InRange(all, TimeSpan.Zero, ListBound);
    }

    private static async Task<int> ActivationsAsync(IClusterClient orleans) => (await orleans.GetGrain<IManagementGrain>(0).GetSimpleGrainStatistics())
        .Where(static statistic => statistic.GrainType.Contains("DeviceGrain", StringComparison.Ordinal))
        .Sum(static statistic => statistic.ActivationCount);

    private static List<string> Stored(FleetSystem system)
    {
        using SqliteConnection connection = new($"Data Source={Path.Combine(system.DataDirectory, "devices.db")};Pooling=false");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT grain_key FROM grain_state WHERE grain_type = 'device' ORDER BY grain_key";
        using var reader = command.ExecuteReader();
        List<string> keys = [];
        while (reader.Read())
        {
            keys.Add(reader.GetString(0));
        }

        return keys;
    }
}
