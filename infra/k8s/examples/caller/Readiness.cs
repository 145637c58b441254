using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Caller;

/// <summary>
/// Whether this pod takes requests: from its start until it is told to stop. It then serves for some seconds more, until load balancers have noticed. That no silo is there takes no pod
/// out of service: the others would not have one either, and the answers to requests say so.
/// </summary>
internal sealed class Readiness : IHealthCheck, IHostedLifecycleService
{
    private static readonly TimeSpan DrainDelay = TimeSpan.FromSeconds(5);

    private volatile bool _stopping;

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(_stopping ? HealthCheckResult.Unhealthy("It is stopping.") : HealthCheckResult.Healthy());

    // Before anything stops, Kestrel included.
    public Task StoppingAsync(CancellationToken cancellationToken)
    {
        _stopping = true;
        return Task.Delay(DrainDelay, cancellationToken);
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
