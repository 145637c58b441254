using System.Collections.Immutable;
using MqttDeviceCluster.Simulator.Connection;
using MqttDeviceCluster.Simulator.Wire;

namespace MqttDeviceCluster.Simulator;

/// <summary>
/// A device: pins with modes, states and pulse timers, and a way of answering. It belongs to a <see cref="SimulatedFleet"/>, which connects
/// it. Thread-safe.
/// </summary>
public sealed class SimulatedDevice
{
    private readonly Lock _lock = new();
    private readonly TimeProvider _timeProvider;
    private readonly FleetCounters _counters;
    private readonly AnswerSender _answers;
    private readonly List<ReceivedCommand>? _commands;
    private readonly DeviceWaiters _waiters = new();
    private readonly Dictionary<int, Pulse> _pulses = [];
    private volatile DeviceBehavior _behavior;
    private ImmutableArray<SimulatedPin> _pins;
    private IDeviceUplink? _uplink;
    private long _commandCount;
    private bool _stopped;

    internal SimulatedDevice(string id, SimulatedFleetOptions options, long boot, FleetCounters counters, TimeProvider timeProvider)
    {
        Id = id;
        _timeProvider = timeProvider;
        _counters = counters;
        _behavior = options.Behavior;
        _pins = options.Behavior.InitialPins;
        _commands = options.RecordCommands ? [] : null;
        _answers = new AnswerSender(id, options.Seed, boot, message => Uplink.Post(message), timeProvider);
    }

    /// <summary>Raised for every command, before the device acts on it. A handler holds up its whole connection.</summary>
    public event EventHandler<ReceivedCommand>? CommandReceived;

    /// <summary>Raised with the pin when a pulse has ended, after its way back was reported (if it is).</summary>
    public event EventHandler<int>? PulseEnded;

    /// <summary>Gets the device id.</summary>
    public string Id { get; }

    /// <summary>Gets or sets how the device behaves, from the next command on; its status style, from the next connection on.</summary>
    public DeviceBehavior Behavior
    {
        get => _behavior;
        set
        {
            ArgumentNullException.ThrowIfNull(value);
            var problems = value.Problems().ToList();
            if (problems.Count > 0)
            {
                throw new ArgumentException(string.Join("; ", problems), nameof(value));
            }

            _behavior = value;
        }
    }

    /// <summary>Gets the pins as they are now, in the order in which they were first named.</summary>
    public ImmutableArray<SimulatedPin> Pins
    {
        get
        {
            lock (_lock)
            {
                return _pins;
            }
        }
    }

    /// <summary>Gets the number of the device's current start.</summary>
    public long Boot => _answers.Boot;

    /// <summary>Gets how many commands the device received.</summary>
    public long CommandCount => Interlocked.Read(ref _commandCount);

    /// <summary>Gets a copy of the received commands, oldest first.</summary>
    /// <exception cref="InvalidOperationException"><see cref="SimulatedFleetOptions.RecordCommands"/> is off.</exception>
    public ImmutableArray<ReceivedCommand> Commands
    {
        get
        {
            if (_commands is null)
            {
                throw new InvalidOperationException($"{nameof(SimulatedFleetOptions.RecordCommands)} is off.");
            }

            lock (_lock)
            {
                return [.. _commands];
            }
        }
    }

    private IDeviceUplink Uplink => _uplink ?? throw new InvalidOperationException("The fleet was not started.");

