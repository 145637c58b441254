using System.Runtime.ExceptionServices;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace MqttDeviceCluster.Silo.Health;

/// <summary>
/// Notices that memory ran out, wherever that was and whoever caught it. Something that was under way has failed half-way, in code that never thought of it, and the next
/// one will: only a start anew is sure to mend that. An array longer than any may be counts as well: nothing here asks for one.
/// </summary>
internal sealed partial class MemoryService(TimeProvider time, ILogger<MemoryService> logger) : BackgroundService
{
    private bool _ranOut;

    /// <summary>Gets whether it ran out since the silo started.</summary>
    public bool RanOut => Volatile.Read(ref _ranOut);

    /// <summary>Gets the most that the managed heap may take, in bytes.</summary>
    public static long HeapLimit => GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        AppDomain.CurrentDomain.FirstChanceException += OnException;
        return base.StartAsync(cancellationToken);
    }

    public override void Dispose()
    {
        AppDomain.CurrentDomain.FirstChanceException -= OnException;
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using PeriodicTimer timer = new(TimeSpan.FromSeconds(1), time);
        try
        {
            while (!RanOut)
            {
                await timer.WaitForNextTickAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The host stops.
            return;
        }

        LogRanOut(HeapLimit / (1024 * 1024));
    }

    // On the thread that threw, which may be any, and has no memory to spare: it allocates nothing.
    private void OnException(object? sender, FirstChanceExceptionEventArgs e)
    {
        // Not those derived from it, which tell of other limits.
        if (e.Exception.GetType() == typeof(OutOfMemoryException))
        {
            Volatile.Write(ref _ranOut, true);
        }
    }

    [LoggerMessage(
        LogLevel.Critical,
        "Memory ran out; the managed heap may take {Limit} MiB. Something that was under way has failed, and anything may from now on: /health/live says so, and the silo should be started anew, with more memory or fewer devices.")]
    private partial void LogRanOut(long limit);
}

/// <summary>Healthy until memory runs out.</summary>
internal sealed class MemoryHealthCheck(MemoryService memory) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(memory.RanOut ? HealthCheckResult.Unhealthy("memory ran out") : HealthCheckResult.Healthy());
}
