using MqttDeviceCluster.Cli.Connection;
using MqttDeviceCluster.Cli.Parsing;
using MqttDeviceCluster.Simulator;
using MqttDeviceCluster.Streaming.Mqtt;
using Orleans.Runtime.Messaging;

namespace MqttDeviceCluster.Cli.Output;

/// <summary>How a run failed: its exit code, its word in JSON, and one line for people.</summary>
internal sealed record Failure(int ExitCode, string Error, string Message)
{
    public const string CancelledWhileSending = "cancelled; what was already sent may still take effect";

    public static Failure Of(Exception exception, bool cancelled, string cancelledMessage = CancelledWhileSending) => exception switch
    {
        OperationCanceledException when cancelled => new(Cli.ExitCode.Cancelled, "cancelled", cancelledMessage),
        DeclinedException => new(Cli.ExitCode.Failed, "declined", exception.Message),
        BadInputException => new(Cli.ExitCode.BadInput, "bad-input", exception.Message),
        ArgumentException argument => new(Cli.ExitCode.BadInput, "bad-input", WithoutParameter(argument)),
        TimeoutException => new(Cli.ExitCode.NotConfirmed, "timeout", exception.Message),
        DeviceOfflineException => new(Cli.ExitCode.Unreachable, "offline", exception.Message),
        BrokerUnavailableException broker => new(
            Cli.ExitCode.Unreachable, broker.Refused ? "broker-refused" : "broker-away", exception.Message),
        MqttBrokerException broker => new(Cli.ExitCode.Unreachable, broker.NeedsAttention ? "broker-refused" : "broker-away", exception.Message),
        SimulatorConnectionException => new(Cli.ExitCode.Unreachable, "broker-away", exception.Message),
        NoClusterException => new(Cli.ExitCode.NoCluster, "no-cluster", exception.Message),
        SiloUnavailableException or ConnectionFailedException or ClientNotAvailableException => new(
            Cli.ExitCode.NoCluster, "no-cluster", $"the cluster was lost, and whether the command took effect is unknown: {exception.Message}"),
        DeviceInterruptedException => new(Cli.ExitCode.Failed, "interrupted", exception.Message),
        FleetUnavailableException => new(Cli.ExitCode.Failed, "fleet-unavailable", exception.Message),
        DeviceBusyException => new(Cli.ExitCode.Failed, "busy", exception.Message),
        _ => new(Cli.ExitCode.Failed, "failed", $"{exception.Message} ({exception.GetType().Name})"),
    };

    public void Write(TextWriter error, bool json)
    {
        var line = string.Join(' ', Message.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        error.WriteLine(json ? JsonDocuments.Error(Error, line) : $"mdc: {line}");
    }

    private static string WithoutParameter(ArgumentException exception)
    {
        // "… (Parameter 'pins')" names a parameter of a method that the user never sees.
        var at = exception.Message.LastIndexOf(" (Parameter '", StringComparison.Ordinal);
        return at < 0 ? exception.Message : exception.Message[..at];
    }
}

/// <summary>A person was asked and said no. The message says what that means.</summary>
internal sealed class DeclinedException(string message) : Exception(message);
