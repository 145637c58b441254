using System.Text.Json;

namespace MqttDeviceCluster.Silo.Wire;

/// <summary>What the readers of payloads share.</summary>
internal static class WireJson
{
    public static readonly JsonReaderOptions Options = new() { MaxDepth = WireLimits.MaxDepth };

    /// <summary>Returns the payload without a byte order mark, which JSON does not know and some firmware writes.</summary>
    public static ReadOnlySpan<byte> WithoutBom(ReadOnlySpan<byte> payload) => payload.StartsWith("\uFEFF"u8) ? payload[3..] : payload;

    /// <summary>Returns whether the property name that the reader stands on is <paramref name="name"/>.</summary>
    public static bool NameIs(in Utf8JsonReader reader, ReadOnlySpan<byte> name)
    {
        if (!reader.ValueIsEscaped)
        {
            return reader.ValueSpan.SequenceEqual(name);
        }

        // Half a surrogate pair ("\ud800") is JSON by its grammar, and the reader throws when asked to unescape it.
        try
        {
            return reader.ValueTextEquals(name);
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    /// <summary>Reads the value of the property that the reader stands on, as a number.</summary>
    public static WireField ReadNumber(ref Utf8JsonReader reader)
    {
        reader.Read();
        switch (reader.TokenType)
        {
            case JsonTokenType.Number:
                return WireNumber.TryGetInt64(reader.ValueSpan, out var value) ? new(value) : WireField.Bad;
            case JsonTokenType.Null:
                return default;
            default:
                reader.Skip();
                return WireField.Bad;
        }
    }

    public static void SkipValue(ref Utf8JsonReader reader)
    {
        reader.Read();
        reader.Skip();
    }

    /// <summary>Reads the rest, which must be JSON too: half a message is no message.</summary>
    public static void ReadToEnd(ref Utf8JsonReader reader)
    {
        while (reader.Read())
        {
        }
    }

    /// <summary>Says where a payload stops being JSON, without a byte of what the device sent.</summary>
    public static string Describe(JsonException exception) =>
        $"It is not JSON from line {exception.LineNumber + 1}, byte {exception.BytePositionInLine + 1} on.";
}

/// <summary>A field that holds a number, nothing, or something that does not belong there.</summary>
internal readonly struct WireField(long? value, bool isBad = false)
{
    public static WireField Bad => new(null, true);

    public long? Value { get; } = value;

    public bool IsBad { get; } = isBad;

    public bool FitsInt32 => !IsBad && Value is null or (>= int.MinValue and <= int.MaxValue);
}
