namespace Caller;

/// <summary>While no silo is there, or the members' table cannot be read, the start waits and does not fail. It says why, once for each reason: Orleans itself does not.</summary>
internal sealed partial class GatewayRetry(ILogger<GatewayRetry> logger) : IClientConnectionRetryFilter
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);

    private string? _said;

    public async Task<bool> ShouldRetryConnectionAttempt(Exception exception, CancellationToken cancellationToken)
    {
        if (exception.Message != _said)
        {
            _said = exception.Message;
            LogWaiting(_said);
        }

        await Task.Delay(Pause, cancellationToken);
        return true;
    }

    [LoggerMessage(LogLevel.Warning, "No gateway of the cluster yet, and the start waits for one: {Reason}")]
    private partial void LogWaiting(string reason);
}
