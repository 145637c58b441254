using System.Text;
using System.Text.Json;

namespace MqttDeviceCluster.Silo.Wire;

/// <summary>The payload of a status: an object with <c>online</c>, or one of two plain words.</summary>
internal readonly struct StatusPayload
{
    public bool Online { get; private init; }

    public long? Boot { get; private init; }

    public string? Firmware { get; private init; }

    /// <summary>Gets why the payload, or a part of it, is refused, or <see langword="null"/>.</summary>
    public string? Refusal { get; private init; }

    /// <summary>Gets what was wrong first, without a byte of what the device sent.</summary>
    public string? Detail { get; private init; }

    public int RefusedParts { get; private init; }

    /// <summary>Gets whether all of it is refused.</summary>
    public bool IsRefused { get; private init; }

    /// <summary>Reads <paramref name="payload"/>. Never throws, whatever it is.</summary>
    public static StatusPayload Read(ReadOnlySpan<byte> payload)
    {
        var text = WireJson.WithoutBom(payload);
        var word = text.Trim(" \t\r\n"u8);
        if (Ascii.EqualsIgnoreCase(word, "online"u8))
        {
            return new StatusPayload { Online = true };
        }

        if (Ascii.EqualsIgnoreCase(word, "offline"u8))
        {
            return new StatusPayload { Online = false };
        }

        try
        {
            return ReadObject(text);
        }
        catch (JsonException e)
        {
            return Refuse(WireRefusals.NotJson, $"It is neither 'online' nor 'offline'. {WireJson.Describe(e)}");
        }
    }

    private static StatusPayload ReadObject(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json, WireJson.Options);
        reader.Read();
        bool? online = null;
        WireField boot = default;
        (string? Text, string? Problem) firmware = default;
        if (reader.TokenType == JsonTokenType.StartObject)
        {
            // A field named twice counts as last given, as in every JSON parser of note.
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (WireJson.NameIs(reader, "online"u8))
                {
                    online = ReadOnline(ref reader);
                }
                else if (WireJson.NameIs(reader, "boot"u8))
                {
                    boot = WireJson.ReadNumber(ref reader);
                }
                else if (WireJson.NameIs(reader, "fw"u8))
                {
                    firmware = ReadFirmware(ref reader);
                }
                else
                {
                    WireJson.SkipValue(ref reader);
                }
            }
        }

        WireJson.ReadToEnd(ref reader);
        return online is { } known
            ? new StatusPayload
            {
                Online = known,

                // Without its boot a will counts for any session, as one of firmware that never had a boot does.
                Boot = boot.Value,
                Firmware = firmware.Text,
                RefusedParts = (boot.IsBad ? 1 : 0) + (firmware.Problem is null ? 0 : 1),
                Refusal = boot.IsBad || firmware.Problem is not null ? WireRefusals.BadStatus : null,
                Detail = boot.IsBad ? "Its 'boot' is not an integer." : firmware.Problem,
            }
            : Refuse(WireRefusals.NotAStatus, "It is no object whose 'online' is true or false.");
    }

    private static bool? ReadOnline(ref Utf8JsonReader reader)
    {
        reader.Read();
        switch (reader.TokenType)
        {
            case JsonTokenType.True:
                return true;
            case JsonTokenType.False:
                return false;
            default:
                reader.Skip();
                return null;
        }
    }

    private static (string? Text, string? Problem) ReadFirmware(ref Utf8JsonReader reader)
    {
        reader.Read();
        switch (reader.TokenType)
        {
            case JsonTokenType.Null:
                return default;
            case JsonTokenType.String:
                break;
            default:
                reader.Skip();
                return (null, "Its 'fw' is not a string.");
        }

        try
        {
            // Cut before it is copied: an escape takes six bytes at most for one.
            var text = reader.ValueSpan.Length > WireLimits.MaxFirmwareBytes * 6 ? null : reader.GetString()!;
            return text is null || Encoding.UTF8.GetByteCount(text) > WireLimits.MaxFirmwareBytes
                ? (null, $"Its 'fw' is longer than {WireLimits.MaxFirmwareBytes} bytes.")
                : text.Any(char.IsControl) ? (null, "Its 'fw' has control characters.")
                : (text.Length == 0 ? null : text, null);
        }
        catch (InvalidOperationException)
        {
            // Bytes that are not UTF-8, or half a surrogate pair.
            return (null, "Its 'fw' is not Unicode text.");
        }
    }

    private static StatusPayload Refuse(string refusal, string detail) => new() { IsRefused = true, RefusedParts = 1, Refusal = refusal, Detail = detail };
}
