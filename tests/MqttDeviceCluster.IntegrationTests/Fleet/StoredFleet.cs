using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using MqttDeviceCluster.Storage;
using Orleans.Configuration;
using Orleans.Serialization;
using Orleans.Storage;

namespace MqttDeviceCluster.IntegrationTests.Fleet;

/// <summary>Puts devices into a store that no silo has open, or reads them, by the storage's own code and in the state that the grains write.</summary>
internal static class StoredFleet
{
    public static async Task WriteAsync(string path, IEnumerable<(string DeviceId, DeviceState State)> devices)
    {
        await using var services = Services(path);
        var storage = await OpenAsync(services);

        // As many as the storage takes at once, so that its commits are large ones.
        foreach (var chunk in devices.Chunk(4_000))
        {
            await Task.WhenAll(chunk.Select(device => storage.WriteStateAsync(
                DeviceGrain.StateName, GrainId.Create(DeviceGrain.TypeName, device.DeviceId), new GrainState<DeviceState>(device.State))));
        }
    }

    /// <summary>Reads devices out of a store that no silo has open. What is not there is an empty state.</summary>
    public static async Task<Dictionary<string, DeviceState>> ReadAsync(string path, IEnumerable<string> deviceIds)
    {
        await using var services = Services(path);
        var storage = await OpenAsync(services);
        Dictionary<string, DeviceState> states = [];
        foreach (var deviceId in deviceIds)
        {
            GrainState<DeviceState> state = new(new DeviceState());
            await storage.ReadStateAsync(DeviceGrain.StateName, GrainId.Create(DeviceGrain.TypeName, deviceId), state);
            states[deviceId] = state.State ?? new DeviceState();
        }

        return states;
    }

    private static ServiceProvider Services(string path)
    {
        SiloBuilder builder = new();
        builder.Services.AddLogging().AddSerializer().Configure<ClusterOptions>(static options => options.ServiceId = "default");
        builder.AddSqliteGrainStorage("devices", options => (options.DataSource, options.MaxBatchSize) = (path, 4_000));
        return builder.Services.BuildServiceProvider();
    }

    private static async Task<GroupCommitGrainStorage> OpenAsync(ServiceProvider services)
    {
        var storage = (GroupCommitGrainStorage)services.GetRequiredKeyedService<IGrainStorage>("devices");
        await storage.OpenAsync(CancellationToken.None);
        return storage;
    }

    private sealed class SiloBuilder : ISiloBuilder
    {
        public IServiceCollection Services { get; } = new ServiceCollection();

        public IConfiguration Configuration { get; } = new ConfigurationBuilder().Build();
    }
}
