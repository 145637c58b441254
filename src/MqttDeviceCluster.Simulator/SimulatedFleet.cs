using System.Buffers;
using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using MqttDeviceCluster.Simulator.Connection;
using MqttDeviceCluster.Simulator.Wire;
using MQTTnet;

namespace MqttDeviceCluster.Simulator;

/// <summary>Simulated devices on a real broker. Disposing says goodbye for every device.</summary>
/// <remarks>Connects from one to 100,000 devices and more; see <see cref="SimulatedFleetOptions.Connections"/>.</remarks>
public sealed class SimulatedFleet : IAsyncDisposable
{
    private const int ConnectionsAtOnce = 32;

    private readonly SimulatedFleetOptions _options;
    private readonly ILogger _logger;
    private readonly TimeProvider _timeProvider;
    private readonly FrozenDictionary<string, SimulatedDevice> _byId;
    private readonly FrozenDictionary<string, SimulatedDevice>.AlternateLookup<ReadOnlySpan<char>> _bySpan;
    private readonly ImmutableArray<FleetConnection> _connections;
    private readonly Lock _lock = new();
    private readonly List<(long Count, TaskCompletionSource Source)> _countWaiters = [];
    private ReportSchedule? _reports;
    private long _acted;
    private int _state;

    /// <summary>Makes the devices; <see cref="StartAsync"/> connects them.</summary>
    /// <param name="options">Which devices, where, and how they behave.</param>
    /// <param name="loggerFactory">Where connections made and lost are logged; not disposed.</param>
    /// <param name="timeProvider">The clock of pulses, delays and reports.</param>
    /// <exception cref="ArgumentException">An option is out of range; the message names every one.</exception>
    public SimulatedFleet(SimulatedFleetOptions options, ILoggerFactory? loggerFactory = null, TimeProvider? timeProvider = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _options = options;
        _logger = (loggerFactory ?? NullLoggerFactory.Instance).CreateLogger("MqttDeviceCluster.Simulator");
        _timeProvider = timeProvider ?? TimeProvider.System;

        var boot = options.FirstBoot ?? _timeProvider.GetUtcNow().ToUnixTimeSeconds();
        Devices = [.. options.DeviceIds().Select(id => new SimulatedDevice(id, options, boot, Counters, _timeProvider))];
        _byId = Devices.ToFrozenDictionary(device => device.Id, StringComparer.Ordinal);
        _bySpan = _byId.GetAlternateLookup<ReadOnlySpan<char>>();
        _connections = [.. MakeConnections()];
    }

    /// <summary>Raised for every command to any device, after the device has acted on it. A handler holds up its whole connection.</summary>
    public event EventHandler<ReceivedCommand>? CommandReceived;

    /// <summary>Gets the devices, in the order of their ids' numbers or of <see cref="SimulatedFleetOptions.Ids"/>.</summary>
    public ImmutableArray<SimulatedDevice> Devices { get; }

    /// <summary>Gets what the fleet has counted.</summary>
    public FleetCounters Counters { get; } = new();

    /// <summary>Gets a device by its id.</summary>
    /// <exception cref="KeyNotFoundException">The fleet has no such device.</exception>
    public SimulatedDevice this[string id] => _byId[id];

    /// <summary>Connects the devices: subscribed and announced when it returns. Call it once.</summary>
    /// <param name="cancellationToken">Stops connecting; dispose the fleet then.</param>
    /// <exception cref="SimulatorConnectionException">
    /// The broker is away or refused, unless <see cref="SimulatedFleetOptions.Reconnect"/> is <see cref="ReconnectPolicy.Always"/>: then the
    /// fleet connects when the broker comes, and <see cref="WaitUntilConnectedAsync"/> waits for it.
    /// </exception>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        if (Interlocked.CompareExchange(ref _state, 1, 0) != 0)
        {
            throw new InvalidOperationException("The fleet was started before, or is disposed.");
        }

        var parallel = new ParallelOptions { MaxDegreeOfParallelism = ConnectionsAtOnce, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(
            _connections, parallel, async (connection, token) => await connection.StartAsync(token).ConfigureAwait(false)).ConfigureAwait(false);
        if (_options.ReportInterval is { } interval)
        {
            _reports = new ReportSchedule(Devices, interval, _timeProvider);
        }
    }

