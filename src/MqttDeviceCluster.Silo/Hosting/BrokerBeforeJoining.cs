using Microsoft.Extensions.Options;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streams;
using Orleans.Configuration;

namespace MqttDeviceCluster.Silo.Hosting;

/// <summary>
/// Lets a silo join a cluster that works only when the broker has taken a connection of its own. A member gets devices, and may be the one that receives for all: with a wrong
/// address or password it would stop what the others do well.
/// </summary>
/// <remarks>
/// Where no other member is active there is nothing to harm, and a silo that is here can at least say what it knows: it joins at once. So a cluster that starts while the broker is
/// away starts with one silo, and the others follow when the broker is there.
/// </remarks>
internal sealed partial class BrokerBeforeJoining(
    [FromKeyedServices(DeviceStreams.ProviderName)] IMqttStreamStatus broker,
    IMembershipTable table,
    ILocalSiloDetails silo,
    IOptions<ClusterMembershipOptions> options,
    TimeProvider time,
    ILogger<BrokerBeforeJoining> logger) : ILifecycleParticipant<ISiloLifecycle>
{
    // After the connection has begun, and before Orleans pings the other members, which is the last thing before the silo is active.
    private const int Stage = ServiceLifecycleStage.ApplicationServices + 1;

    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan TablePeriod = TimeSpan.FromSeconds(2);

    /// <summary>A connection takes a moment, and is no reason for a line in the log.</summary>
    private static readonly TimeSpan QuietTime = TimeSpan.FromSeconds(3);

    public void Participate(ISiloLifecycle lifecycle) => lifecycle.Subscribe(nameof(BrokerBeforeJoining), Stage, WaitAsync);

    internal async Task WaitAsync(CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        long? looked = null;
        var said = false;
        while (!broker.WasPublishing)
        {
            if (looked is not { } last || time.GetElapsedTime(last) >= TablePeriod)
            {
                if (!await IsAnotherActiveAsync(cancellationToken))
                {
                    return;
                }

                looked = time.GetTimestamp();
            }

            if (!said && time.GetElapsedTime(started) >= QuietTime)
            {
                said = true;
                LogWaiting(broker.Problem ?? "It has not answered yet.");
            }

            await Task.Delay(Period, time, cancellationToken);
        }

        if (said)
        {
            LogJoining();
        }
    }

    // Those that died without a word are in the table as active until somebody sees to it, which only active ones do: they are known by what they do not write any more, as Orleans knows them.
    private async Task<bool> IsAnotherActiveAsync(CancellationToken cancellationToken)
    {
        MembershipTableData members;
        try
        {
            members = await table.ReadAllAsync(cancellationToken).WaitAsync(cancellationToken);
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            // Whatever it is: the silo could not join now anyway.
            LogNotRead(exception);
            return true;
        }

        var alive = time.GetUtcNow().UtcDateTime - (options.Value.IAmAliveTablePublishTimeout * options.Value.NumMissedTableIAmAliveLimit);
        return members.Members.Any(member => member.Item1 is { Status: SiloStatus.Active } other
            && !other.SiloAddress.Equals(silo.SiloAddress)
            && (other.IAmAliveTime > alive || other.StartTime > alive));
    }

    [LoggerMessage(LogLevel.Warning, "The silo does not join the cluster, whose members work, before the broker has taken its connection. {Problem}")]
    private partial void LogWaiting(string problem);

    [LoggerMessage(LogLevel.Information, "The broker has taken the connection: the silo joins the cluster.")]
    private partial void LogJoining();

    [LoggerMessage(LogLevel.Debug, "The members of the cluster could not be read.")]
    private partial void LogNotRead(Exception exception);
}
