using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using MqttDeviceCluster.IntegrationTests.Fleet;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Simulator;
using Orleans.Runtime.Placement;

namespace MqttDeviceCluster.IntegrationTests.Upgrade;

/// <summary>Two builds of the contracts in one cluster: this version's silo and callers beside those of the next one, forth and back.</summary>
public sealed class RollingUpgradeTests(SharedServers servers)
{
    // The id says what the next version's grain tries: see NextVersion.
    private static readonly string[] OnOld = ["old1", "old2"];
    private static readonly string[] OnNew = ["new1", "new2", "guess", "locked", "battery"];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Versions_SideBySideForthAndBack_UnderstandEachOther()
    {
        await using var next = await NextVersion.BuildAsync();
        await using var broker = await MosquittoBroker.StartAsync();
        var database = await (await servers.PostgreSqlAsync()).CreateDatabaseAsync();
        var cluster = $"upgrade-{Guid.NewGuid():N}";
        SiloProcessOptions options = new()
        {
            Broker = broker.ConnectionString,
            Arguments =
            [
                $"--Orleans:ClusterId={cluster}", $"--Orleans:ServiceId={cluster}", "--Orleans:Endpoints:AdvertisedIPAddress=127.0.0.1",
                "--Orleans:Clustering:ProviderType=PostgreSql", $"--Orleans:Clustering:ConnectionString={database}",
                "--Orleans:GrainStorage:Default:ProviderType=PostgreSql", $"--Orleans:GrainStorage:Default:ConnectionString={database}",
            ],
        };
        var silos = await Task.WhenAll(SiloProcess.StartAsync(options), SiloProcess.StartAsync(options with { Binaries = next.Silo }));
        await using var oldSilo = silos[0];
        await using var newSilo = silos[1];
        await using SimulatedFleet fleet = new(new() { Broker = new Uri(broker.ConnectionString), Ids = [.. OnOld, .. OnNew] });
        using (var byOld = await ClusterCaller.ConnectAsync(cluster, oldSilo))
        using (var byNew = await ClusterCaller.ConnectAsync(cluster, newSilo))
        {
            // Before anything is heard of the devices, so that it is known where they are.
            await PlaceAsync(byOld, OnOld, oldSilo);
            await PlaceAsync(byOld, OnNew, newSilo);
            await fleet.StartAsync(Token);

            await using var newByOld = await next.StartCallerAsync(cluster, oldSilo.GatewayPort);
            await using var newByNew = await next.StartCallerAsync(cluster, newSilo.GatewayPort);
            await CallFromOldAsync(byOld.Services.GetRequiredService<IDeviceCluster>());
            await CallFromOldAsync(byNew.Services.GetRequiredService<IDeviceCluster>());
            await CallFromNewAsync(newByOld, newByNew);
            await WatchFromOldAsync(byOld.Services.GetRequiredService<IDeviceCluster>());
        }

        // On to the new version alone, which reads what the old one has stored, and stores more.
        await StopAsync(oldSilo);
        await using (var caller = await next.StartCallerAsync(cluster, newSilo.GatewayPort))
        {
            Assert.Equal("Low -", await caller.AskAsync("snapshot old1"));
            Assert.Equal("Observed High urgent", await caller.AskAsync("set old1 High"));
            Assert.Equal("High 80", await caller.AskAsync("snapshot old1"));
        }

        // And back: the old version reads that, and forgets what it does not know when it writes.
        await using var oldAgain = await SiloProcess.StartAsync(options);
        await StopAsync(newSilo);
        Assert.Equal("80", await BatteryAsync("old1"));
        Assert.Contains(await BatteryAsync("new1"), (string[])["70", "80"]);
        using (var again = await ClusterCaller.ConnectAsync(cluster, oldAgain))
        {
            var caller = again.Services.GetRequiredService<IDeviceCluster>();
            Assert.Equal(PinState.High, (await caller.GetPinAsync("old1", 13, Token))!.State);
            Assert.Equal(Evidence.Observed, (await SetAsync(caller, "old1", PinState.Low)).Evidence);
            Assert.Equal(PinState.Low, (await caller.GetPinAsync("new1", 13, Token))!.State);
        }

        await StopAsync(oldAgain);
        Assert.Equal(DBNull.Value, await BatteryAsync("old1"));
        Assert.Contains(await BatteryAsync("new1"), (string[])["70", "80"]);

        Task<object?> BatteryAsync(string id) => PostgreSqlServer.ScalarAsync(database, $"SELECT state::jsonb ->> 'battery' FROM mdc_grain_state WHERE grain_key = '{id}'");
    }

