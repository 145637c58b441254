using System.Net;
using System.Net.Sockets;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using MqttDeviceCluster.Storage;

namespace MqttDeviceCluster.Tests.Storage;

[Alias("MqttDeviceCluster.Tests.Storage.INoteGrain")]
public interface INoteGrain : IGrainWithStringKey
{
    [Alias("WriteAsync")]
    Task WriteAsync(string text);

    [Alias("ReadAsync")]
    Task<(string Text, bool RecordExists, Guid Activation)> ReadAsync();

    [Alias("ClearAsync")]
    Task ClearAsync();

    [Alias("DeactivateAsync")]
    Task DeactivateAsync();

    [Alias("WriteAtTheEndAsync")]
    Task WriteAtTheEndAsync(string text);
}

[GrainType("note")]
public sealed class NoteGrain([PersistentState("storage-note", "notes")] IPersistentState<NoteState> state) : Grain, INoteGrain
{
    private readonly Guid _activation = Guid.NewGuid();
    private string? _lastWords;

    public Task WriteAsync(string text)
    {
        state.State = new NoteState { Text = text, Self = this.GetGrainId() };
        return state.WriteStateAsync();
    }

    public Task<(string Text, bool RecordExists, Guid Activation)> ReadAsync() =>
        Task.FromResult((state.State.Text, state.RecordExists, _activation));

    public Task WriteAtTheEndAsync(string text)
    {
        _lastWords = text;
        return Task.CompletedTask;
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken) =>
        _lastWords is null ? Task.CompletedTask : WriteAsync(_lastWords);

    public Task ClearAsync() => state.ClearStateAsync();

    public Task DeactivateAsync()
    {
        DeactivateOnIdle();
        return Task.CompletedTask;
    }
}

public sealed class NoteState
{
    public string Text { get; set; } = "new";

    public GrainId Self { get; set; }
}

