using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Storage.PostgreSql;
using Orleans.Configuration;
using Orleans.Runtime.Membership;
using Orleans.Runtime.MembershipService;

namespace MqttDeviceCluster.IntegrationTests.Storage;

/// <summary>Our tables and statements under Orleans' AdoNet clustering.</summary>
public sealed class PostgreSqlMembershipTests(SharedServers servers)
{
    private static readonly DateTime Start = new(2026, 1, 2, 3, 4, 5, 678, DateTimeKind.Utc);

    [Fact]
    public async Task Membership_ItsWholeLife_IsKept()
    {
        var (table, connectionString) = await NewTableAsync();
        var empty = await table.ReadAllAsync(TestContext.Current.CancellationToken);
        Assert.Empty(empty.Members);
        Assert.Equal(0, empty.Version.Version);

        var first = Entry(1);
        Assert.True(await table.InsertRowAsync(first, empty.Version.Next(), TestContext.Current.CancellationToken));
        Assert.False(await table.InsertRowAsync(Entry(2), empty.Version.Next(), TestContext.Current.CancellationToken), "a stale version must not pass");
        var one = await table.ReadAllAsync(TestContext.Current.CancellationToken);
        Assert.Equal(1, one.Version.Version);
        Assert.False(await table.InsertRowAsync(first, one.Version.Next(), TestContext.Current.CancellationToken), "a silo must not be there twice");
        Assert.Equal(1, (await table.ReadAllAsync(TestContext.Current.CancellationToken)).Version.Version);
        Assert.True(await table.InsertRowAsync(Entry(2), one.Version.Next(), TestContext.Current.CancellationToken));

        var two = await table.ReadRowAsync(first.SiloAddress, TestContext.Current.CancellationToken);
        var (entry, etag) = Assert.Single(two.Members);
        Assert.Equal(2, two.Version.Version);
        Assert.Equal(
            (first.SiloAddress, "silo-1", "host", SiloStatus.Joining, 30001, Start, Start),
            (entry.SiloAddress, entry.SiloName, entry.HostName, entry.Status, entry.ProxyPort, entry.StartTime, entry.IAmAliveTime));
        Assert.Null(entry.SuspectTimes);

        entry.Status = SiloStatus.Active;
        entry.SuspectTimes = [Tuple.Create(Entry(2).SiloAddress, Start)];
        Assert.True(await table.UpdateRowAsync(entry, etag, two.Version.Next(), TestContext.Current.CancellationToken));
        Assert.False(await table.UpdateRowAsync(entry, etag, two.Version.Next(), TestContext.Current.CancellationToken), "a stale version must not pass");
        var three = await table.ReadAllAsync(TestContext.Current.CancellationToken);
        Assert.Equal((3, 2), (three.Version.Version, three.Members.Count));
        var updated = three.Members.Single(member => member.Item1.SiloAddress.Equals(first.SiloAddress)).Item1;
        Assert.Equal((SiloStatus.Active, Entry(2).SiloAddress, Start), (updated.Status, updated.SuspectTimes!.Single().Item1, updated.SuspectTimes!.Single().Item2));

        // A heartbeat moves no version, and an update by a silo that has not seen it does not take it back.
        updated.IAmAliveTime = Start.AddMinutes(1);
        await table.UpdateIAmAliveAsync(updated, TestContext.Current.CancellationToken);
        updated.IAmAliveTime = Start;
        Assert.True(await table.UpdateRowAsync(updated, $"{three.Version.Version}", three.Version.Next(), TestContext.Current.CancellationToken));
        Assert.Equal(
            Start.AddMinutes(1), (await table.ReadRowAsync(first.SiloAddress, TestContext.Current.CancellationToken)).Members.Single().Item1.IAmAliveTime);

        Assert.False(
            await table.UpdateRowAsync(Entry(9), "4", new TableVersion(5, "4"), TestContext.Current.CancellationToken), "a silo that is not there cannot be updated");
        Assert.Equal(4, (await table.ReadAllAsync(TestContext.Current.CancellationToken)).Version.Version);
        Assert.Equal([new Uri($"gwy.tcp://127.0.0.1:30001/{first.SiloAddress.Generation}")], await GatewaysAsync(connectionString));

        // Only who is dead and was for long is forgotten.
        var dead = (await table.ReadAllAsync(TestContext.Current.CancellationToken)).Members.Single(member => member.Item1.SiloAddress.Equals(Entry(2).SiloAddress)).Item1;
        dead.Status = SiloStatus.Dead;
        Assert.True(await table.UpdateRowAsync(dead, "4", new TableVersion(5, "4"), TestContext.Current.CancellationToken));
        await table.CleanupDefunctSiloEntriesAsync(Start, TestContext.Current.CancellationToken);
        Assert.Equal(2, (await table.ReadAllAsync(TestContext.Current.CancellationToken)).Members.Count);
        await table.CleanupDefunctSiloEntriesAsync(Start.AddHours(1), TestContext.Current.CancellationToken);
        Assert.Equal([first.SiloAddress], (await table.ReadAllAsync(TestContext.Current.CancellationToken)).Members.Select(member => member.Item1.SiloAddress));

        await table.DeleteMembershipTableEntriesAsync("cluster", TestContext.Current.CancellationToken);
        await table.InitializeMembershipTableAsync(tryInitTableVersion: true, TestContext.Current.CancellationToken);
        Assert.Empty((await table.ReadAllAsync(TestContext.Current.CancellationToken)).Members);
    }

