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
/// Where no other member is active there is nothing to harm, and a silo that is here can at least say what it knows: it joins at once.
/// </remarks>
internal sealed partial class BrokerBeforeJoining(
    [FromKeyedServices(DeviceStreams.ProviderName)] IMqttStreamStatus broker,
    IClusterMembershipService membership,
    IMembershipTable table,
    ILocalSiloDetails silo,
    LeavingErrorHandler fatal,
    IOptions<ClusterMembershipOptions> options,
    TimeProvider time,
    ILogger<BrokerBeforeJoining> logger) : ILifecycleParticipant<ISiloLifecycle>
{
    // By then the silo has reached all members that are there, and those that are not are known as dead.
    private const int Stage = ServiceLifecycleStage.ValidateInitialConnectivity + 1;

    private static readonly TimeSpan LeaveTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(20);

    /// <summary>A connection takes a moment, and is no reason for a line in the log.</summary>
    internal static readonly TimeSpan QuietTime = TimeSpan.FromSeconds(3);

    // From the beginning of the start, as the others count.
    private readonly long _started = time.GetTimestamp();

    /// <summary>Gets how long the whole start may take. The others declare a silo dead that has not joined after <see cref="ClusterMembershipOptions.MaxJoinAttemptTime"/>.</summary>
    internal TimeSpan Limit => LimitOf(options.Value);

    private string Problem => broker.Problem ?? "It has not answered yet.";

    public void Participate(ISiloLifecycle lifecycle) => lifecycle.Subscribe(nameof(BrokerBeforeJoining), Stage, WaitAsync);

    /// <inheritdoc cref="Limit"/>
    internal static TimeSpan LimitOf(ClusterMembershipOptions membership) => membership.MaxJoinAttemptTime * 0.8;

    internal async Task WaitAsync(CancellationToken cancellationToken)
    {
        try
        {
            await WaitForBrokerAsync(cancellationToken);
        }
        catch (Exception exception) when (exception is OperationCanceledException or SiloStartException)
        {
            await LeaveAsync();
            throw;
        }
    }

    private async Task WaitForBrokerAsync(CancellationToken cancellationToken)
    {
        var waiting = time.GetTimestamp();
        var said = false;
        while (!broker.WasPublishing && IsAnotherActive())
        {
            if (time.GetElapsedTime(_started) >= Limit)
            {
                throw new SiloStartException($"The silo did not join the cluster, whose members work: the broker has not taken its connection. {Problem}");
            }

            if (!said && time.GetElapsedTime(waiting) >= QuietTime)
            {
                said = true;
                LogWaiting(Problem);
            }

            await Task.Delay(Period, time, cancellationToken);
        }

        if (said)
        {
            LogJoining(broker.WasPublishing ? "the broker has taken the connection" : "no other member is left");
        }
    }

    // Orleans itself leaves the row of a silo that did not start, and the others have to find out, and take it for one that was lost.
    private async Task LeaveAsync()
    {
        try
        {
            using CancellationTokenSource bound = new(LeaveTimeout, time);
            while (true)
            {
                var rows = await table.ReadRowAsync(silo.SiloAddress, bound.Token).WaitAsync(bound.Token);
                if (rows.TryGet(silo.SiloAddress) is not { Item1.Status: not SiloStatus.Dead } own)
                {
                    return;
                }

                // Orleans may read it before the start has ended.
                fatal.Leave();

                // Refused when another silo wrote to the table meanwhile.
                own.Item1.Status = SiloStatus.Dead;
                if (await table.UpdateRowAsync(own.Item1, own.Item2, rows.Version.Next(), bound.Token).WaitAsync(bound.Token))
                {
                    return;
                }
            }
        }
#pragma warning disable CA1031 // Whatever a store can throw: the silo ends all the same, and the others find out in their way.
        catch (Exception exception)
        {
            LogNotLeft(exception);
        }
#pragma warning restore CA1031
    }

    private bool IsAnotherActive() => membership.CurrentSnapshot.Members.Values.Any(member => member.Status == SiloStatus.Active && !member.SiloAddress.Equals(silo.SiloAddress));

    [LoggerMessage(LogLevel.Warning, "The silo does not join the cluster, whose members work, before the broker has taken its connection. {Problem}")]
    private partial void LogWaiting(string problem);

    [LoggerMessage(LogLevel.Debug, "The members could not be told that the silo does not join.")]
    private partial void LogNotLeft(Exception exception);

    [LoggerMessage(LogLevel.Information, "The silo joins the cluster: {Reason}.")]
    private partial void LogJoining(string reason);
}
