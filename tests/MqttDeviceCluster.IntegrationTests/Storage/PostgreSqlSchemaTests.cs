using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Storage;
using MqttDeviceCluster.Storage.PostgreSql;
using MqttDeviceCluster.Tests.Storage;
using Npgsql;
using static MqttDeviceCluster.Tests.Storage.OpenStore;

namespace MqttDeviceCluster.IntegrationTests.Storage;

/// <summary>The tables: created by whoever may, once; and what is said when they cannot be.</summary>
public sealed class PostgreSqlSchemaTests(SharedServers servers)
{
    public sealed class Text
    {
        public string Value { get; set; } = "";
    }

    [Fact]
    public async Task OpenAsync_ManyAtOnceOnAnEmptyDatabase_AllOpenOneSchema()
    {
        var home = await PostgreSqlHome.NewAsync(servers);
        var stores = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => home.OpenAsync())));
        try
        {
            await Task.WhenAll(stores.Select((store, i) => store.Storage.WriteStateAsync("state", Device($"{i}"), new TestState<Text>(new Text()))));
            Assert.True((await stores[0].ReadAsync<Text>(Device("7"))).RecordExists);
        }
        finally
        {
            foreach (var store in stores)
            {
                await store.DisposeAsync();
            }
        }
    }

    [Fact]
    public async Task OpenAsync_RoleThatMayNotCreate_NamesTheScriptAndWorksOnceItWasRun()
    {
        var server = await servers.PostgreSqlAsync();
        var admin = await server.CreateDatabaseAsync();
        var database = new NpgsqlConnectionStringBuilder(admin).Database!;
        var role = $"silo_{database}";
        await PostgreSqlServer.ExecuteAsync(admin, $"CREATE ROLE {role} LOGIN PASSWORD 'secret'");
        PostgreSqlHome home = new(server.ConnectionString(database, role, "secret"));

        var exception = await Assert.ThrowsAsync<GrainStorageUnavailableException>(() => home.OpenAsync());
        Assert.Equal(
            $"Grain storage 'devices' cannot open PostgreSQL database '{database}' at 127.0.0.1:{server.Port}: its tables are missing and this role may not create them "
            + "(permission denied for schema public): run infra/sql/postgresql/grain-storage.sql there as a role that may.",
            exception.Message);

        // As its comment tells an operator to.
        await PostgreSqlServer.ExecuteAsync(admin, PostgreSqlScript.GrainStorage.Read());
        exception = await Assert.ThrowsAsync<GrainStorageUnavailableException>(() => home.OpenAsync());
        Assert.EndsWith("permission denied for table mdc_schema: this role lacks a grant.", exception.Message, StringComparison.Ordinal);
        await PostgreSqlServer.ExecuteAsync(admin, Grants(PostgreSqlScript.GrainStorage, role));

        await using var store = await home.OpenAsync();
        TestState<Text> state = new(new Text { Value = "1" });
        await store.Storage.WriteStateAsync("state", Device("a"), state);
        await store.Storage.WriteStateAsync("state", Device("a"), state);
        Assert.Equal("1", (await store.ReadAsync<Text>(Device("a"))).State.Value);
        await store.Storage.ClearStateAsync("state", Device("a"), state);
    }

    [Fact]
    public async Task Script_RunAgain_ChangesNothing()
    {
        var home = await PostgreSqlHome.NewAsync(servers);
        foreach (var script in (PostgreSqlScript[])[PostgreSqlScript.GrainStorage, PostgreSqlScript.Clustering])
        {
            home.Execute(script.Read());
            home.Execute(script.Read());
        }

        Assert.Equal(2L, home.Scalar("SELECT count(*) FROM mdc_schema"));
        Assert.Equal(10L, home.Scalar("SELECT count(*) FROM OrleansQuery"));
    }

    [Fact]
    public async Task OpenAsync_NewerSchema_IsRefused()
    {
        var home = await PostgreSqlHome.NewAsync(servers);
        home.Execute("CREATE TABLE mdc_schema (part text PRIMARY KEY, version integer); INSERT INTO mdc_schema VALUES ('grain-storage', 2)");

        var exception = await Assert.ThrowsAsync<GrainStorageUnavailableException>(() => home.OpenAsync());

        Assert.EndsWith(
            "its tables were made by a newer version (grain-storage is 2, this version knows 1); run that version, or give another database.",
            exception.Message,
            StringComparison.Ordinal);
        Assert.Equal(false, home.Scalar("SELECT to_regclass('mdc_grain_state') IS NOT NULL"));
    }

    [Fact]
    public async Task OpenAsync_WrongConnection_SaysWhyInOneSentenceWithoutSecrets()
    {
        var server = await servers.PostgreSqlAsync();
        var latin = await server.CreateDatabaseAsync("LATIN1");
        (string ConnectionString, string Reason)[] cases =
        [
            (server.ConnectionString("postgres", password: "top secret"), "the server lets this user not in (password authentication failed for user \"admin\")"),
            (server.ConnectionString("nowhere"), "there is no such database (database \"nowhere\" does not exist)"),
            (latin, "its encoding is LATIN1 and must be UTF8"),
            ($"Host=127.0.0.1;Port={FreePorts.Next()};Database=x;Username=u;Password=top secret", "nothing listens there"),
            ("Host=host.invalid;Database=x;Username=u;Password=top secret", "there is no such host"),
        ];
        foreach (var (connectionString, reason) in cases)
        {
            var exception = await Assert.ThrowsAsync<GrainStorageUnavailableException>(() => new PostgreSqlHome(connectionString).OpenAsync());

            Assert.EndsWith($": {reason}.", exception.Message, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', exception.Message);
            Assert.DoesNotContain("top secret", exception.Message, StringComparison.Ordinal);
        }
    }

    /// <summary>The grants that a script's own comment asks for.</summary>
    private static string Grants(PostgreSqlScript script, string role) => string.Join(
        '\n', script.Read().Split('\n').Where(line => line.StartsWith("--   GRANT", StringComparison.Ordinal)).Select(line => line[2..].Replace("the_role", role, StringComparison.Ordinal)));
}
