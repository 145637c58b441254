using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Streaming.Mqtt.Link;

namespace MqttDeviceCluster.Streaming.Mqtt.Session;

/// <summary>Keeps a connection up: connects, waits for its end, and tries again for ever, until it is stopped. Used once.</summary>
internal abstract partial class MqttConnectionLoop : IMeasuredConnection, IAsyncDisposable
{
    // A broker that is away for long is mentioned once in so many attempts: at the cap, every few minutes.
    private const int LogEvery = 10;
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan SettleTimeout = TimeSpan.FromSeconds(2);

    private readonly MqttStreamOptions _options;
    private readonly string _role;
    private readonly ILogger _logger;
    private readonly ReconnectBackoff _backoff;
    private readonly MqttCredentialWatch _credentials;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _lock = new();
    private MqttLink? _link;
    private Task? _run;
    private volatile int _state = (int)MqttConnectionState.Stopped;
    private long _onlineSince;
    private volatile string? _problem;
    private int _failures;
    private int _shortLived;
    private bool _takenOver;
    private volatile bool _renewing;

    /// <exception cref="FormatException">The connection string is missing or not valid.</exception>
    protected MqttConnectionLoop(
        MqttStreamOptions options, string clientId, string role, MqttStreamMetrics metrics, ILogger logger, TimeProvider timeProvider,
        MqttReconnectTuning? tuning)
    {
        _options = options;
        _role = role;
        _logger = logger;
        _backoff = new ReconnectBackoff(options.MaxReconnectDelay, Random.Shared);
        ClientId = clientId;
        Broker = MqttConnectionString.Parse(options.ConnectionString ?? throw new FormatException("There is no MQTT connection string."));
        Metrics = metrics;
        TimeProvider = timeProvider;
        Tuning = tuning ?? MqttReconnectTuning.Default;
        _credentials = new MqttCredentialWatch(options, role, CreateSettings, logger, timeProvider, Tuning);
        metrics.Track(this);
    }

    /// <summary>Raised when <see cref="State"/> or <see cref="Problem"/> has changed. Handlers must be quick, and must not throw.</summary>
    public event Action? StateChanged;

    /// <summary>Gets the state.</summary>
    public MqttConnectionState State => (MqttConnectionState)_state;

    /// <summary>Gets whether it has been online at any time.</summary>
    public bool WasOnline { get; private set; }

    /// <summary>Gets since when it is online without a break (UTC), or <see langword="null"/> while it is not.</summary>
    public DateTimeOffset? OnlineSince => Volatile.Read(ref _onlineSince) is var ticks and not 0 ? new DateTimeOffset(ticks, TimeSpan.Zero) : null;

    /// <summary>Gets why it is not online, in one sentence without secrets; <see langword="null"/> if it is, or if nothing was tried yet.</summary>
    public string? Problem => _problem;

    /// <summary>Gets the client id.</summary>
    public string ClientId { get; }

    string IMeasuredConnection.Role => _role;

    bool IMeasuredConnection.IsHeld => State != MqttConnectionState.Stopped;

    MeasuredState IMeasuredConnection.MeasuredState => State switch
    {
        MqttConnectionState.Online => IsStalled ? MeasuredState.Stalled : MeasuredState.Online,
        MqttConnectionState.Fenced => MeasuredState.Fenced,
        _ => MeasuredState.Connecting,
    };

    public virtual int Unacknowledged => 0;

    public virtual int ReceiveWindow => 0;

    public virtual bool Publishes => false;

    public virtual int PendingPublishes => 0;

    protected virtual bool IsStalled => false;

    protected MqttConnectionString Broker { get; }

    protected MqttStreamMetrics Metrics { get; }

    protected TimeProvider TimeProvider { get; }

    protected MqttReconnectTuning Tuning { get; }

    protected CancellationToken Stopping => _stopping.Token;

    /// <summary>Starts to connect, and returns at once. An absent broker is no error: see <see cref="Problem"/>.</summary>
    public void Start()
    {
        lock (_lock)
        {
            if (_run is not null || _stopping.IsCancellationRequested)
            {
                throw new InvalidOperationException("It was started or stopped before.");
            }

            _state = (int)MqttConnectionState.Connecting;
            _run = Task.Run(RunAsync);
        }
    }

