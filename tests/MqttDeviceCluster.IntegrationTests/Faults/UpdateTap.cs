using System.Net;
using MqttDeviceCluster.IntegrationTests.Infrastructure;

namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>
/// Stands between silos and broker and reads along: which numbered updates the broker delivered to a silo, and which the silos acknowledged.
/// </summary>
internal sealed class UpdateTap : IAsyncDisposable
{
    private readonly TcpRelay _relay;

    /// <param name="address">Where it listens.</param>
    /// <param name="brokerPort">The broker's port on 127.0.0.1.</param>
    /// <param name="ledger">Who is told.</param>
    /// <param name="listenPort">The port that it listens on; 0 for one of its own.</param>
    public UpdateTap(IPAddress address, int brokerPort, UpdateLedger ledger, int listenPort = 0) => _relay = new(address, brokerPort, () =>
    {
        // One id table for both directions: what the broker sent under an id is what the silo acknowledges with it.
        var numbers = new int?[ushort.MaxValue + 1];
        return (
            buffer => MqttFrames.Read(buffer, (header, body) =>
            {
                if (MqttFrames.IsPublishAcknowledgement(header) && numbers[MqttFrames.AcknowledgedBy(body)] is { } number)
                {
                    ledger.OnAcknowledged(number);
                }
            }),
            buffer => MqttFrames.Read(buffer, (header, body) =>
            {
                if (MqttFrames.IsPublish(header))
                {
                    var number = UpdateLedger.NumberIn(body);
                    numbers[MqttFrames.PublishOf(body).PacketId] = number;
                    if (number is { } delivered)
                    {
                        ledger.OnDelivered(delivered);
                    }
                }
            }));
    }, listenPort);

    /// <summary>Gets the address for silos.</summary>
    public string ConnectionString => $"mqtt://{_relay.EndPoint}";

    public ValueTask DisposeAsync() => _relay.DisposeAsync();
}
