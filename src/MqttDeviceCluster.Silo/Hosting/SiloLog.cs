using System.Net;

namespace MqttDeviceCluster.Silo.Hosting;

/// <summary>What an operator reads at the start and at the end.</summary>
internal sealed partial class SiloLog(ILogger logger)
{
    public void Started(SiloSettings settings, IEnumerable<string> urls)
    {
        LogStarted(SiloHost.Version, settings.ClusterId, settings.SiloPort, settings.GatewayPort);
        var broker = settings.BrokerName;
        if (settings.EmbedsBroker)
        {
            LogEmbeddedBroker(broker);
            if (!IPAddress.IsLoopback(settings.EmbeddedBrokerEndpoint.Address))
            {
                LogOpenBroker(settings.EmbeddedBrokerEndpoint.Address);
            }
        }
        else
        {
            LogBroker(broker);
        }

        if (settings.EmbedsStore)
        {
            LogStore(settings.StorePath);
        }

        foreach (var (signals, url) in settings.Telemetry.Destinations)
        {
            LogTelemetry(signals, url);
        }

        foreach (var url in urls)
        {
            LogHttp(url, settings.FleetPage is null ? "" : ", fleet page at /", settings.Dashboard ? ", dashboard at /dashboard/" : "");
        }
    }

    public void Stopped() => LogStopped();

    [LoggerMessage(LogLevel.Information, "MqttDeviceCluster {Version} is up: cluster '{ClusterId}', silo port {SiloPort}, gateway port {GatewayPort}.")]
    private partial void LogStarted(string version, string clusterId, int siloPort, int gatewayPort);

    [LoggerMessage(LogLevel.Information, "Broker: {Broker}, embedded, for development only (its sessions live in memory).")]
    private partial void LogEmbeddedBroker(string broker);

    [LoggerMessage(LogLevel.Warning, "The embedded broker listens on {Address} and lets anyone in.")]
    private partial void LogOpenBroker(IPAddress address);

    [LoggerMessage(LogLevel.Information, "Broker: {Broker}")]
    private partial void LogBroker(string broker);

    [LoggerMessage(LogLevel.Information, "Store: {Path}")]
    private partial void LogStore(string path);

    [LoggerMessage(LogLevel.Information, "Telemetry: {Signals} to {Url}")]
    private partial void LogTelemetry(string signals, string url);

    [LoggerMessage(LogLevel.Information, "HTTP: {Url}, health at /health/ready{FleetPage}{Dashboard}")]
    private partial void LogHttp(string url, string fleetPage, string dashboard);

    [LoggerMessage(LogLevel.Information, "Stopped.")]
    private partial void LogStopped();
}
