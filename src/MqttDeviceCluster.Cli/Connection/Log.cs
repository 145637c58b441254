using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;

namespace MqttDeviceCluster.Cli.Connection;

internal static partial class Log
{
    /// <summary>Sends logs to standard error: standard output is the command's own.</summary>
    public static ILoggingBuilder AddStandardError(this ILoggingBuilder logging)
    {
        logging.AddSimpleConsole(options => options.SingleLine = true);
        logging.Services.Configure<ConsoleLoggerOptions>(options => options.LogToStandardErrorThreshold = LogLevel.Trace);
        return logging;
    }

    [LoggerMessage(LogLevel.Debug, "The cluster client did not stop in order.")]
    public static partial void LogClientNotStopped(this ILogger logger, Exception exception);
}
