using MqttDeviceCluster.Silo.Hosting;

namespace MqttDeviceCluster.Silo.Health;

/// <summary>
/// When the process is asked to stop, says so in readiness and goes on serving for <see cref="SiloSettings.DrainDelay"/>, so that callers look elsewhere
/// first, and until it is its turn to leave the cluster.
/// </summary>
internal sealed class DrainService(SiloSettings settings, LeavingInTurn turn, TimeProvider time) : IHostedLifecycleService
{
    private volatile bool _draining;

    public bool IsDraining => _draining;

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        _draining = true;
        await Task.Delay(settings.DrainDelay, time, cancellationToken);
        await turn.WaitAsync(cancellationToken);
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
