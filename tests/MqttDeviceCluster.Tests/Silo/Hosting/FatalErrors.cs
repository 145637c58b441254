namespace MqttDeviceCluster.Tests.Silo.Hosting;

/// <summary>What Orleans would have ended the process for.</summary>
internal sealed class FatalErrors : IFatalErrorHandler
{
    public List<(object? Sender, string? Context, Exception? Exception)> Reports { get; } = [];

    public bool IsUnexpected(Exception exception) => exception is not OperationCanceledException;

    public void OnFatalException(object? sender = null, string? context = null, Exception? exception = null) => Reports.Add((sender, context, exception));
}
