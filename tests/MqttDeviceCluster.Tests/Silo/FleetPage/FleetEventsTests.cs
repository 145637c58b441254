using System.Net;
using System.Text.Json;

namespace MqttDeviceCluster.Tests.Silo.FleetPage;

public sealed class FleetEventsTests
{
    [Fact]
    public async Task Events_NewBrowser_HearsOfAllDevicesBeforeItIsLive()
    {
        var fleet = new FakeFleet();
        for (var i = 0; i < 1234; i++)
        {
            fleet.Add(FakeFleet.Device($"{i:D4}", FakeFleet.Pin(13, PinState.Low), FakeFleet.Pin(14, null, null)));
        }

        await using var page = await FleetPageHost.StartAsync(fleet: fleet);
        await using var browser = await page.WatchAsync();

        var (first, hello) = (await browser.NextAsync())!.Value;
        Assert.Equal("hello", first);
        Assert.False(hello.GetProperty("login").GetBoolean());
        var rows = await browser.UntilStatusAsync("live");
        Assert.Equal(fleet.Devices.Keys.Order(StringComparer.Ordinal), rows.Select(Id).Order(StringComparer.Ordinal));
        Assert.Equal(
            """{"id":"0007","new":true,"presence":"online","reason":"birth","since":1772600767000,"firmware":"1.6.0","seen":1772600767000,"pins":[[13,3,0,1772600767000],[14,null,null,1772600767000]]}""",
            rows.Single(row => Id(row) == "0007").GetRawText());
    }

    [Fact]
    public async Task Events_TenThousandChanges_AreFewBatchesWithTheLastState()
    {
        var fleet = new FakeFleet();
        fleet.Add(FakeFleet.Device("a", FakeFleet.Pin(13, PinState.Low)));
        await using var page = await FleetPageHost.StartAsync(fleet: fleet);
        await using var browser = await page.WatchAsync();
        await browser.UntilStatusAsync("live");

        const int Last = 10_001;
        for (var i = 1; i <= Last; i++)
        {
            fleet.Tell(new PinEvent("a", FakeFleet.Pin(13, (PinState)(i % 2), second: i), true));
        }

        var batches = 0;
        JsonElement pin;
        do
        {
            var row = Assert.Single(await browser.RowsAsync());
            Assert.False(row.TryGetProperty("presence", out _), "what did not change is not told again");
            pin = Assert.Single(row.GetProperty("pins").EnumerateArray());
            batches++;
        }
        while (pin[3].GetInt64() != FakeFleet.Start.AddSeconds(Last).ToUnixTimeMilliseconds());

        Assert.Equal(1, pin[2].GetInt32());

        // They were told in far less than a second; a slow machine may need a little more.
        Assert.InRange(batches, 1, 20);
    }

    [Fact]
    public async Task Events_ChangeDuringTheListing_IsNotOverwrittenByAnOlderRow()
    {
        var fleet = new FakeFleet();
        fleet.Add(FakeFleet.Device("a", FakeFleet.Pin(13, PinState.Low), FakeFleet.Pin(14, PinState.Low)));
        var told = new TaskCompletionSource();
        var listing = new TaskCompletionSource();
        fleet.BeforeListing = _ =>
        {
            // The rows are read, the watch has begun, and none was handed out.
            listing.SetResult();
            return told.Task;
        };
        await using var page = await FleetPageHost.StartAsync(fleet: fleet);
        await using var browser = await page.WatchAsync();
        await listing.Task.WaitAsync(FleetPageHost.Bound, TestContext.Current.CancellationToken);
        fleet.Tell(new PinEvent("a", FakeFleet.Pin(13, PinState.High, second: 1), true));
        var early = Assert.Single(await browser.RowsAsync());
        Assert.Equal(1, early.GetProperty("pins")[0][2].GetInt32());

        told.SetResult();

        var late = Assert.Single(await browser.UntilStatusAsync("live"));
        var pin = Assert.Single(late.GetProperty("pins").EnumerateArray());
        Assert.Equal(14, pin[0].GetInt32());
        Assert.Equal("online", late.GetProperty("presence").GetString());
    }

