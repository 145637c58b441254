using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Streaming.Mqtt.Session;
using Orleans.Streams;

namespace MqttDeviceCluster.Streaming.Mqtt.Provider;

/// <summary>Everything that one provider has on one silo or client: its connections, queues and routes.</summary>
internal sealed class MqttQueueAdapterFactory : IQueueAdapterFactory, IQueueAdapterCache, IMqttStreamStatus
{
    private static readonly TimeSpan Drain = TimeSpan.FromSeconds(5);

    private readonly string _name;
    private readonly MqttStreamOptions _options;
    private readonly MqttQueueMapper _mapper;
    private readonly MqttIntake[] _intakes;
    private readonly MqttOutgoingRoute[] _outgoing;
    private readonly IMqttPublisher? _publisher;
    private readonly IMqttPublisher? _deadLetterPublisher;
    private readonly Dictionary<QueueId, MqttQueueCache> _caches = [];

    public MqttQueueAdapterFactory(
        string name,
        MqttStreamOptions options,
        IMqttConnectionFactory connections,
        MqttStreamMetrics metrics,
        IMqttDeliveryGate? gate,
        IMqttFence? fence,
        TimeProvider timeProvider,
        ILoggerFactory loggerFactory)
    {
        _name = name;
        _options = options;
        _mapper = new(name, options.Connections, options.QueuesPerConnection);
        _outgoing = [.. options.Routes.OfType<MqttOutgoingRoute>()];
        _publisher = _outgoing.Length > 0 ? connections.CreatePublisher() : null;
        _deadLetterPublisher = options.DeadLetterTopic is null ? null : connections.CreateDeadLetterPublisher();

        var logger = loggerFactory.CreateLogger($"{typeof(MqttQueueAdapterFactory).Namespace}.{name}");
        var deadLetters = new MqttDeadLetters(options, _deadLetterPublisher, metrics, timeProvider, logger);
        var incoming = options.Routes.OfType<MqttIncomingRoute>().ToArray();
        _intakes = new MqttIntake[options.Connections];
        for (var i = 0; i < _intakes.Length; i++)
        {
            var routes = options.SharedGroup is null ? [.. incoming.Where(route => route.Connection == i)] : incoming;
            _intakes[i] = new(i, options, routes, connections, deadLetters, metrics, gate, fence, timeProvider, logger);
        }
    }

    public MqttConnectionState Receiving
    {
        get
        {
            var states = _intakes.Select(intake => intake.Session?.State ?? MqttConnectionState.Stopped).Where(state => state != MqttConnectionState.Stopped).ToList();
            return states.Count == 0 ? MqttConnectionState.Stopped
                : states.Contains(MqttConnectionState.Connecting) ? MqttConnectionState.Connecting
                : states.Contains(MqttConnectionState.Fenced) ? MqttConnectionState.Fenced
                : MqttConnectionState.Online;
        }
    }

    public DateTimeOffset? ReceivingSince
    {
        get
        {
            DateTimeOffset? latest = null;
            foreach (var session in _intakes.Select(static intake => intake.Session).Where(static session => session is { State: not MqttConnectionState.Stopped }))
            {
                if (session!.OnlineSince is not { } since)
                {
                    return null;
                }

                latest = latest > since ? latest : since;
            }

            return latest;
        }
    }

    public MqttConnectionState Publishing => _publisher?.State ?? MqttConnectionState.Stopped;

    public bool WasPublishing => _publisher?.WasOnline == true;

    public string? Problem => _publisher?.Problem ?? _intakes.Select(intake => intake.Session?.Problem).FirstOrDefault(problem => problem is not null)
        ?? _deadLetterPublisher?.Problem;

    public int Unacknowledged => _intakes.Sum(intake => intake.Session?.Unacknowledged ?? 0);

    public Task<IQueueAdapter> CreateAdapter()
    {
        _publisher?.Start();
        _deadLetterPublisher?.Start();
        var receives = _options.Routes.OfType<MqttIncomingRoute>().Any();
        var direction = !receives ? StreamProviderDirection.WriteOnly
            : _outgoing.Length == 0 ? StreamProviderDirection.ReadOnly
            : StreamProviderDirection.ReadWrite;
        return Task.FromResult<IQueueAdapter>(new MqttQueueAdapter(
            _name, direction, _outgoing, _publisher, MqttConnectionString.TryParse(_options.ConnectionString ?? "", out var broker, out _) ? broker : null, CreateReceiver));
    }

    public IQueueAdapterCache GetQueueAdapterCache() => this;

    public IStreamQueueMapper GetStreamQueueMapper() => _mapper;

    public Task<IStreamFailureHandler> GetDeliveryFailureHandler(QueueId queueId) =>
        Task.FromResult<IStreamFailureHandler>(new NoOpStreamDeliveryFailureHandler());

    /// <summary>The agent asks for the cache of a queue, then for its receiver, each time it takes the queue: here the two meet.</summary>
    public IQueueCache CreateQueueCache(QueueId queueId)
    {
        var cache = new MqttQueueCache(_intakes[_mapper.Locate(queueId).Connection]);
        lock (_caches)
        {
            _caches[queueId] = cache;
        }

        return cache;
    }

    /// <summary>Receives no more, and waits until the agents have finished what was received. Called before the agents stop.</summary>
    public Task StopReceivingAsync(CancellationToken cancellationToken) =>
        Task.WhenAll(_intakes.Select(intake => intake.StopAsync(Drain, cancellationToken)));

    /// <summary>Called when no grain publishes any more.</summary>
    public Task StopPublishingAsync(CancellationToken cancellationToken) => Task.WhenAll(
        _publisher?.StopAsync(Drain, cancellationToken) ?? Task.CompletedTask,
        _deadLetterPublisher?.StopAsync(Drain, cancellationToken) ?? Task.CompletedTask);

    private MqttQueueReceiver CreateReceiver(QueueId queueId)
    {
        var (connection, queue) = _mapper.Locate(queueId);
        MqttQueueCache? cache;
        lock (_caches)
        {
            _caches.Remove(queueId, out cache);
        }

        return new(_intakes[connection], _intakes[connection].Queues[queue], cache);
    }
}
