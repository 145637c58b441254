namespace MqttDeviceCluster;

/// <summary>The names of the device grains' meter and instruments. Tags never name a device.</summary>
public static class DeviceInstruments
{
    /// <summary>The meter, for <c>AddMeter</c>.</summary>
    public const string MeterName = "MqttDeviceCluster.Grains";

    /// <summary>Counter, <c>{command}</c>: calls that ended, by <see cref="KindTag"/> and <see cref="OutcomeTag"/>.</summary>
    public const string Commands = "mdc.commands";

    /// <summary>Up-down counter, <c>{command}</c>: calls that have not ended, the wait in line included, by <see cref="KindTag"/>.</summary>
    public const string ActiveCommands = "mdc.command.active";

    /// <summary>Histogram, <c>s</c>: from the publish of a command to its confirmation, by <see cref="KindTag"/>. What was not confirmed is not in it.</summary>
    public const string CommandDuration = "mdc.command.duration";

    /// <summary>Counter, <c>{update}</c>: updates and status messages that were applied, by whether they changed anything (<see cref="ChangedTag"/>).</summary>
    public const string UpdatesApplied = "mdc.updates.applied";

    /// <summary>Counter, <c>{update}</c>: updates, or readings in them, that were not applied, by <see cref="ReasonTag"/>.</summary>
    public const string UpdatesIgnored = "mdc.updates.ignored";

    /// <summary>Gauge, <c>{device}</c>: devices in this silo's memory.</summary>
    public const string DevicesActive = "mdc.devices.active";

    /// <summary>Gauge, <c>{device}</c>: devices of the whole cluster that are stored. One silo at a time counts them, now and then.</summary>
    public const string DevicesKnown = "mdc.devices.known";

    /// <summary>Gauge, <c>{device}</c>: those of them that are online. Counted together with <see cref="DevicesKnown"/>.</summary>
    public const string DevicesOnline = "mdc.devices.online";

    /// <summary>Counter, <c>{change}</c>: devices that came or went, by <see cref="PresenceTag"/> and <see cref="PresenceReasonTag"/>.</summary>
    public const string PresenceChanges = "mdc.devices.presence.changes";

    /// <summary>Gauge, <c>{watch}</c>: watches that this silo tells its news to. A watch over the fleet is on every silo.</summary>
    public const string Watches = "mdc.watches";

    /// <summary>Counter, <c>{event}</c>: events that a watch has missed because its buffer was full. The watcher is told so.</summary>
    public const string WatchEventsDropped = "mdc.watch.events.dropped";

    /// <summary><c>config</c>, <c>set</c>, <c>update</c> or <c>wait</c>.</summary>
    public const string KindTag = "mdc.command.kind";

    /// <summary>
    /// <c>published</c>, <c>observed</c>, <c>echoed</c>, <c>matched</c>, <c>timeout</c>, <c>busy</c>, <c>offline</c>, <c>broker_unavailable</c>, <c>interrupted</c>,
    /// <c>cancelled</c>, <c>invalid</c> or <c>error</c>.
    /// </summary>
    public const string OutcomeTag = "mdc.command.outcome";

    /// <summary><c>late</c>, <c>old_will</c>, <c>too_many_pins</c>, <c>invalid_id</c> or <c>unknown_message</c>.</summary>
    public const string ReasonTag = "mdc.update.reason";

    /// <summary>Whether the update changed what is stored.</summary>
    public const string ChangedTag = "mdc.update.changed";

    /// <summary><c>online</c> or <c>offline</c>.</summary>
    public const string PresenceTag = "mdc.device.presence";

    /// <summary><c>birth</c>, <c>traffic</c>, <c>last_will</c> or <c>silence</c>.</summary>
    public const string PresenceReasonTag = "mdc.device.presence.reason";
}