    [Fact]
    public async Task Events_Gap_ListsAgainAndTellsWhatWasMissed()
    {
        var fleet = new FakeFleet();
        fleet.Add(FakeFleet.Device("changed", FakeFleet.Pin(13, PinState.Low)));
        fleet.Add(FakeFleet.Device("forgotten"));
        fleet.Add(FakeFleet.Device("same"));
        await using var page = await FleetPageHost.StartAsync(fleet: fleet);
        await using var browser = await page.WatchAsync();
        await browser.UntilStatusAsync("live");

        fleet.Devices.TryRemove("forgotten", out _);
        fleet.Add(FakeFleet.Device("changed", FakeFleet.Pin(13, PinState.High, second: 1)));
        fleet.Tell(new GapEvent(null, FakeFleet.Start, GapReason.SiloLost));
        await browser.UntilStatusAsync("listing");

        Dictionary<string, JsonElement> rows = [];
        while (!rows.ContainsKey("forgotten"))
        {
            (await browser.RowsAsync()).ForEach(row => rows.Add(Id(row), row));
        }

        Assert.Equal(["changed", "forgotten"], rows.Keys.Order(StringComparer.Ordinal));
        Assert.True(rows["forgotten"].GetProperty("gone").GetBoolean());
        Assert.Equal(1, rows["changed"].GetProperty("pins")[0][2].GetInt32());
    }

    [Fact]
    public async Task Events_WatchOrListingFails_SaysStaleAndHeals()
    {
        var fleet = new FakeFleet();
        fleet.BeforeListing = listing => listing == 1 ? throw new FleetUnavailableException("The store is away.") : Task.CompletedTask;
        await using var page = await FleetPageHost.StartAsync(fleet: fleet);
        await using var browser = await page.WatchAsync();

        JsonElement status;
        do
        {
            status = (await browser.NextAsync())!.Value.Data;
        }
        while (!status.TryGetProperty("problem", out var problem) || problem.ValueKind == JsonValueKind.Null);

        Assert.Equal("The store is away.", status.GetProperty("problem").GetString());
        await browser.UntilStatusAsync("live");

        fleet.EndWatches(new InvalidOperationException("lost"));
        await browser.UntilStatusAsync("stale");
        await browser.UntilStatusAsync("live");
    }

    [Fact]
    public async Task Events_SeveralBrowsers_ShareOneWatchAndOneListing()
    {
        var fleet = new FakeFleet();
        fleet.Add(FakeFleet.Device("a", FakeFleet.Pin(13, PinState.Low)));
        await using var page = await FleetPageHost.StartAsync(fleet: fleet);
        await using var first = await page.WatchAsync();
        await first.UntilStatusAsync("live");
        await using var second = await page.WatchAsync();
        Assert.Single(await second.UntilStatusAsync("live"));

        fleet.Tell(new PinEvent("a", FakeFleet.Pin(13, PinState.High, second: 1), true));

        Assert.Single(await first.RowsAsync());
        Assert.Single(await second.RowsAsync());
        Assert.Equal((1, 1), (fleet.Watches, fleet.Listings));
    }

    [Fact]
    public async Task Events_TooManyBrowsers_AreToldSo()
    {
        await using var page = await FleetPageHost.StartAsync();
        List<HttpResponseMessage> open = [];
        try
        {
            for (var i = 0; i < 100; i++)
            {
                open.Add(await page.GetAsync("/fleet/events"));
                Assert.Equal(HttpStatusCode.OK, open[^1].StatusCode);
            }

            using var refused = await page.GetAsync("/fleet/events");
            Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
            Assert.NotNull(refused.Headers.RetryAfter);
        }
        finally
        {
            open.ForEach(response => response.Dispose());
        }
    }

    [Fact]
    public async Task Stop_BrowserOpen_EndsItsEventsAndTheWatch()
    {
        await using var page = await FleetPageHost.StartAsync();
        await using var browser = await page.WatchAsync();
        await browser.UntilStatusAsync("live");

        await page.StopAsync().WaitAsync(FleetPageHost.Bound, TestContext.Current.CancellationToken);

        while (await browser.NextAsync() is not null)
        {
        }

        Assert.Equal(0, page.Fleet.Watches);
    }

    private static string Id(JsonElement row) => row.GetProperty("id").GetString()!;
}
