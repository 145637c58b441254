using System.Collections.Concurrent;

namespace MqttDeviceCluster.Silo.Diagnostics;

/// <summary>
/// Counts the other silos that were lost: they crashed, hung or were cut off, and were declared dead. One that stops says so before, in the members' table, and is none of them.
/// </summary>
internal sealed partial class SiloLosses(ISiloStatusOracle oracle, ILogger<SiloLosses> logger) : ISiloStatusListener, ILifecycleParticipant<ISiloLifecycle>
{
    private readonly ConcurrentDictionary<SiloAddress, SiloStatus> _before = new();
    private long _count;

    public long Count => Interlocked.Read(ref _count);

    public void Participate(ISiloLifecycle lifecycle) => lifecycle.Subscribe(
        nameof(SiloLosses),
        ServiceLifecycleStage.Active,
        _ =>
        {
            oracle.SubscribeToSiloStatusEvents(this);
            foreach (var (silo, status) in oracle.GetApproximateSiloStatuses())
            {
                _before.TryAdd(silo, status);
            }

            return Task.CompletedTask;
        },
        _ =>
        {
            oracle.UnSubscribeFromSiloStatusEvents(this);
            return Task.CompletedTask;
        });

    public void SiloStatusChangeNotification(SiloAddress updatedSilo, SiloStatus status)
    {
        if (status != SiloStatus.Dead)
        {
            _before[updatedSilo] = status;
        }
        else if (_before.TryRemove(updatedSilo, out var before) && before == SiloStatus.Active && !updatedSilo.Equals(oracle.SiloAddress))
        {
            Interlocked.Increment(ref _count);
            LogSiloLost(updatedSilo);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Silo {Silo} was lost: it did not leave, and was declared dead. Its devices go on in the others; its own log, or its exit code, says why.")]
    private partial void LogSiloLost(SiloAddress silo);
}
