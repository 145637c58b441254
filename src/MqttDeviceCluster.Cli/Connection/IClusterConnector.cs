using MqttDeviceCluster.Cli.Parsing;

namespace MqttDeviceCluster.Cli.Connection;

/// <summary>Where the cluster is.</summary>
internal sealed record ClusterSettings(IReadOnlyList<Gateway> Gateways, string ClusterId, string ServiceId, bool Verbose)
{
    /// <summary>Gets whether the connection must outlive its silo. Without it, a lost cluster is an answer.</summary>
    public bool Stays { get; init; }
}

/// <summary>A connection to a cluster; disposing it disconnects.</summary>
internal interface IClusterConnection : IAsyncDisposable
{
    IDeviceCluster Cluster { get; }
}

internal interface IClusterConnector
{
    /// <exception cref="NoClusterException">No gateway answered.</exception>
    Task<IClusterConnection> ConnectAsync(ClusterSettings settings, CancellationToken cancellationToken);
}

/// <summary>There is no cluster at the given gateways. The message names them.</summary>
internal sealed class NoClusterException(string message) : Exception(message);
