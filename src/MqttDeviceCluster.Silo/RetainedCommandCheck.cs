using System.Net.Sockets;
using Microsoft.Extensions.Options;
using MqttDeviceCluster.Silo.Wire;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streams;
using Orleans.Configuration;

namespace MqttDeviceCluster.Silo;

/// <summary>
/// Looks once after the start, as soon as the broker is there, for retained messages on command topics, and says what it found. We publish none, but
/// another program may have. It clears none: what is to be forgotten is for a person to say, with <c>mdc check --clear</c>.
/// </summary>
internal sealed partial class RetainedCommandCheck(
    IOptionsMonitor<MqttStreamOptions> options, IOptions<ClusterOptions> cluster, TimeProvider time, ILogger<RetainedCommandCheck> logger) : BackgroundService
{
    private const int MaxTopics = 10;
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan MaxDelay = TimeSpan.FromSeconds(30);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await CheckAsync(stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The host stops. One whose start has failed would take it for a failure of ours, and say so beside the one that it is.
        }
    }

    private async Task CheckAsync(CancellationToken stoppingToken)
    {
        var mqtt = options.Get(DeviceStreams.ProviderName);
        var clientId = $"{mqtt.ClientId ?? $"{cluster.Value.ServiceId}-{DeviceStreams.ProviderName}"}-check";
        MqttRetainedCheck check;
        try
        {
            check = new MqttRetainedCheck(mqtt, DeviceTopics.Commands.Select(FilterOf), clientId, time);
        }
        catch (FormatException)
        {
            // The stream provider has the same options, and stops the start for them with all that is wrong.
            return;
        }

        var failed = false;
        for (var delay = FirstDelay; ; delay = delay * 2 < MaxDelay ? delay * 2 : MaxDelay)
        {
            try
            {
                var report = await check.FindAsync(MaxTopics, stoppingToken);
                if (report.Count > 0 || report.IsComplete)
                {
                    Report(check.Broker, report);
                    return;
                }

                Failed($"{check.Broker} took longer than {check.Timeout.TotalSeconds:0} s.");
            }
            catch (MqttBrokerException e) when (e.NeedsAttention)
            {
                Failed(e.Message);
            }
            catch (Exception e) when (e is IOException or SocketException or UnauthorizedAccessException or TimeoutException)
            {
                // No reason to stop a silo, as an exception that leaves this method does.
                Failed(e.Message);
            }
            catch (MqttBrokerException)
            {
                // The stream provider says that the broker is away.
            }

            await Task.Delay(delay * (0.5 + (Random.Shared.NextDouble() / 2)), time, stoppingToken);
            continue;

            void Failed(string problem)
            {
                if (!failed)
                {
                    LogFailed(problem);
                }

                (failed, delay) = (true, MaxDelay);
            }
        }
    }

    private void Report(string broker, MqttRetainedReport report)
    {
        if (report.IsNone)
        {
            LogNone(broker);
        }
        else
        {
            LogFound(report.CountText, broker, string.Join(", ", report.Topics.Select(MqttRetainedReport.Show)));
        }
    }

    private static string FilterOf(string template) => template.Replace("{id}", "+", StringComparison.Ordinal);

    [LoggerMessage(LogLevel.Information, "There are no retained messages on the command topics of {Broker}.")]
    private partial void LogNone(string broker);

    [LoggerMessage(
        LogLevel.Warning,
        "Retained messages on the command topics of {Broker}: {Count}, such as {Topics}. Each of them acts again whenever its device connects. 'mdc check --clear' clears them.")]
    private partial void LogFound(string count, string broker, string topics);

    [LoggerMessage(LogLevel.Warning, "Whether there are retained messages on command topics could not be found out, and is tried again: {Problem}")]
    private partial void LogFailed(string problem);
}
