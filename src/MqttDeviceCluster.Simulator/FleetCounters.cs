namespace MqttDeviceCluster.Simulator;

/// <summary>What a fleet has counted since it was made. Thread-safe; each number is exact, together they are not one moment.</summary>
public sealed class FleetCounters
{
    private long _commandsReceived;
    private long _lateCommands;
    private long _badCommands;
    private long _strayMessages;
    private long _updatesSent;
    private long _updatesLost;
    private long _connectionsMade;
    private long _connectionsLost;

    internal FleetCounters()
    {
    }

    /// <summary>Gets how many commands reached devices of the fleet, late and bad ones included.</summary>
    public long CommandsReceived => Interlocked.Read(ref _commandsReceived);

    /// <summary>Gets how many commands arrived after their <c>deadline</c>. On a broker with message expiry this stays 0.</summary>
    public long LateCommands => Interlocked.Read(ref _lateCommands);

    /// <summary>Gets how many commands could not be read.</summary>
    public long BadCommands => Interlocked.Read(ref _badCommands);

    /// <summary>Gets how many messages arrived for devices outside the fleet, or on other topics.</summary>
    public long StrayMessages => Interlocked.Read(ref _strayMessages);

    /// <summary>Gets how many updates (and raw payloads) were taken by the broker; with QoS 0, were written to the socket.</summary>
    public long UpdatesSent => Interlocked.Read(ref _updatesSent);

    /// <summary>Gets how many updates never left, or were not acknowledged, because the connection was away or the broker refused.</summary>
    public long UpdatesLost => Interlocked.Read(ref _updatesLost);

    /// <summary>Gets how many connections were made.</summary>
    public long ConnectionsMade => Interlocked.Read(ref _connectionsMade);

    /// <summary>Gets how many connections ended other than by a goodbye.</summary>
    public long ConnectionsLost => Interlocked.Read(ref _connectionsLost);

    internal long CountCommand() => Interlocked.Increment(ref _commandsReceived);

    internal void CountLate() => Interlocked.Increment(ref _lateCommands);

    internal void CountBad() => Interlocked.Increment(ref _badCommands);

    internal void CountStray() => Interlocked.Increment(ref _strayMessages);

    internal void CountSent() => Interlocked.Increment(ref _updatesSent);

    internal void CountLost() => Interlocked.Increment(ref _updatesLost);

    internal void CountConnection() => Interlocked.Increment(ref _connectionsMade);

    internal void CountConnectionLost() => Interlocked.Increment(ref _connectionsLost);
}