/// <summary>Real silos with a real file, set up by configuration alone.</summary>
public sealed class SqliteSiloTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Grain_WrittenAndDeactivated_IsReadBackAlsoByTheNextSilo()
    {
        var path = TestStore.NewPath();
        using (var host = CreateSilo(path))
        {
            await host.StartAsync(Token);
            var grain = host.Services.GetRequiredService<IGrainFactory>().GetGrain<INoteGrain>("0a");
            var first = await grain.ReadAsync();
            Assert.Equal(("new", false), (first.Text, first.RecordExists));
            await grain.WriteAsync("hello");
            await grain.DeactivateAsync();
            var second = await grain.ReadAsync();
            Assert.Equal(("hello", true), (second.Text, second.RecordExists));
            Assert.NotEqual(first.Activation, second.Activation);
            Assert.False(host.Services.GetRequiredKeyedService<IGrainStorageStatus>("notes").IsFailing);
            await host.StopAsync(Token);
        }

        using (SqliteConnection connection = new($"Data Source={path};Pooling=false"))
        {
            connection.Open();
            Assert.Equal(
                """pins-service|note|0a|storage-note|{"Text":"hello","Self":"note/0a"}""",
                connection.Scalar("SELECT concat_ws('|', service_id, grain_type, grain_key, state_name, state) FROM grain_state"));
        }

        using (var host = CreateSilo(path))
        {
            await host.StartAsync(Token);
            var grain = host.Services.GetRequiredService<IGrainFactory>().GetGrain<INoteGrain>("0a");
            Assert.Equal("hello", (await grain.ReadAsync()).Text);
            await grain.ClearAsync();
            await grain.DeactivateAsync();
            var cleared = await grain.ReadAsync();
            Assert.Equal(("new", false), (cleared.Text, cleared.RecordExists));
            await grain.WriteAsync("again");
            await grain.DeactivateAsync();
            Assert.Equal("again", (await grain.ReadAsync()).Text);
            await host.StopAsync(Token);
        }
    }

    [Fact]
    public async Task Grain_RecordChangedByAnother_LosesItsActivationAndSeesTheChange()
    {
        var path = TestStore.NewPath();
        using var host = CreateSilo(path);
        await host.StartAsync(Token);
        var grain = host.Services.GetRequiredService<IGrainFactory>().GetGrain<INoteGrain>("a");
        await grain.WriteAsync("mine");
        using (SqliteConnection connection = new($"Data Source={path};Pooling=false"))
        {
            connection.Open();
            connection.Execute("""UPDATE grain_state SET etag = 'other', state = '{"Text":"theirs"}'""");
        }

        await Assert.ThrowsAsync<Orleans.Storage.InconsistentStateException>(() => grain.WriteAsync("mine again"));

        Assert.Equal("theirs", (await grain.ReadAsync()).Text);
        await grain.WriteAsync("mine again");
        await host.StopAsync(Token);
    }

    [Fact]
    public async Task Grain_StoreFails_TheCallerGetsOurExceptionAndALaterWriteWorks()
    {
        var path = TestStore.NewPath();
        using var host = CreateSilo(path);
        await host.StartAsync(Token);
        var grain = host.Services.GetRequiredService<IGrainFactory>().GetGrain<INoteGrain>("a");
        using (SqliteConnection holder = new($"Data Source={path};Pooling=false"))
        {
            holder.Open();
            holder.Execute("BEGIN IMMEDIATE");
            var exception = await Assert.ThrowsAsync<GrainStorageUnavailableException>(() => grain.WriteAsync("no"));
            Assert.Equal("notes", exception.ProviderName);
            Assert.Contains("another process holds the file locked", exception.Message, StringComparison.Ordinal);
            Assert.True(host.Services.GetRequiredKeyedService<IGrainStorageStatus>("notes").IsFailing);
        }

        await grain.WriteAsync("yes");
        Assert.False(host.Services.GetRequiredKeyedService<IGrainStorageStatus>("notes").IsFailing);
        await host.StopAsync(Token);
    }

    [Fact]
    public async Task Grain_ActivatedWhileReadsFail_FailsThenAndWorksOnceTheyHeal()
    {
        var path = TestStore.NewPath();
        using var host = CreateSilo(path);
        await host.StartAsync(Token);
        var grain = host.Services.GetRequiredService<IGrainFactory>().GetGrain<INoteGrain>("a");
        using SqliteConnection connection = new($"Data Source={path};Pooling=false");
        connection.Open();
        connection.Execute("ALTER TABLE grain_state RENAME TO hidden");

        var exception = await Assert.ThrowsAsync<GrainStorageUnavailableException>(grain.ReadAsync);

        Assert.Contains("no such table", exception.Message, StringComparison.Ordinal);
        connection.Execute("ALTER TABLE hidden RENAME TO grain_state");
        Assert.False((await grain.ReadAsync()).RecordExists);
        await host.StopAsync(Token);
    }

    [Fact]
    public async Task StopAsync_GrainsThatWriteWhenTheyAreDeactivated_AreStored()
    {
        const int grains = 100;
        var path = TestStore.NewPath();
        using (var host = CreateSilo(path))
        {
            await host.StartAsync(Token);
            var factory = host.Services.GetRequiredService<IGrainFactory>();
            await Task.WhenAll(Enumerable.Range(0, grains).Select(i => factory.GetGrain<INoteGrain>($"{i}").WriteAtTheEndAsync("goodbye")));
            await host.StopAsync(Token);
        }

        using SqliteConnection connection = new($"Data Source={path};Pooling=false");
        connection.Open();
        Assert.Equal((long)grains, connection.Scalar("SELECT count(*) FROM grain_state WHERE json_extract(state, '$.Text') = 'goodbye'"));
    }

    [Fact]
    public async Task StartAsync_FileCannotBeCreated_StopsTheStartWithOneClearSentence()
    {
        var file = Path.Combine(Directory.CreateTempSubdirectory("storage-").FullName, "file");
        File.WriteAllText(file, "");
        var path = Path.Combine(file, "cluster.db");
        using var host = CreateSilo(path);

        var exception = await Assert.ThrowsAsync<GrainStorageUnavailableException>(() => host.StartAsync(Token));

        Assert.StartsWith($"Grain storage 'notes' cannot open {path}: ", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task StartAsync_WrongOptions_StopsTheStartBeforeTheFileIsTouched()
    {
        var path = TestStore.NewPath();
        using var host = CreateSilo(path, ("MaxBatchSize", "0"));

        var exception = await Assert.ThrowsAsync<OrleansConfigurationException>(() => host.StartAsync(Token));

        Assert.Equal("Invalid SqliteGrainStorageOptions for grain storage 'notes': MaxBatchSize must be 1 to 10000 but is 0.", exception.Message);
        Assert.False(File.Exists(path));
    }

    private static IHost CreateSilo(string path, params (string Key, string Value)[] settings)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Orleans:ServiceId"] = "pins-service",
            ["Orleans:ClusterId"] = $"{Guid.NewGuid():N}",
            ["Orleans:GrainStorage:notes:ProviderType"] = "Sqlite",
            ["Orleans:GrainStorage:notes:DataSource"] = path,
            ["Orleans:GrainStorage:notes:BusyTimeout"] = "00:00:00.050",
        });
        builder.Configuration.AddInMemoryCollection(
            settings.Select(setting => new KeyValuePair<string, string?>($"Orleans:GrainStorage:notes:{setting.Key}", setting.Value)));
        var (siloPort, gatewayPort) = FreePorts();
        builder.UseOrleans(silo => silo.UseLocalhostClustering(siloPort, gatewayPort, serviceId: "pins-service"));
        return builder.Build();
    }

    private static (int SiloPort, int GatewayPort) FreePorts()
    {
        using TcpListener silo = new(IPAddress.Loopback, 0);
        using TcpListener gateway = new(IPAddress.Loopback, 0);
        silo.Start();
        gateway.Start();
        return (((IPEndPoint)silo.LocalEndpoint).Port, ((IPEndPoint)gateway.LocalEndpoint).Port);
    }
}
