using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Caller;

/// <summary>
/// Whether this pod takes requests: from its start until it is told to stop. It then serves for some seconds more, until load balancers have noticed. That no silo is there shows in the
/// answer, and takes no pod out of service: the others would not have one either.
/// </summary>
internal sealed class Readiness : IHealthCheck, IHostedLifecycleService
{
    private static readonly TimeSpan DrainDelay = TimeSpan.FromSeconds(5);

    private volatile bool _stopping;
    private volatile int _gateways;

    public void OnGatewayCountChanged(object? sender, GatewayCountChangedEventArgs change) => _gateways = change.NumberOfConnectedGateways;

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) => Task.FromResult(
        _stopping ? HealthCheckResult.Unhealthy("It is stopping.")
        : _gateways == 0 ? HealthCheckResult.Degraded("No silo is connected.")
        : HealthCheckResult.Healthy());

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
