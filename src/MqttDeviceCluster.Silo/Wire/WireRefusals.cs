namespace MqttDeviceCluster.Silo.Wire;

/// <summary>Why a device's payload, or a part of it, is refused. The names are metric tags: a small, fixed set.</summary>
internal static class WireRefusals
{
    /// <summary>The topic's key breaks the rules of <see cref="DeviceId.IsValid"/>.</summary>
    public const string BadDeviceId = "bad_device_id";

    /// <summary>The payload is larger than <see cref="WireLimits.MaxPayloadBytes"/>.</summary>
    public const string TooLarge = "too_large";

    /// <summary>The payload is not one well-formed JSON text, or is nested deeper than <see cref="WireLimits.MaxDepth"/>.</summary>
    public const string NotJson = "not_json";

    /// <summary>The payload is JSON, and neither an array nor an envelope with an array in it.</summary>
    public const string NotAnUpdate = "not_an_update";

    /// <summary>There are more than <see cref="WireLimits.MaxElements"/> elements.</summary>
    public const string TooManyElements = "too_many_elements";

    /// <summary>Elements without a pin, with neither mode nor state, or with something else where a number belongs. The others count.</summary>
    public const string BadElement = "bad_element";

    /// <summary>An envelope whose <c>boot</c> or <c>seq</c> is not a number. Its pins count, without an order.</summary>
    public const string BadEnvelope = "bad_envelope";

    /// <summary>The payload is JSON, and no object whose <c>online</c> is true or false; or it is another word than <c>online</c> and <c>offline</c>.</summary>
    public const string NotAStatus = "not_a_status";

    /// <summary>A status whose <c>boot</c> is not a number, or whose <c>fw</c> is no text that can be kept. The rest counts.</summary>
    public const string BadStatus = "bad_status";
}
