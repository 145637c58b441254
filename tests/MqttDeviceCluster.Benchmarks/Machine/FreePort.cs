using System.Net;
using System.Net.Sockets;

namespace MqttDeviceCluster.Benchmarks.Machine;

internal static class FreePort
{
    /// <summary>Returns loopback ports that were free a moment ago, all different.</summary>
    public static int[] Find(int count)
    {
        var listeners = Enumerable.Range(0, count).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToList();
        listeners.ForEach(listener => listener.Start());
        int[] ports = [.. listeners.Select(listener => ((IPEndPoint)listener.LocalEndpoint).Port)];
        listeners.ForEach(listener => listener.Dispose());
        return ports;
    }
}
