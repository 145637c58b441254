using Microsoft.Extensions.DependencyInjection;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Simulator;
using Npgsql;

namespace MqttDeviceCluster.IntegrationTests.Silo;

/// <summary>Two silo processes that find each other in a database, by configuration alone.</summary>
public sealed class ClusterPairTests(SharedServers servers)
{
    private const int Devices = 8;

    [Theory]
    [InlineData("PostgreSql", "PostgreSql")]
    [InlineData("Redis", "Redis")]
    [InlineData("Redis", "PostgreSql")]
    [InlineData("PostgreSql", "Redis")]
    [InlineData("AdoNet", "PostgreSql")]
    public async Task Pair_AnyCombination_IsOneClusterWhoseStatesSurviveIt(string clustering, string storage)
    {
        await using var broker = await MosquittoBroker.StartAsync();
        var cluster = $"pair-{Guid.NewGuid():N}";
        var postgreSql = (clustering, storage) is ("Redis", "Redis") ? "" : await (await servers.PostgreSqlAsync()).CreateDatabaseAsync();
        var redis = clustering == "Redis" || storage == "Redis" ? (await servers.RedisAsync()).ConnectionString : "";
        SiloProcessOptions options = new()
        {
            Broker = broker.ConnectionString,
            Arguments =
            [
                $"--Orleans:ClusterId={cluster}",
                $"--Orleans:ServiceId={cluster}",
                "--Orleans:Endpoints:AdvertisedIPAddress=127.0.0.1",
                $"--Orleans:Clustering:ProviderType={clustering}",
                $"--Orleans:GrainStorage:Default:ProviderType={storage}",
                .. clustering == "AdoNet" ? ["--Orleans:Clustering:Invariant=Npgsql"] : Array.Empty<string>(),

                // One by name, one in place: both ways work for all.
                "--Orleans:Clustering:ConnectionName=members",
                $"--Orleans:GrainStorage:Default:ConnectionString={Of(storage)}",
            ],
            Environment = new Dictionary<string, string> { ["ConnectionStrings__members"] = Of(clustering) },
        };
        await using SimulatedFleet fleet = new(new() { Broker = new Uri(broker.ConnectionString), Ids = [.. Enumerable.Range(0, Devices).Select(i => $"d{i}")] });
        await fleet.StartAsync(TestContext.Current.CancellationToken);

        var pairs = await Task.WhenAll(SiloProcess.StartAsync(options), SiloProcess.StartAsync(options));
        await using (var first = pairs[0])
        await using (var second = pairs[1])
        {
            using var client = await ClusterCaller.ConnectAsync(cluster, first, second);
            var hosts = await client.Services.GetRequiredService<IGrainFactory>().GetGrain<IManagementGrain>(0).GetHosts(onlyActive: true, cancellationToken: TestContext.Current.CancellationToken);
            Assert.Equal(2, hosts.Count);
            var devices = client.Services.GetRequiredService<IDeviceCluster>();
            await Task.WhenAll(Enumerable.Range(0, Devices).Select(i => devices.ConfigPinsAsync(
                $"d{i}", [new(13, PinMode.Output, PinState.High)], new() { Timeout = TimeSpan.FromSeconds(30) }, TestContext.Current.CancellationToken)));
            Assert.Contains("\"store\":{\"status\":\"healthy\"}", await first.WaitForHealthAsync("/health/ready", _ => true), StringComparison.Ordinal);
            await client.StopAsync(TestContext.Current.CancellationToken);

            foreach (var silo in pairs)
            {
                silo.Terminate();
                Assert.Equal(0, await silo.WaitForExitAsync());
                Assert.Equal("", silo.Error);
                Assert.DoesNotContain("not a secret", silo.Output, StringComparison.Ordinal);
                Assert.DoesNotContain("not-a-secret", silo.Output, StringComparison.Ordinal);
            }
        }

        await using var again = await SiloProcess.StartAsync(options);
        using (var client = await ClusterCaller.ConnectAsync(cluster, again))
        {
            var devices = client.Services.GetRequiredService<IDeviceCluster>();
            for (var i = 0; i < Devices; i++)
            {
                Assert.Equal((PinMode.Output, PinState.High), await devices.GetPinAsync($"d{i}", 13, TestContext.Current.CancellationToken) is { } pin ? (pin.Mode, pin.State) : default);
            }

            await client.StopAsync(TestContext.Current.CancellationToken);
        }

        string Of(string provider) => provider == "Redis" ? redis : postgreSql;
    }

