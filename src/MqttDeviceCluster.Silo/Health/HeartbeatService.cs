using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace MqttDeviceCluster.Silo.Health;

/// <summary>Beats once a second on the thread pool: a process that is out of threads stops beating.</summary>
internal sealed class HeartbeatService(TimeProvider time) : BackgroundService
{
    private long _last = time.GetTimestamp();

    public TimeSpan SinceLast => time.GetElapsedTime(Volatile.Read(ref _last));

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                Volatile.Write(ref _last, time.GetTimestamp());
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The host stops.
        }
    }
}

/// <summary>Healthy while the heart beats.</summary>
internal sealed class HeartbeatHealthCheck(HeartbeatService heartbeat) : IHealthCheck
{
    private static readonly TimeSpan MaxSilence = TimeSpan.FromSeconds(30);

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(heartbeat.SinceLast is var silence && silence < MaxSilence
            ? HealthCheckResult.Healthy()
            : HealthCheckResult.Unhealthy($"no timer has run for {silence.TotalSeconds:0} s"));
}
