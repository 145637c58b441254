using MqttDeviceCluster.Benchmarks.Devices;
using MqttDeviceCluster.Benchmarks.Machine;

namespace MqttDeviceCluster.Benchmarks.Compare;

/// <summary>A silo in this process with a broker and devices of its own.</summary>
internal sealed class Side : IAsyncDisposable
{
    private readonly Mosquitto _broker;
    private readonly DeviceProcess _devices;

    private Side(Mosquitto broker, DeviceProcess devices, Service service, CancellationToken cancellationToken)
    {
        _broker = broker;
        _devices = devices;
        Service = service;
        Turns = new(devices, broker, cancellationToken);
    }

    public Service Service { get; }

    public Turns Turns { get; }

    public static async Task<Side> StartAsync(int devices, CancellationToken cancellationToken)
    {
        var broker = await Mosquitto.StartAsync(cancellationToken);
        var process = await DeviceProcess.StartAsync(broker.Url, cancellationToken);
        return new(broker, process, await Service.StartAsync(broker.Url, ["Dashboard:Enabled=false"], devices, cancellationToken), cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await Service.DisposeAsync();
        await _devices.DisposeAsync();
        await _broker.DisposeAsync();
    }
}
