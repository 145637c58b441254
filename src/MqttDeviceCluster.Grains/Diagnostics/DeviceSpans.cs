namespace MqttDeviceCluster;

/// <summary>
/// The spans of the device grains, of calls such as <c>IDeviceGrain/SetPinsAsync</c>, and what the grains add to those of the publish and of the updates that answer.
/// <see cref="DeviceInstruments.KindTag"/> and <see cref="DeviceInstruments.OutcomeTag"/> have the values that they have in metrics.
/// </summary>
public static class DeviceSpans
{
    /// <summary>The name to pass to <c>AddSource</c>, on a silo.</summary>
    public const string ActivitySourceName = "MqttDeviceCluster.Grains";

    /// <summary>The device.</summary>
    public const string DeviceTag = "mdc.device.id";

    /// <summary>The command's id, as in the log and in <c>CommandResult.CommandId</c>.</summary>
    public const string CommandTag = "mdc.command.id";

    /// <summary>How a result is known: <c>published</c>, <c>observed</c> or <c>echoed</c>.</summary>
    public const string EvidenceTag = "mdc.command.evidence";

    /// <summary>The outcome of a call that failed; <c>not_stored</c> on an update.</summary>
    public const string ErrorTag = "error.type";

    /// <summary>The value of <see cref="ErrorTag"/> for an update that could not be stored: it comes again.</summary>
    public const string NotStored = "not_stored";
}
