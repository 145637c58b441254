using System.Net;
using Microsoft.Extensions.DependencyInjection;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Simulator;
using Npgsql;

namespace MqttDeviceCluster.IntegrationTests.Silo;

/// <summary>A silo that starts while something it needs is away: the broker, beside silos that have it and beside none; the databases.</summary>
public sealed class JoiningTests(SharedServers servers)
{
    private const string Waits = "The silo does not join the cluster, whose members work, before the broker has taken its connection";
    private readonly string _cluster = $"joining-{Guid.NewGuid():N}";

    [Fact]
    public async Task Join_WrongBrokerPort_TakesNothingUntilTheBrokerIsThere()
    {
        await using var broker = await MosquittoBroker.StartAsync();
        var options = await OptionsAsync();
        await using SimulatedFleet fleet = new(new() { Broker = new Uri(broker.ConnectionString), Ids = [.. Enumerable.Range(0, 20).Select(i => $"d{i}")] });
        await fleet.StartAsync(TestContext.Current.CancellationToken);
        await using var good = await SiloProcess.StartAsync(options with { Broker = broker.ConnectionString });
        using var client = await ClusterCaller.ConnectAsync($"{_cluster}-PostgreSql", good);
        var hosts = client.Services.GetRequiredService<IGrainFactory>().GetGrain<IManagementGrain>(0);
        var devices = client.Services.GetRequiredService<IDeviceCluster>();

        var wrongPort = FreePorts.Next();
        await using var wrong = SiloProcess.Launch(options with { Broker = $"mqtt://127.0.0.1:{wrongPort}" });
        var line = await wrong.WaitForOutputAsync(Waits);

        Assert.EndsWith($" to mqtt://127.0.0.1:{wrongPort}: Connection refused.", line, StringComparison.Ordinal);
        Assert.Equal([good.SiloPort], await ActiveAsync());
        Assert.Contains(SiloStatus.Joining, (await hosts.GetHosts(onlyActive: false, TestContext.Current.CancellationToken)).Values);
        await Assert.ThrowsAsync<HttpRequestException>(() => wrong.Http.GetAsync(new Uri("/health/startup", UriKind.Relative), TestContext.Current.CancellationToken));

        // Devices nobody has called before: each of them would be placed on either silo.
        for (var i = 0; i < 20; i++)
        {
            await devices.ConfigPinsAsync($"d{i}", [new(13, PinMode.Output, PinState.High)], new() { Timeout = TimeSpan.FromSeconds(30) }, TestContext.Current.CancellationToken);
        }

        await using TcpRelay relay = new(IPAddress.Loopback, broker.Port, listenPort: wrongPort);
        await wrong.WaitForReadyAsync();

        Assert.Equal(new[] { good.SiloPort, wrong.SiloPort }.Order(), (await ActiveAsync()).Order());
        Assert.Contains("The silo joins the cluster: the broker has taken the connection.", wrong.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(Waits, good.Output, StringComparison.Ordinal);

        async Task<IEnumerable<int>> ActiveAsync() =>
            (await hosts.GetHosts(onlyActive: true, TestContext.Current.CancellationToken)).Keys.Select(static silo => silo.Endpoint.Port);
    }

    [Fact]
    public async Task Join_BrokerIsAway_TheFirstSiloComesUpAndTheNextOneWaitsUntilItIsGone()
    {
        var options = await OptionsAsync() with { Broker = $"mqtt://127.0.0.1:{FreePorts.Next()}" };
        await using var first = await SiloProcess.StartAsync(options);
        await using var second = SiloProcess.Launch(options);
        await using var third = SiloProcess.Launch(options);
        await second.WaitForOutputAsync(Waits);
        await third.WaitForOutputAsync(Waits);
        using var client = await ClusterCaller.ConnectAsync($"{_cluster}-PostgreSql", first);
        var hosts = client.Services.GetRequiredService<IGrainFactory>().GetGrain<IManagementGrain>(0);
        Assert.Equal(2, (await StatusesAsync()).Count(static status => status == SiloStatus.Joining));

        // In order, also while it waits: nobody has to find out that it is gone.
        third.Terminate();
        Assert.Equal(0, await third.WaitForExitAsync());
        Assert.Equal("", third.Error);
        Assert.Equal([SiloStatus.Active, SiloStatus.Dead, SiloStatus.Joining], (await StatusesAsync()).OrderBy(static status => status.ToString(), StringComparer.Ordinal));

        await first.KillAsync();
        await second.WaitForOutputAsync("The silo joins the cluster: no other member is left.");
        await second.WaitForReadyAsync();
        Assert.DoesNotContain(Waits, first.Output, StringComparison.Ordinal);

        async Task<IEnumerable<SiloStatus>> StatusesAsync() => (await hosts.GetHosts(onlyActive: false, TestContext.Current.CancellationToken)).Values;
    }

    [Fact]
    public async Task Start_DatabasesComeLater_WaitsForThemAndSaysSo()
    {
        await using var broker = await MosquittoBroker.StartAsync();
        await using var postgreSql = await PostgreSqlServer.StartNewAsync();
        await using var redis = await RedisServer.StartNewAsync();
        var database = await postgreSql.CreateDatabaseAsync();
        await Task.WhenAll(postgreSql.StopAsync(), redis.StopAsync());
        var name = new NpgsqlConnectionStringBuilder(database).Database;
        await using var one = SiloProcess.Launch(Options("PostgreSql", database, "Redis", redis.ConnectionString) with { Broker = broker.ConnectionString });
        var later = FreePorts.Next();
        var states = new NpgsqlConnectionStringBuilder(database) { Port = later }.ConnectionString;
        await using var other = SiloProcess.Launch(Options("Redis", redis.ConnectionString, "PostgreSql", states) with { Broker = broker.ConnectionString });
        await one.WaitForOutputAsync($"Clustering cannot use PostgreSQL database '{name}' at 127.0.0.1:{postgreSql.Port}: nothing listens there. The start goes on trying for ");
        await other.WaitForOutputAsync($"Clustering cannot use Redis at 127.0.0.1:{redis.Port}: it cannot be reached. The start goes on trying for ");

        await postgreSql.StartAsync();
        await one.WaitForOutputAsync($"Grain storage 'Default' cannot open Redis at 127.0.0.1:{redis.Port}: it cannot be reached. The start goes on trying for ");
        await redis.StartAsync();
        await other.WaitForOutputAsync($"Grain storage 'Default' cannot open PostgreSQL database '{name}' at 127.0.0.1:{later}: nothing listens there. The start goes on trying for ");
        await using TcpRelay relay = new(IPAddress.Loopback, postgreSql.Port, listenPort: later);

        await one.WaitForReadyAsync();
        await other.WaitForReadyAsync();
        Assert.Equal("", one.Error + other.Error);
    }

    [Fact]
    public async Task Start_DatabaseStaysAway_EndsWithTheSentenceWhenTimeIsUp()
    {
        var nowhere = $"Host=127.0.0.1;Port={FreePorts.Next()};Database=x;Username=u;Password=top secret";
        var options = Options("PostgreSql", nowhere, "PostgreSql", nowhere) with { Broker = "mqtt://127.0.0.1" };
        await using var silo = SiloProcess.Launch(options with { Arguments = [.. options.Arguments, "--Startup:DatabaseWait=00:00:04"] });

        Assert.Equal(1, await silo.WaitForExitAsync());

        Assert.EndsWith("nothing listens there.", silo.Error.TrimEnd(), StringComparison.Ordinal);
        Assert.DoesNotContain(" CRIT ", silo.Output, StringComparison.Ordinal);
        Assert.Single(silo.Output.Split('\n'), static line => line.Contains("The start goes on trying for ", StringComparison.Ordinal));
    }

    private async Task<SiloProcessOptions> OptionsAsync()
    {
        var database = await (await servers.PostgreSqlAsync()).CreateDatabaseAsync();
        return Options("PostgreSql", database, "PostgreSql", database);
    }

    private SiloProcessOptions Options(string clustering, string members, string storage, string states) => new()
    {
        Arguments =
        [
            $"--Orleans:ClusterId={_cluster}-{clustering}",
            $"--Orleans:ServiceId={_cluster}-{clustering}",
            "--Orleans:Endpoints:AdvertisedIPAddress=127.0.0.1",
            $"--Orleans:Clustering:ProviderType={clustering}",
            $"--Orleans:Clustering:ConnectionString={members}",
            $"--Orleans:GrainStorage:Default:ProviderType={storage}",
            $"--Orleans:GrainStorage:Default:ConnectionString={states}",
        ],
    };
}