    /// <summary>
    /// Stops: takes nothing new, waits for what is under way, writes what is ready, and says DISCONNECT. The broker keeps a session that may outlive
    /// its connection.
    /// </summary>
    /// <param name="drain">How long to wait for what is under way.</param>
    /// <param name="cancellationToken">Ends that wait early; the stop itself goes on.</param>
    public async Task StopAsync(TimeSpan drain, CancellationToken cancellationToken)
    {
        OnStopping();

        // Ends attempts to connect and delays, not a connection that is up. First of all: a connection that comes up after this is refused, and one
        // that came up before is seen below. The other way round one could slip between, and stay open for ever.
        await _stopping.CancelAsync().ConfigureAwait(false);
        MqttLink? link;
        Task? run;
        lock (_lock)
        {
            link = _link;
            run = _run;
        }

        if (link is not null)
        {
            try
            {
                await DrainAsync().WaitAsync(drain, TimeProvider, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception exception) when (exception is TimeoutException or OperationCanceledException)
            {
                LogNotDrained(_role);
            }

            await link.CloseAsync().ConfigureAwait(false);
        }

        try
        {
            await (run ?? Task.CompletedTask).WaitAsync(StopTimeout, CancellationToken.None).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // Its receiver does not return: nothing of ours may wait for it.
            LogStuck(_role);
        }

        OnStopped();
        SetState(MqttConnectionState.Stopped, null);
        Metrics.Untrack(this);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync(TimeSpan.Zero, CancellationToken.None).ConfigureAwait(false);
        GC.SuppressFinalize(this);
    }

    /// <summary>Gets what is particular to this connection; the rest comes from the options.</summary>
    protected abstract MqttLinkSettings CreateSettings(MqttLinkSettings common);

    /// <summary>Takes a new connection into use; returns when it is online, or when it is to be given up.</summary>
    protected abstract Task ServeAsync(MqttLink link);

    /// <summary>The connection has ended; nothing is received from it any more.</summary>
    protected abstract void OnEnded(MqttLinkEnd end);

    /// <summary>It is about to be stopped: nothing new is taken from now on.</summary>
    protected virtual void OnStopping()
    {
    }

    /// <summary>Waits until nothing is under way.</summary>
    protected abstract Task DrainAsync();

    /// <summary>Waits until what was written to the connection is answered. Nothing new is written to it any more.</summary>
    protected virtual Task SettleAsync() => Task.CompletedTask;

    /// <summary>It was stopped.</summary>
    protected abstract void OnStopped();

    /// <summary>Returns why the session is not to be taken back from whoever has it, or <see langword="null"/>.</summary>
    protected virtual Task<string?> WhyNotTakeBackAsync(CancellationToken cancellationToken) => Task.FromResult<string?>(null);

    /// <summary>Whether an end means that someone else has the session. By default it never does.</summary>
    protected virtual bool IsTakenOver(MqttLinkEnd end, bool repeatedlyShort) => false;

    protected void SetOnline()
    {
        if (_failures == 0)
        {
            LogOnline(_role, Broker);
        }
        else
        {
            LogOnlineAgain(_role, Broker, _failures, _failures == 1 ? "failure" : "failures");
        }

        _failures = 0;
        WasOnline = true;
        SetState(MqttConnectionState.Online, null);
    }

    protected void SetState(MqttConnectionState state, string? problem)
    {
        Volatile.Write(ref _onlineSince, state != MqttConnectionState.Online ? 0 : _onlineSince == 0 ? TimeProvider.GetUtcNow().UtcTicks : _onlineSince);
        if (Interlocked.Exchange(ref _state, (int)state) == (int)state & Interlocked.Exchange(ref _problem, problem) == problem)
        {
            return;
        }

        StateChanged?.Invoke();
    }

    private async Task RunAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            TimeSpan delay;
            try
            {
                delay = await ConnectOnceAsync().ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception)
            {
                // Not a matter of the network, but of code: ours or the sink's. It is said each time, and tried again.
                LogFailed(exception, _role);
                SetState(MqttConnectionState.Connecting, $"The connection to {Broker} failed: {exception.Message}");
                delay = _backoff.AtCap();
            }

            if (!_stopping.IsCancellationRequested)
            {
                await Task.Delay(delay, TimeProvider, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    // Returns how long to wait before the next attempt.
    private async Task<TimeSpan> ConnectOnceAsync()
    {
        if (_takenOver && await WhyNotTakeBackAsync(_stopping.Token).ConfigureAwait(false) is { } reason)
        {
            if (_failures++ % LogEvery == 0)
            {
                LogNotTakenBack(_role, Broker, reason);
            }

            SetState(MqttConnectionState.Fenced, $"The session at {Broker} was taken over, and is not taken back: {reason}.");
            return Tuning.TakeBackDelay;
        }

        SetState(MqttConnectionState.Connecting, _problem);

        // Before they are read: what changes in between is noticed as a change.
        var fingerprint = _credentials.Fingerprint();
        MqttLink link;
        try
        {
            link = await MqttLink.ConnectAsync(CreateSettings(), TimeProvider, _stopping.Token).ConfigureAwait(false);
        }
        catch (MqttConnectException exception)
        {
            Metrics.Reconnecting(_role, exception.Failure);
            if (_failures++ % LogEvery == 0)
            {
                LogNotConnected(_role, Broker, exception.Message, _failures);
            }

            SetState(MqttConnectionState.Connecting, $"No connection to {Broker}: {exception.Message}.");
            return exception.NeedsAttention ? _backoff.AtCap() : _backoff.Next();
        }

        _takenOver = false;
        await using (link.ConfigureAwait(false))
        {
            lock (_lock)
            {
                _stopping.Token.ThrowIfCancellationRequested();
                _link = link;
            }

            var connectedAt = TimeProvider.GetTimestamp();
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
            var watching = _credentials.IsNeeded ? RenewAsync(link, fingerprint, ended.Token) : Task.CompletedTask;
            MqttLinkEnd end;
            try
            {
                await ServeAsync(link).ConfigureAwait(false);
                end = await link.Completion.ConfigureAwait(false);
            }
            finally
            {
                await ended.CancelAsync().ConfigureAwait(false);
                lock (_lock)
                {
                    _link = null;
                }

                // Before the next connection, whatever happened on this one: its receiver must have returned.
                link.Abort(MqttLinkEndCause.Failed, "serving it failed");
                OnEnded(await link.Completion.ConfigureAwait(false));
                await watching.ConfigureAwait(false);
            }

            return AfterEnd(end, TimeProvider.GetElapsedTime(connectedAt));
        }
    }

    private TimeSpan AfterEnd(MqttLinkEnd end, TimeSpan lifetime)
    {
        if (_stopping.IsCancellationRequested)
        {
            return TimeSpan.Zero;
        }

        var renewing = _renewing;
        _renewing = false;
        if (renewing && !end.IsTakenOver)
        {
            Metrics.Reconnecting(_role, MqttLinkEndCause.Renewed);
            SetState(MqttConnectionState.Connecting, null);
            return TimeSpan.Zero;
        }

        Metrics.Reconnecting(_role, end.Cause);
        var withoutReason = end.Cause is MqttLinkEndCause.ClosedByPeer or MqttLinkEndCause.NetworkError;
        _shortLived = withoutReason && lifetime < Tuning.ShortLived ? _shortLived + 1 : 0;
        var repeatedlyShort = _shortLived >= Tuning.ShortLivedLimit;
        if (IsTakenOver(end, repeatedlyShort))
        {
            // The next short connection is one too many again.
            _shortLived = Math.Min(_shortLived, Tuning.ShortLivedLimit - 1);

            // Only where it is certain: a broker that ends one connection after the other looks the same, and nobody else has the session.
            _takenOver = end.IsTakenOver;
            return Tuning.FenceDelay * (1 + Random.Shared.NextDouble());
        }

        if (lifetime >= Tuning.StableAfter)
        {
            _backoff.Reset();
        }

        if (_failures++ % LogEvery == 0)
        {
            LogLost(end.Exception, _role, Broker, end.Reason);
        }

        SetState(MqttConnectionState.Connecting, $"The connection to {Broker} was lost: {end.Reason}.");
        return _backoff.Next();
    }

    private MqttLinkSettings CreateSettings() => CreateSettings(MqttLinkSettings.Create(_options, Broker, ClientId));

    // Never throws. Ends the connection, in order, when there are other credentials that work.
    private async Task RenewAsync(MqttLink link, string used, CancellationToken ended)
    {
        try
        {
            await _credentials.WaitForOthersAsync(used, ended).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested)
        {
            // The next connection, if there is one, reads the files anyway.
            return;
        }

        LogRenewing(_role, Broker);
        link.StopPublishing();
        await SettleAsync().WaitAsync(SettleTimeout, TimeProvider, ended).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!ended.IsCancellationRequested)
        {
            _renewing = true;
            await link.CloseAsync().ConfigureAwait(false);
        }
    }

    [LoggerMessage(LogLevel.Information, "The MQTT connection ({Role}) to {Broker} is online.")]
    private partial void LogOnline(string role, MqttConnectionString broker);

    [LoggerMessage(LogLevel.Information, "The MQTT connection ({Role}) to {Broker} is online again, after {Failures} {Noun}.")]
    private partial void LogOnlineAgain(string role, MqttConnectionString broker, int failures, string noun);

    [LoggerMessage(LogLevel.Warning, "There is no MQTT connection ({Role}) to {Broker}: {Reason}. Attempt {Attempt}; it is tried again for ever.")]
    private partial void LogNotConnected(string role, MqttConnectionString broker, string reason, int attempt);

    [LoggerMessage(LogLevel.Warning, "The session ({Role}) at {Broker}, which was taken over, is not taken back: {Reason}. It is looked at again and again.")]
    private partial void LogNotTakenBack(string role, MqttConnectionString broker, string reason);

    [LoggerMessage(LogLevel.Warning, "The MQTT connection ({Role}) to {Broker} was lost: {Reason}. It is made again.")]
    private partial void LogLost(Exception? exception, string role, MqttConnectionString broker, string reason);

    [LoggerMessage(LogLevel.Error, "The MQTT connection ({Role}) failed in our own code. It is made again.")]
    private partial void LogFailed(Exception exception, string role);

    [LoggerMessage(LogLevel.Warning, "The MQTT connection ({Role}) is closed with messages still under way.")]
    private partial void LogNotDrained(string role);

    [LoggerMessage(LogLevel.Error, "The MQTT connection ({Role}) was stopped, but a receiver still does not return.")]
    private partial void LogStuck(string role);

    [LoggerMessage(LogLevel.Information, "The credentials changed: the MQTT connection ({Role}) to {Broker} is made again with them.")]
    private partial void LogRenewing(string role, MqttConnectionString broker);
}
