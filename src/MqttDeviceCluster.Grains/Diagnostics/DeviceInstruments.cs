namespace MqttDeviceCluster;

/// <summary>The names of the device grains' meter and instruments. Tags never name a device.</summary>
public static class DeviceInstruments
{
    /// <summary>The meter, for <c>AddMeter</c>.</summary>
    public const string MeterName = "MqttDeviceCluster.Grains";

    /// <summary>Counts calls that ended, in <c>{command}</c>, by <see cref="KindTag"/> and <see cref="OutcomeTag"/>.</summary>
    public const string Commands = "mqttdevice.commands";

    /// <summary>The time from the publish of a command to its confirmation, in seconds, by <see cref="KindTag"/>.</summary>
    public const string ConfirmationDuration = "mqttdevice.command.confirmation.duration";

    /// <summary>Counts applied updates, in <c>{update}</c>, by whether they changed anything (<see cref="ChangedTag"/>).</summary>
    public const string UpdatesApplied = "mqttdevice.updates.applied";

    /// <summary>Counts updates, or readings in them, that were not applied, in <c>{update}</c>, by <see cref="ReasonTag"/>.</summary>
    public const string UpdatesIgnored = "mqttdevice.updates.ignored";

    /// <summary><c>config</c>, <c>set</c>, <c>update</c> or <c>wait</c>.</summary>
    public const string KindTag = "mqttdevice.command.kind";

    /// <summary>
    /// <c>published</c>, <c>observed</c>, <c>echoed</c>, <c>matched</c>, <c>timeout</c>, <c>busy</c>, <c>offline</c>, <c>broker_unavailable</c>, <c>interrupted</c>,
    /// <c>cancelled</c>, <c>invalid</c> or <c>error</c>.
    /// </summary>
    public const string OutcomeTag = "mqttdevice.command.outcome";

    /// <summary><c>late</c>, <c>too_many_pins</c>, <c>invalid_id</c> or <c>unknown_message</c>.</summary>
    public const string ReasonTag = "mqttdevice.update.reason";

    /// <summary>Whether the update changed what is stored.</summary>
    public const string ChangedTag = "mqttdevice.update.changed";
}
