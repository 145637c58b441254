using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Silo;
using MqttDeviceCluster.Silo.Hosting;
using MqttDeviceCluster.Storage;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streams;
using Orleans.Storage;

namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>The silo as it ships, hosted in this process, with <see cref="DeviceFaults"/> between it and its real store.</summary>
internal sealed class FaultySilo : IAsyncDisposable
{
    private readonly string _dataDirectory = Directory.CreateTempSubdirectory("mdc-faults-").FullName;
    private readonly WebApplication _app;

    private FaultySilo(string broker, DeviceFaults faults, string[] arguments)
    {
        var builder = SiloHost.CreateBuilder(SiloCommandLine.Parse(
        [
            $"--ConnectionStrings:mqtt={broker}",
            $"--Orleans:Endpoints:SiloPort={FreePorts.Next()}",
            $"--Orleans:Endpoints:GatewayPort={FreePorts.Next()}",
            $"--Urls=http://127.0.0.1:{FreePorts.Next()}",
            $"--DataDirectory={_dataDirectory}",
            "--Dashboard:Enabled=false",
            .. arguments,
        ]));
        SiloComposition.AddSilo(builder, SiloSettings.From(builder.Configuration, _dataDirectory));
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<IIncomingGrainCallFilter>(faults);

        // The last registration is the one that counts.
        builder.Services.AddKeyedSingleton<IGrainStorage>(
            SiloSettings.StorageName, (services, name) => new FaultyStorage(services.GetRequiredKeyedService<GroupCommitGrainStorage>(name), faults));
        _app = builder.Build();
    }

    public IDeviceCluster Cluster => _app.Services.GetRequiredService<IDeviceCluster>();

    public IMqttStreamStatus Status => _app.Services.GetRequiredKeyedService<IMqttStreamStatus>(DeviceStreams.ProviderName);

    /// <summary>Starts the silo and waits until it receives.</summary>
    public static async Task<FaultySilo> StartAsync(string broker, DeviceFaults faults, params string[] arguments)
    {
        var silo = new FaultySilo(broker, faults, arguments);
        try
        {
            await silo._app.StartAsync(TestContext.Current.CancellationToken);
            await Until.TrueAsync(() => silo.Status.Receiving == MqttConnectionState.Online, "the silo to receive");
            return silo;
        }
        catch (Exception)
        {
            await silo.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync(CancellationToken.None);
        await _app.DisposeAsync();
        Directory.Delete(_dataDirectory, recursive: true);
    }
}