    /// <summary>A caller of this version, by either silo: it is served as ever, and does not hear of what it does not know.</summary>
    private static async Task CallFromOldAsync(IDeviceCluster caller)
    {
        foreach (var id in (string[])["old1", "new1"])
        {
            var result = await SetAsync(caller, id, PinState.High);
            Assert.Equal((id, Evidence.Observed, PinState.High), (result.DeviceId, result.Evidence, Assert.Single(result.Updates).State));
            Assert.Equal(PinState.High, (await caller.GetPinAsync(id, 13, Token))!.State);
        }

        // A value without a name here is a number.
        Assert.Equal((Evidence)3, (await SetAsync(caller, "guess", PinState.High)).Evidence);

        // An exception without a name here cannot be read, and does not say so in a useful way: a version that throws a new one must only do so to callers that know it.
        var exception = await Assert.ThrowsAnyAsync<Exception>(() => SetAsync(caller, "locked", PinState.High));
        Assert.IsNotType<DeviceClusterException>(exception, exactMatch: false);
        Assert.IsNotType<OrleansException>(exception, exactMatch: false);

        // What was confirmed a moment ago may not be stored yet.
        HashSet<string> listed = [];
        using CancellationTokenSource bound = CancellationTokenSource.CreateLinkedTokenSource(Token);
        bound.CancelAfter(TimeSpan.FromSeconds(10));
        while (!listed.IsSupersetOf(["guess", "new1", "old1"]))
        {
            await foreach (var device in caller.ListDevicesAsync(cancellationToken: bound.Token))
            {
                listed.Add(device.DeviceId);
            }
        }

        Assert.Equal(3, listed.Count);
    }

    /// <summary>A caller of the next version: it hears of what is new from silos of its version, when no older one is on the way.</summary>
    private static async Task CallFromNewAsync(NextCaller byOld, NextCaller byNew)
    {
        foreach (var (call, answerByOld, answerByNew) in new[]
        {
            ("set old1 Low", "Observed Low -", "Observed Low -"),
            ("set new1 Low", "Observed Low -", "Observed Low urgent"),
            ("snapshot old1", "Low -", "Low -"),
            ("set guess Low", "Guessed Low -", "Guessed Low urgent"),
        })
        {
            Assert.Equal((call, answerByOld), (call, await byOld.AskAsync(call)));
            Assert.Equal((call, answerByNew), (call, await byNew.AskAsync(call)));
        }

        Assert.Equal("DeviceLockedException: Device 'locked' is locked by the owner.", await byNew.AskAsync("set locked Low"));
        Assert.DoesNotContain("Locked", await byOld.AskAsync("set locked Low"), StringComparison.Ordinal);

        // A method without a name there: the request cannot be read, and the caller is told so at once.
        Assert.Equal("pong", await byNew.AskAsync("ping new1"));
        Assert.StartsWith("TypeLoadException: ", await byNew.AskAsync("ping old1"), StringComparison.Ordinal);
        Assert.StartsWith("TypeLoadException: ", await byOld.AskAsync("ping new1"), StringComparison.Ordinal);

        Assert.Equal("guess:- new1:- old1:-", Sorted(await byOld.AskAsync("list")));
        Assert.Matches("^guess:[78]0 new1:[78]0 old1:-$", Sorted(await byNew.AskAsync("list")));

        static string Sorted(string list) => string.Join(' ', list.Split(' ').Order(StringComparer.Ordinal));
    }

    /// <summary>A watch of this version: an event of a kind that it does not know is a gap, and everything else comes.</summary>
    private static async Task WatchFromOldAsync(IDeviceCluster caller)
    {
        await using var watch = await WatchLog.StartAsync(token => caller.WatchAsync(new WatchOptions(), token));
        await SetAsync(caller, "battery", PinState.High);
        await SetAsync(caller, "new2", PinState.High);
        await SetAsync(caller, "old2", PinState.High);

        var (gap, _) = await watch.WaitForAsync<GapEvent>(static _ => true, "the gap in place of what it does not know");
        Assert.Equal(("battery", GapReason.UnknownEvent, 1L), (gap.DeviceId, gap.Reason, gap.Missed));
        foreach (var id in (string[])["battery", "new2", "old2"])
        {
            await watch.WaitForAsync<PinEvent>(value => value.DeviceId == id, $"the change of {id}");
        }

        Assert.Single(watch.Events, static value => value is GapEvent);
    }

    private static Task<CommandResult> SetAsync(IDeviceCluster caller, string id, PinState state) =>
        caller.SetPinsAsync(id, [new(13, state)], new() { Timeout = TimeSpan.FromSeconds(20) }, Token);

    private static async Task StopAsync(SiloProcess silo)
    {
        silo.Terminate();
        Assert.Equal(0, await silo.WaitForExitAsync());
        Assert.Equal("", silo.Error);
    }

    /// <summary>Has the grains of devices activated on a silo.</summary>
    private static async Task PlaceAsync(IHost client, string[] ids, SiloProcess silo)
    {
        var grains = client.Services.GetRequiredService<IGrainFactory>();
        var management = grains.GetGrain<IManagementGrain>(0);
        var address = (await management.GetHosts(onlyActive: true, cancellationToken: Token)).Keys.Single(host => host.Endpoint.Port == silo.SiloPort);
        foreach (var id in ids)
        {
            RequestContext.Set(IPlacementDirector.PlacementHintKey, address);
            await grains.GetGrain<IDeviceGrain>(id).GetSnapshotAsync(Token);
            RequestContext.Remove(IPlacementDirector.PlacementHintKey);
            Assert.Equal(address, await management.GetActivationAddress(grains.GetGrain<IDeviceGrain>(id)));
        }
    }
}
