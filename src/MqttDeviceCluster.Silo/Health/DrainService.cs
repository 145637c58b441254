using MqttDeviceCluster.Silo.Hosting;

namespace MqttDeviceCluster.Silo.Health;

/// <summary>
/// When the process is asked to stop, says so in readiness and goes on serving for <see cref="SiloSettings.DrainDelay"/>, so that callers look elsewhere
/// first.
/// </summary>
internal sealed class DrainService(SiloSettings settings, TimeProvider time) : IHostedLifecycleService
{
    private volatile bool _draining;

    public bool IsDraining => _draining;

    public Task StoppingAsync(CancellationToken cancellationToken)
    {
        _draining = true;
        return settings.DrainDelay > TimeSpan.Zero ? Task.Delay(settings.DrainDelay, time, cancellationToken) : Task.CompletedTask;
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
