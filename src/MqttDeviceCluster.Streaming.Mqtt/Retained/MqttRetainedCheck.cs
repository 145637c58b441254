using MqttDeviceCluster.Streaming.Mqtt.Link;

namespace MqttDeviceCluster.Streaming.Mqtt;

/// <summary>
/// Finds retained messages where there must be none, and clears them. A retained command is delivered again, and acts again, whenever its device
/// subscribes.
/// </summary>
/// <remarks>
/// Each look is a short clean session of its own: it takes nothing from any other session. While it lasts, a moment longer than <see cref="Quiet"/>, the broker
/// has a subscriber for every topic looked at, and cannot say that there is none. A broker that bounds what it queues for a client (mosquitto's
/// <c>max_queued_messages</c>) may show only a part of very many; clearing looks again until nothing is left, up to <see cref="MaxPasses"/> times.
/// </remarks>
public sealed class MqttRetainedCheck
{
    private const int TopicsPerPass = 10_000;
    private readonly MqttStreamOptions _options;
    private readonly MqttConnectionString _broker;
    private readonly MqttFilter[] _filters;
    private readonly string _clientId;
    private readonly TimeProvider _timeProvider;

    /// <summary>Prepares a check; nothing is connected yet.</summary>
    /// <param name="options">Where the broker is, and who we are to it. The rest is not used.</param>
    /// <param name="filters">The topic filters to look at. They should not overlap, or a message is counted twice.</param>
    /// <param name="clientId">How the client id begins; something random follows.</param>
    /// <param name="timeProvider">The time.</param>
    /// <exception cref="FormatException">
    /// The connection string is missing or not valid, or what says who we are cannot be used, such as a file that does not exist. The message says what, and holds no secret.
    /// </exception>
    public MqttRetainedCheck(MqttStreamOptions options, IEnumerable<string> filters, string clientId, TimeProvider timeProvider)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentException.ThrowIfNullOrEmpty(clientId);
        _options = options;
        _broker = MqttConnectionString.Parse(options.ConnectionString ?? throw new FormatException("There is no MQTT connection string."));
        List<string> problems = [];
        MqttCredentialRules.Check(options, problems);
        if (problems.Count > 0)
        {
            throw new FormatException($"The MQTT credentials cannot be used: {string.Join("; ", problems)}.");
        }

