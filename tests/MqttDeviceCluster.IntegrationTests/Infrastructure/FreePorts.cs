using System.Net;
using System.Net.Sockets;

namespace MqttDeviceCluster.IntegrationTests.Infrastructure;

/// <summary>Ports that nothing listens on.</summary>
/// <remarks>
/// They lie below the range that systems take the ports of outgoing connections from (32768 on Linux), and none is given twice by a process: a port from
/// the system's own pool may be someone's by the time that a child process binds it.
/// </remarks>
internal static class FreePorts
{
    private static readonly Lock Gate = new();
    private static readonly HashSet<int> Given = [];

    public static int Next()
    {
        lock (Gate)
        {
            while (true)
            {
                var port = Random.Shared.Next(15_000, 32_000);
                if (Given.Contains(port))
                {
                    continue;
                }

                using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                try
                {
                    socket.Bind(new IPEndPoint(IPAddress.Any, port));
                }
                catch (SocketException)
                {
                    continue;
                }

                Given.Add(port);
                return port;
            }
        }
    }
}
