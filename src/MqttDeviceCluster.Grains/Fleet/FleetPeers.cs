using Orleans.Runtime.Services;

namespace MqttDeviceCluster;

/// <summary>The fleet services of the silos, this one's included.</summary>
internal interface IFleetPeers
{
    /// <summary>Returns the service of one silo.</summary>
    IFleetService Of(SiloAddress silo);
}

/// <inheritdoc cref="IFleetPeers"/>
internal sealed class FleetPeers(IServiceProvider services) : GrainServiceClient<IFleetService>(services), IFleetPeers
{
    public IFleetService Of(SiloAddress silo) => GetGrainService(silo);
}