    [Fact]
    public async Task InsertRow_ManyAtOnceAtOneVersion_ExactlyOneWins()
    {
        var (table, _) = await NewTableAsync();
        for (var round = 0; round < 5; round++)
        {
            var version = (await table.ReadAllAsync(TestContext.Current.CancellationToken)).Version;
            var results = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(
                () => table.InsertRowAsync(Entry((100 * round) + i), version.Next(), TestContext.Current.CancellationToken), TestContext.Current.CancellationToken)));

            Assert.Single(results, won => won);
            var all = await table.ReadAllAsync(TestContext.Current.CancellationToken);
            Assert.Equal((round + 1, round + 1), (all.Version.Version, all.Members.Count));
        }
    }

    private static MembershipEntry Entry(int i) => new()
    {
        SiloAddress = SiloAddress.New(IPAddress.Loopback, 11111, i),
        SiloName = $"silo-{i}",
        HostName = "host",
        Status = SiloStatus.Joining,
        ProxyPort = 30000 + i,
        StartTime = Start,
        IAmAliveTime = Start,
    };

    private static async Task<IEnumerable<Uri>> GatewaysAsync(string connectionString)
    {
        AdoNetGatewayListProvider provider = new(
            NullLogger<AdoNetGatewayListProvider>.Instance,
            new ServiceCollection().BuildServiceProvider(),
            Options.Create(new AdoNetClusteringClientOptions { Invariant = "Npgsql", ConnectionString = connectionString }),
            Options.Create(new GatewayOptions()),
            Options.Create(new ClusterOptions { ClusterId = "cluster" }));
        await provider.InitializeGatewayListProvider();
        return await provider.GetGateways();
    }

    private async Task<(AdoNetClusteringTable Table, string ConnectionString)> NewTableAsync()
    {
        var connectionString = await (await servers.PostgreSqlAsync()).CreateDatabaseAsync();
        await PostgreSqlServer.ExecuteAsync(connectionString, PostgreSqlScript.Clustering.Read());
        AdoNetClusteringTable table = new(
            new ServiceCollection().BuildServiceProvider(),
            Options.Create(new ClusterOptions { ClusterId = "cluster" }),
            Options.Create(new AdoNetClusteringSiloOptions { Invariant = "Npgsql", ConnectionString = connectionString }),
            NullLogger<AdoNetClusteringTable>.Instance);
        await table.InitializeMembershipTableAsync(tryInitTableVersion: true, TestContext.Current.CancellationToken);
        return (table, connectionString);
    }
}
