// TEMPORARY: stands for parts that other branches bring, under their names. Delete this folder at the merge.
#pragma warning disable
using System.Net.Sockets;
using MqttDeviceCluster.Storage;
using MqttDeviceCluster.Streaming.Mqtt;

namespace MqttDeviceCluster.Storage
{
    internal interface IGrainStorageStatus
    {
        bool IsFailing { get; }

        string? Problem { get; }
    }

    internal sealed class StandInStorageOptions
    {
        public string? DataSource { get; set; }
    }
}

namespace MqttDeviceCluster.Simulator
{
    internal sealed class SimulatedFleetOptions
    {
        public required Uri Broker { get; init; }

        public int Count { get; init; }
    }

    internal sealed class SimulatedFleet : IAsyncDisposable
    {
        public SimulatedFleet(SimulatedFleetOptions options, ILoggerFactory loggerFactory)
        {
            _ = options;
            _ = loggerFactory;
        }

        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}

namespace MqttDeviceCluster.Silo.StandIns
{
    internal static class StandInExtensions
    {
        public static ISiloBuilder AddSqliteGrainStorage(this ISiloBuilder silo, string name, Action<StandInStorageOptions> configure)
        {
            configure(new StandInStorageOptions());
            return silo.AddMemoryGrainStorage(name);
        }

        public static ISiloBuilder AddDeviceGrains(this ISiloBuilder silo) => silo;

        public static IServiceCollection AddDeviceCluster(this IServiceCollection services) => services;
    }

    /// <summary>Online while the broker's port takes connections.</summary>
    internal sealed class StandInStreamStatus(Uri broker) : IMqttStreamStatus
    {
        public MqttConnectionState Receiving => Publishing;

        public MqttConnectionState Publishing => Problem is null ? MqttConnectionState.Online : MqttConnectionState.Connecting;

        public string? Problem
        {
            get
            {
                try
                {
                    using var client = new TcpClient(broker.Host, broker.Port);
                    return null;
                }
                catch (SocketException e)
                {
                    return $"the broker at {broker.Host}:{broker.Port} is away: {e.Message}";
                }
            }
        }

        public int Unacknowledged => 0;
    }
}