    [Fact]
    public async Task Start_SomethingIsWrong_StopsWithOneSentenceWithoutSecrets()
    {
        var server = await servers.PostgreSqlAsync();
        var database = await server.CreateDatabaseAsync();
        var name = new NpgsqlConnectionStringBuilder(database).Database!;
        var redis = (await servers.RedisAsync()).ConnectionString;
        await PostgreSqlServer.ExecuteAsync(database, $"CREATE ROLE poor_{name} LOGIN PASSWORD 'top secret'");
        var poor = server.ConnectionString(name, $"poor_{name}", "top secret");
        var nowhere = FreePorts.Next();
        (string Clustering, string Members, string Storage, string States, string Sentence)[] cases =
        [
            ("PostgreSql", $"Host=127.0.0.1;Port={nowhere};Database=x;Username=u;Password=top secret", "PostgreSql", database,
                $"error: Clustering cannot use PostgreSQL database 'x' at 127.0.0.1:{nowhere}: nothing listens there."),
            ("PostgreSql", server.ConnectionString(name, password: "top secret"), "PostgreSql", database,
                $"error: Clustering cannot use PostgreSQL database '{name}' at 127.0.0.1:{server.Port}: the server lets this user not in (password authentication failed for user \"admin\")."),
            ("PostgreSql", poor, "PostgreSql", database,
                $"error: Clustering cannot use PostgreSQL database '{name}' at 127.0.0.1:{server.Port}: its tables are missing and this role may not create them "
                + "(permission denied for schema public): run infra/sql/postgresql/clustering.sql there as a role that may."),
            ("PostgreSql", "Hots=127.0.0.1;Password=top secret", "PostgreSql", database, "error: Invalid PostgreSql clustering: ConnectionString is not valid: "),
            ("PostgreSql", database, "PostgreSql", $"Host=127.0.0.1;Port={nowhere};Database=x;Username=u;Password=top secret",
                $"error: Grain storage 'Default' cannot open PostgreSQL database 'x' at 127.0.0.1:{nowhere}: nothing listens there."),
            ("PostgreSql", database, "Postgresql", "", "error: "),
            ("PostgreSql", database, "Postgres", database, "error: Orleans:GrainStorage:Default:ProviderType is 'Postgres' and must be PostgreSql, Redis, Sqlite or Memory."),
            ("Redis", $"127.0.0.1:{nowhere},password=top secret", "Redis", redis, $"error: Clustering cannot use Redis at 127.0.0.1:{nowhere}: it cannot be reached."),
            ("Redis", redis.Replace("not-a-secret", "top secret", StringComparison.Ordinal), "Redis", redis, "error: Clustering cannot use Redis at "),
            ("Redis", redis, "Redis", $"127.0.0.1:{nowhere},password=top secret", $"error: Grain storage 'Default' cannot open Redis at 127.0.0.1:{nowhere}: it cannot be reached."),
        ];
        foreach (var (clustering, members, storage, states, sentence) in cases)
        {
            await using var silo = SiloProcess.Launch(new()
            {
                Broker = "mqtt://127.0.0.1",
                Arguments =
                [
                    "--Orleans:Endpoints:AdvertisedIPAddress=127.0.0.1",
                    .. sentence.Contains("nothing listens", StringComparison.Ordinal) || sentence.Contains("cannot be reached", StringComparison.Ordinal)
                        ? ["--Startup:DatabaseWait=00:00:00"] : Array.Empty<string>(),
                    $"--Orleans:Clustering:ProviderType={clustering}",
                    $"--Orleans:Clustering:ConnectionString={members}",
                    $"--Orleans:GrainStorage:Default:ProviderType={storage}",
                    $"--Orleans:GrainStorage:Default:ConnectionString={states}",
                ],
            });

            Assert.Equal(1, await silo.WaitForExitAsync());
            var line = Assert.Single(silo.Error.Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries));
            TestContext.Current.TestOutputHelper!.WriteLine(line);
            Assert.StartsWith(sentence, line, StringComparison.Ordinal);
            Assert.DoesNotContain("top secret", silo.Error + silo.Output, StringComparison.Ordinal);
            Assert.DoesNotContain("   at ", silo.Output, StringComparison.Ordinal);

            // It is said once, and there is nothing of a framework beside it.
            Assert.DoesNotContain(" CRIT ", silo.Output, StringComparison.Ordinal);
            Assert.DoesNotContain(" FAIL ", silo.Output, StringComparison.Ordinal);
        }
    }
}
