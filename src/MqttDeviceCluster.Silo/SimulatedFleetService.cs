using MqttDeviceCluster.Silo.Hosting;
using MqttDeviceCluster.Simulator;

namespace MqttDeviceCluster.Silo;

/// <summary>Runs simulated devices beside the silo, on the broker in use. A broker that is away does not hold up the start.</summary>
internal sealed partial class SimulatedFleetService(
    SiloSettings settings, ILoggerFactory loggerFactory, TimeProvider time, ILogger<SimulatedFleetService> logger) : BackgroundService
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        for (var attempt = 1; !stoppingToken.IsCancellationRequested; attempt++)
        {
            await using var fleet = new SimulatedFleet(
                new SimulatedFleetOptions
                {
                    Broker = settings.Broker,
                    Count = settings.Simulate,

                    // So that what the cluster holds after a pulse is how the device is, what it holds of its presence whether it is there, and that there are pins to click from the start.
                    Behavior = DeviceBehavior.Default with { Pulses = PulseReports.Both, Status = StatusStyle.Json, ReportsOnConnect = true },
                },
                loggerFactory);
            try
            {
                await fleet.StartAsync(stoppingToken);
                LogStarted(settings.Simulate);
                await Task.Delay(Timeout.InfiniteTimeSpan, time, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // Simulated devices are a guest of the silo: whatever ails them, it serves the real ones.
            catch (Exception e)
            {
                if (attempt == 1)
                {
                    LogFailed(e, RetryDelay);
                }
            }
#pragma warning restore CA1031

            await Task.Delay(RetryDelay, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    [LoggerMessage(LogLevel.Information, "Simulating {Count} devices.")]
    private partial void LogStarted(int count);

    [LoggerMessage(LogLevel.Warning, "The simulated devices did not start; trying every {Delay}.")]
    private partial void LogFailed(Exception exception, TimeSpan delay);
}
