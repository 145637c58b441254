using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using MqttDeviceCluster.Storage;
using Orleans.Configuration;
using Orleans.Serialization;
using Orleans.Storage;

namespace MqttDeviceCluster.IntegrationTests.Fleet;

/// <summary>Puts devices into a store before any silo is there, by the storage's own code and in the state that the grains write.</summary>
internal static class StoredFleet
{
    public static async Task WriteAsync(string path, IEnumerable<(string DeviceId, DeviceState State)> devices)
    {
        SiloBuilder builder = new();
        builder.Services.AddLogging().AddSerializer().Configure<ClusterOptions>(static options => options.ServiceId = "default");
        builder.AddSqliteGrainStorage("devices", options => (options.DataSource, options.MaxBatchSize) = (path, 4_000));
        await using var services = builder.Services.BuildServiceProvider();
        var storage = (GroupCommitGrainStorage)services.GetRequiredKeyedService<IGrainStorage>("devices");
        await storage.OpenAsync(CancellationToken.None);

        // As many as the storage takes at once, so that its commits are large ones.
        foreach (var chunk in devices.Chunk(4_000))
        {
            await Task.WhenAll(chunk.Select(device => storage.WriteStateAsync(
                DeviceGrain.StateName, GrainId.Create(DeviceGrain.TypeName, device.DeviceId), new GrainState<DeviceState>(device.State))));
        }
    }

    private sealed class SiloBuilder : ISiloBuilder
    {
        public IServiceCollection Services { get; } = new ServiceCollection();

        public IConfiguration Configuration { get; } = new ConfigurationBuilder().Build();
    }
}