    /// <summary>Waits until every connection of the fleet is up.</summary>
    /// <param name="cancellationToken">Stops waiting.</param>
    public Task WaitUntilConnectedAsync(CancellationToken cancellationToken = default) =>
        Task.WhenAll(_connections.Select(connection => connection.Connected)).WaitAsync(cancellationToken);

    /// <summary>Waits until the devices have received this many commands in all, those before this call included.</summary>
    /// <param name="count">The number to reach.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public Task WaitForCommandsAsync(long count, CancellationToken cancellationToken = default)
    {
        var source = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            if (_acted >= count)
            {
                return Task.CompletedTask;
            }

            _countWaiters.Add((count, source));
        }

        return source.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Says goodbye for every device and disconnects. Takes a few seconds at most, whatever the broker does, and a minute for 100,000 devices.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _state, 2) == 2)
        {
            return;
        }

        _reports?.Dispose();
        foreach (var device in Devices)
        {
            device.Stop();
        }

        await Parallel.ForEachAsync(
            _connections,
            new ParallelOptions { MaxDegreeOfParallelism = ConnectionsAtOnce },
            async (connection, _) => await connection.DisposeAsync().ConfigureAwait(false)).ConfigureAwait(false);
    }

    private IEnumerable<FleetConnection> MakeConnections()
    {
        var count = _options.ConnectionCount(Devices.Length);
        // Of its own, so that two fleets with the same ids do not throw each other off the broker.
        var run = Guid.NewGuid().ToString("N", CultureInfo.InvariantCulture)[..8];
        for (var number = 0; number < count; number++)
        {
            var first = (int)((long)Devices.Length * number / count);
            var next = (int)((long)Devices.Length * (number + 1) / count);
            var devices = Devices[first..next];
            var clientId = devices.Length == 1 && count == Devices.Length ? devices[0].Id
                : _options.PersistentSession ? $"sim-{devices[0].Id}-{devices.Length}"
                : $"sim-{run}-{number}";
            yield return new FleetConnection(_options, clientId, devices, Deliver, Counters, _timeProvider, _logger);
        }
    }

    private bool Deliver(MqttApplicationMessage message)
    {
        if (!DeviceTopics.TryParseCommand(message.Topic, out var id, out var kind) || !_bySpan.TryGetValue(id, out var device))
        {
            return false;
        }

        var command = ToCommand(message, device.Id, kind);
        Counters.CountCommand();
        device.Receive(command);
        CommandReceived?.Invoke(this, command);
        lock (_lock)
        {
            _acted++;
            _countWaiters.RemoveAll(waiter => waiter.Count <= _acted && waiter.Source.TrySetResult());
        }

        return true;
    }

    private ReceivedCommand ToCommand(MqttApplicationMessage message, string deviceId, CommandKind kind)
    {
        // One segment of its own, which may be kept: the client makes a new array for each packet.
        var payload = message.Payload.IsSingleSegment ? message.Payload.First : message.Payload.ToArray();
        var problem = CommandReader.Read(kind, payload, out var pins);
        ImmutableArray<KeyValuePair<string, string>> properties = message.UserProperties is { Count: > 0 } list
            ? [.. list.Select(property => KeyValuePair.Create(property.Name, Encoding.UTF8.GetString(property.ValueBuffer.Span)))]
            : [];
        return new ReceivedCommand
        {
            DeviceId = deviceId,
            Kind = kind,
            Topic = message.Topic,
            Payload = payload,
            ReceivedAt = _timeProvider.GetUtcNow(),
            Pins = pins,
            Problem = problem,
            QualityOfService = (int)message.QualityOfServiceLevel,
            Retained = message.Retain,
            Duplicate = message.Dup,
            MessageExpirySeconds = message.MessageExpiryInterval is > 0 and var seconds ? seconds : null,
            CorrelationData = message.CorrelationData,
            ResponseTopic = message.ResponseTopic,
            ContentType = message.ContentType,
            UserProperties = properties,
            Deadline = DeadlineOf(properties),
        };
    }

    private static DateTimeOffset? DeadlineOf(ImmutableArray<KeyValuePair<string, string>> properties)
    {
        foreach (var (name, value) in properties)
        {
            if (name == "deadline"
                && long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds)
                && milliseconds <= DateTimeOffset.MaxValue.ToUnixTimeMilliseconds())
            {
                return DateTimeOffset.FromUnixTimeMilliseconds(milliseconds);
            }
        }

        return null;
    }
}