        // QoS 0: a message that is only counted needs no acknowledgement, and TCP slows the broker down well enough.
        _filters = [.. filters.Select(filter => new MqttFilter(filter, MqttQualityOfService.AtMostOnce))];
        _clientId = $"{clientId}-{Guid.NewGuid().ToString("N")[..8]}";
        _timeProvider = timeProvider;
    }

    /// <summary>Gets for how long the broker must send nothing to be taken for done. Default 500 ms.</summary>
    public TimeSpan Quiet { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Gets how long one look, or one pass of clearing, may take. Default 30 s.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Gets how many times clearing looks, 1 or more. Default 200: enough for 200,000 messages at a broker that shows 1,000 at a time. It ends clearing when someone
    /// retains messages faster than they are cleared.
    /// </summary>
    public int MaxPasses { get; init; } = 200;

    /// <summary>Gets the broker, without user and password.</summary>
    public string Broker => _broker.ToString();

    /// <summary>Counts the retained messages.</summary>
    /// <param name="maxTopics">How many topics to report at most. All are counted.</param>
    /// <param name="cancellationToken">Ends the look.</param>
    /// <exception cref="MqttBrokerException">The broker is away, or refuses the connection or a subscription.</exception>
    public async Task<MqttRetainedReport> FindAsync(int maxTopics, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(maxTopics);
        return (await LookAsync(new RetainedReader(maxTopics, stopsWhenFull: false, _timeProvider), cancellationToken).ConfigureAwait(false)).Report();
    }

    /// <summary>
    /// Clears the retained messages, each with an empty retained one, and looks again until none is found, or only those that were just cleared, or <see cref="MaxPasses"/>
    /// times. A device that is connected receives the empty message as well.
    /// </summary>
    /// <param name="cancellationToken">Ends it; what is cleared stays cleared.</param>
    /// <exception cref="MqttBrokerException">The broker is away, or refuses the connection, a subscription or a message.</exception>
    public async Task<MqttRetainedClearing> ClearAsync(CancellationToken cancellationToken)
    {
        HashSet<string> last = [];
        long cleared = 0;
        for (var pass = 1; ; pass++)
        {
            // As many as fit into a bounded memory; what is left comes in the next pass.
            RetainedReader reader = new(TopicsPerPass, stopsWhenFull: true, _timeProvider);
            var found = (await LookAsync(reader, cancellationToken).ConfigureAwait(false)).Report();
            if (found.Topics.All(last.Contains) || pass >= MaxPasses)
            {
                return new MqttRetainedClearing(cleared, found);
            }

            await EraseAsync(found.Topics, cancellationToken).ConfigureAwait(false);
            cleared += found.Topics.Count;
            last = [.. found.Topics];
        }
    }

    private async Task<RetainedReader> LookAsync(RetainedReader reader, CancellationToken cancellationToken)
    {
        var link = await ConnectAsync(cancellationToken).ConfigureAwait(false);
        await using (link.ConfigureAwait(false))
        {
            if (!link.Info.RetainAvailable)
            {
                reader.IsComplete = true;
                return reader;
            }

            var started = _timeProvider.GetTimestamp();
            link.Start(reader);
            var subscribing = link.SubscribeAsync(_filters, Timeout);
            if (await Task.WhenAny(subscribing, reader.Full).WaitAsync(cancellationToken).ConfigureAwait(false) == subscribing
                && await IsGrantedAsync(subscribing, reader).ConfigureAwait(false))
            {
                await WaitForQuietAsync(link, reader, started, cancellationToken).ConfigureAwait(false);
            }

            await link.CloseAsync().ConfigureAwait(false);
            await ((Task)subscribing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return reader;
        }
    }

    // False when time was up before the answer, with messages received all the time.
    private async Task<bool> IsGrantedAsync(Task<IReadOnlyList<byte>> subscribing, RetainedReader reader)
    {
        try
        {
            var codes = await subscribing.ConfigureAwait(false);
            for (var i = 0; i < _filters.Length; i++)
            {
                if (i >= codes.Count || codes[i] >= 0x80)
                {
                    var code = i < codes.Count ? codes[i] : 0x80;
                    throw new MqttBrokerException($"{Broker} refuses the subscription to '{_filters[i].Filter}' (0x{code:X2}).", needsAttention: true);
                }
            }

            return true;
        }
        catch (MqttConnectException exception) when (exception.Failure == MqttConnectFailure.Timeout && reader.Count > 0)
        {
            return false;
        }
        catch (MqttConnectException exception)
        {
            throw Failed(exception);
        }
    }

    private async Task WaitForQuietAsync(MqttLink link, RetainedReader reader, long started, CancellationToken cancellationToken)
    {
        // Some brokers send retained messages before they answer the subscription, others begin afterwards.
        var answered = _timeProvider.GetTimestamp();
        while (!reader.Full.IsCompleted)
        {
            if (link.HasEnded)
            {
                var end = await link.Completion.ConfigureAwait(false);
                throw new MqttBrokerException($"The connection to {Broker} was lost: {end.Reason}.", needsAttention: false, end.Exception);
            }

            var quiet = Quiet - _timeProvider.GetElapsedTime(Math.Max(answered, reader.LastReceived));
            var left = Timeout - _timeProvider.GetElapsedTime(started);
            reader.IsComplete = quiet <= TimeSpan.Zero;
            if (reader.IsComplete || left <= TimeSpan.Zero)
            {
                return;
            }

            using CancellationTokenSource woken = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            await Task.WhenAny(Task.Delay(quiet < left ? quiet : left, _timeProvider, woken.Token), reader.Full, link.Completion).ConfigureAwait(false);
            await woken.CancelAsync().ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    private async Task EraseAsync(IReadOnlyList<string> topics, CancellationToken cancellationToken)
    {
        var link = await ConnectAsync(cancellationToken).ConfigureAwait(false);
        await using (link.ConfigureAwait(false))
        {
            RetainedEraser eraser = new(topics, link);
            link.Start(eraser, eraser);
            link.Kick(inline: false);
            try
            {
                await Task.WhenAny(eraser.Done, link.Completion).WaitAsync(Timeout, _timeProvider, cancellationToken).ConfigureAwait(false);
            }
            catch (TimeoutException exception)
            {
                throw new MqttBrokerException(
                    $"{Broker} took {eraser.Answered} of {topics.Count} empty messages within {Timeout.TotalSeconds:0.###} s.", needsAttention: false, exception);
            }

            if (!eraser.Done.IsCompleted)
            {
                var end = await link.Completion.ConfigureAwait(false);
                throw new MqttBrokerException(
                    $"The connection to {Broker} was lost after {eraser.Answered} of {topics.Count} were cleared: {end.Reason}.", needsAttention: false, end.Exception);
            }

            await link.CloseAsync().ConfigureAwait(false);
            if (await eraser.Done.ConfigureAwait(false) is { } refused)
            {
                throw new MqttBrokerException(
                    $"{Broker} refuses the empty message to '{MqttRetainedReport.Show(refused.Topic)}' (0x{refused.Code:X2}).", needsAttention: true);
            }
        }
    }

    private async Task<MqttLink> ConnectAsync(CancellationToken cancellationToken)
    {
        try
        {
            var settings = MqttLinkSettings.Create(_options, _broker, _clientId) with { CleanStart = true, SessionExpiry = TimeSpan.Zero };
            return await MqttLink.ConnectAsync(settings, _timeProvider, cancellationToken).ConfigureAwait(false);
        }
        catch (MqttConnectException exception)
        {
            throw Failed(exception);
        }
    }

    private MqttBrokerException Failed(MqttConnectException exception) =>
        new($"There is no connection to {Broker}: {exception.Message}.", exception.NeedsAttention, exception);
}