    /// <summary>Waits for a command that arrives after this call, until the device has acted on it and its answer is on its way.</summary>
    /// <param name="match">Which command; <see langword="null"/> is any.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public Task<ReceivedCommand> WaitForCommandAsync(
        Func<ReceivedCommand, bool>? match = null, CancellationToken cancellationToken = default) =>
        _waiters.AddCommand(match, cancellationToken);

    /// <summary>Waits for the end of a pulse that ends after this call.</summary>
    /// <param name="pin">The pin.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public Task WaitForPulseEndAsync(int pin, CancellationToken cancellationToken = default) => _waiters.AddPulse(pin, cancellationToken);

    /// <summary>Changes a pin as a button or a timer in the device would, and reports it unasked.</summary>
    /// <param name="pin">The pin; one that was never named becomes an input.</param>
    /// <param name="state">The state.</param>
    public void ChangePin(int pin, int state)
    {
        lock (_lock)
        {
            var changed = Find(pin) is { } known ? known with { State = state } : new SimulatedPin(pin, 1, state);
            Put(changed);
            _answers.Send([changed], _behavior, correlationData: null);
        }
    }

    /// <summary>Reports all pins unasked.</summary>
    public void Report()
    {
        lock (_lock)
        {
            if (!_stopped)
            {
                _answers.Send(_pins, _behavior, correlationData: null);
            }
        }
    }

    /// <summary>Publishes a payload as it is, on the device's update topic unless told otherwise.</summary>
    /// <param name="payload">The payload; see <see cref="BadPayload"/> for some that break the protocol.</param>
    /// <param name="topic">Another topic.</param>
    /// <param name="retain">Whether the broker keeps it.</param>
    /// <param name="correlationData">The Correlation Data.</param>
    /// <returns>A task that ends when the broker took it.</returns>
    /// <exception cref="IOException">The connection was away or ended first, or the broker refused; it may have arrived.</exception>
    public Task SendRawAsync(
        ReadOnlyMemory<byte> payload, string? topic = null, bool retain = false, ReadOnlyMemory<byte>? correlationData = null)
    {
        var sent = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Uplink.Post(new OutgoingMessage(topic ?? _answers.UpdateTopic, payload, retain, correlationData?.ToArray(), sent));
        return sent.Task;
    }

    /// <summary>
    /// Cuts the device's connection without a goodbye, so that the broker publishes its last will, and stays away. Devices that share the
    /// connection go with it.
    /// </summary>
    public void DropConnection() => Uplink.Drop();

    /// <summary>Connects again after <see cref="DropConnection"/>.</summary>
    /// <param name="reboot">Whether the device restarted meanwhile: its pins are the initial ones again, and its boot number is one more.</param>
    /// <param name="cancellationToken">Stops waiting; the connection is still made.</param>
    public Task ReconnectAsync(bool reboot = false, CancellationToken cancellationToken = default)
    {
        if (reboot)
        {
            lock (_lock)
            {
                ClearPulses();
                _pins = _behavior.InitialPins;
                _answers.Reboot();
            }
        }

        return Uplink.RestoreAsync(cancellationToken);
    }

    internal void Attach(IDeviceUplink uplink) => _uplink = uplink;

    internal (string Topic, byte[] Payload)? Status(bool online) => _behavior is { Status: not StatusStyle.None } behavior
        ? (DeviceTopics.Status(Id), DeviceWriter.Status(behavior.Status, online, Boot, behavior.Firmware))
        : null;

    internal void Receive(ReceivedCommand command)
    {
        CommandReceived?.Invoke(this, command);
        var behavior = _behavior;
        lock (_lock)
        {
            _commands?.Add(command);
            Interlocked.Increment(ref _commandCount);
            if (command.Problem is null && !_stopped && !(behavior.HonorDeadline && command.IsPastDeadline))
            {
                Act(command, behavior);
            }
        }

        if (command.Problem is not null)
        {
            _counters.CountBad();
        }

        if (command.IsPastDeadline)
        {
            _counters.CountLate();
        }

        _waiters.Complete(command);
    }

    internal void Stop()
    {
        lock (_lock)
        {
            _stopped = true;
            ClearPulses();
        }

        _answers.Stop();
    }

    private void Act(ReceivedCommand command, DeviceBehavior behavior)
    {
        var answer = ImmutableArray.CreateBuilder<SimulatedPin>(command.Pins.Length);
        var correlationData = behavior.Echo ? command.CorrelationData?.ToArray() : null;
        foreach (var asked in command.Pins)
        {
            var known = Find(asked.Pin);
            switch (command.Kind)
            {
                case CommandKind.Get:
                    answer.Add(known ?? new SimulatedPin(asked.Pin, -1, 0));
                    break;

                case CommandKind.Config:
                    var configured = new SimulatedPin(asked.Pin, asked.Mode!.Value, asked.State ?? known?.State ?? 0);
                    EndPulse(asked.Pin);
                    Put(configured);
                    answer.Add(configured);
                    break;

                case CommandKind.Set:
                    var set = new SimulatedPin(asked.Pin, known?.Mode ?? 3, asked.State!.Value);
                    EndPulse(asked.Pin);
                    Put(set);
                    if (asked.Time is { } time)
                    {
                        StartPulse(set, time, correlationData);
                    }

                    if (asked.Time is null || behavior.Pulses.HasFlag(PulseReports.FirstEdge))
                    {
                        answer.Add(set);
                    }

                    break;
            }
        }

        if (command is { Kind: CommandKind.Get, Pins.IsEmpty: true })
        {
            _answers.Send(_pins, behavior, correlationData);
        }
        else if (answer.Count > 0)
        {
            _answers.Send(answer.DrainToImmutable(), behavior, correlationData);
        }
    }

    private void StartPulse(SimulatedPin pin, TimeSpan time, byte[]? correlationData)
    {
        var pulse = new Pulse(pin.State, correlationData);
        _pulses[pin.Pin] = pulse;
        pulse.Timer = _timeProvider.CreateTimer(_ => PulseOver(pin.Pin, pulse), null, time, Timeout.InfiniteTimeSpan);
    }

    private void PulseOver(int pin, Pulse pulse)
    {
        lock (_lock)
        {
            // A later command for the pin has taken its place.
            if (_stopped || !_pulses.TryGetValue(pin, out var current) || current != pulse)
            {
                return;
            }

            EndPulse(pin);
            var back = new SimulatedPin(pin, Find(pin)?.Mode ?? 3, pulse.State == 0 ? 1 : 0);
            Put(back);
            if (_behavior.Pulses.HasFlag(PulseReports.WayBack))
            {
                _answers.Send([back], _behavior, pulse.CorrelationData);
            }
        }

        PulseEnded?.Invoke(this, pin);
        _waiters.CompletePulse(pin);
    }

    private void EndPulse(int pin)
    {
        if (_pulses.Remove(pin, out var pulse))
        {
            pulse.Timer?.Dispose();
        }
    }

    private void ClearPulses()
    {
        foreach (var pulse in _pulses.Values)
        {
            pulse.Timer?.Dispose();
        }

        _pulses.Clear();
    }

    private SimulatedPin? Find(int pin)
    {
        foreach (var known in _pins)
        {
            if (known.Pin == pin)
            {
                return known;
            }
        }

        return null;
    }

    private void Put(SimulatedPin pin)
    {
        for (var i = 0; i < _pins.Length; i++)
        {
            if (_pins[i].Pin == pin.Pin)
            {
                _pins = _pins.SetItem(i, pin);
                return;
            }
        }

        _pins = _pins.Add(pin);
    }

    private sealed class Pulse(int state, byte[]? correlationData)
    {
        public int State { get; } = state;

        public byte[]? CorrelationData { get; } = correlationData;

        public ITimer? Timer { get; set; }
    }
}
