using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Streaming.Mqtt.Link;

namespace MqttDeviceCluster.Streaming.Mqtt.Session;

/// <summary>Notices that the credentials in files were replaced, and tries the new ones before the connection in use is given up for them.</summary>
internal sealed partial class MqttCredentialWatch(
    MqttStreamOptions options, string role, Func<MqttLinkSettings> createSettings, ILogger logger, TimeProvider timeProvider, MqttReconnectTuning tuning)
{
    private readonly MqttCredentialFiles _files = new(options);
    private readonly ILogger _logger = logger;

    /// <summary>Gets whether there are files to watch.</summary>
    public bool IsNeeded => _files.Any;

    /// <inheritdoc cref="MqttCredentialFiles.Fingerprint"/>
    public string Fingerprint() => _files.Fingerprint();

    /// <summary>Waits until there are other credentials that work, and then a random while: not all silos connect anew at once.</summary>
    /// <param name="used">The fingerprint of those in use.</param>
    /// <param name="cancellationToken">Ends the wait; the only way that it fails.</param>
    public async Task WaitForOthersAsync(string used, CancellationToken cancellationToken)
    {
        var seen = used;
        string? reported = null;
        while (true)
        {
            await Task.Delay(options.CredentialCheckPeriod, timeProvider, cancellationToken).ConfigureAwait(false);
            var now = _files.Fingerprint();
            var isSettled = now == seen;
            seen = now;
            if (now == used || !isSettled)
            {
                // The same, or in the middle of being written: certificate and key are two files.
                continue;
            }

            string? problem;
            try
            {
                problem = await FindProblemAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
            {
                // Nothing that is foreseen. Whatever it is, the connection lasts, and so does the watch: without it the old credentials would be used until they expire.
                if (exception.Message != reported)
                {
                    LogFailed(exception, role);
                }

                reported = exception.Message;
                continue;
            }

            if (problem is null)
            {
                break;
            }

            // It is tried again: it may be the broker that does not know the new credentials yet.
            if (problem != reported)
            {
                LogNotRenewed(role, problem);
            }

            reported = problem;
        }

        await Task.Delay(tuning.RenewWithin * Random.Shared.NextDouble(), timeProvider, cancellationToken).ConfigureAwait(false);
    }

    // On a connection of its own, under another client id: the one in use must not be given up for credentials that do not work.
    private async Task<string?> FindProblemAsync(CancellationToken cancellationToken)
    {
        try
        {
            var common = createSettings();
            var settings = common with { ClientId = $"{common.ClientId}-try", CleanStart = true, SessionExpiry = TimeSpan.Zero };
            await using var link = await MqttLink.ConnectAsync(settings, timeProvider, cancellationToken).ConfigureAwait(false);
            link.Start(NoReceiver.Instance);
            await link.CloseAsync().ConfigureAwait(false);
            return null;
        }
        catch (MqttConnectException exception)
        {
            return exception.Message;
        }
    }

    [LoggerMessage(LogLevel.Error, "The credentials changed, but do not work: {Reason}. The MQTT connection ({Role}) stays with the old ones as long as it lasts.")]
    private partial void LogNotRenewed(string role, string reason);

    [LoggerMessage(LogLevel.Error, "The credentials of the MQTT connection ({Role}) changed, and trying them failed in our own code. They are tried again.")]
    private partial void LogFailed(Exception exception, string role);

    /// <summary>For a connection that only shows that it can be made.</summary>
    private sealed class NoReceiver : IMqttLinkReceiver
    {
        public static readonly NoReceiver Instance = new();

        public void OnPublish(MqttIncomingMessage message, ushort packetId)
        {
        }

        public void OnPublishAcknowledged(ushort packetId, byte reasonCode, string? reason)
        {
        }
    }
}
