using System.Collections.Immutable;
using System.Text.Json;
using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster.Silo.Wire;

/// <summary>The payload of an update, read in one pass and without reflection: an array of elements, or an envelope around one.</summary>
internal ref struct UpdatePayload
{
    // One update is read at a time on a thread, and its readings are copied out before the next.
    [ThreadStatic]
    private static PinReading[]? _scratch;

    private Utf8JsonReader _reader;
    private readonly PinReading[] _readings;
    private int _count;
    private int _elements;

    private UpdatePayload(ReadOnlySpan<byte> json)
    {
        _reader = new Utf8JsonReader(json, WireJson.Options);
        _readings = _scratch ??= new PinReading[WireLimits.MaxElements];
    }

    public long? Boot { get; private set; }

    public long? Seq { get; private set; }

    /// <summary>Gets why the payload, or a part of it, is refused, or <see langword="null"/>.</summary>
    public string? Refusal { get; private set; }

    /// <summary>Gets what was wrong first, without a byte of what the device sent.</summary>
    public string? Detail { get; private set; }

    public int RefusedParts { get; private set; }

    /// <summary>Gets whether all of it is refused.</summary>
    public bool IsRefused { get; private set; }

    public readonly ImmutableArray<PinReading> Pins => ImmutableArray.Create(_readings.AsSpan(0, _count));

    /// <summary>Reads <paramref name="payload"/>. Never throws, whatever it is.</summary>
    public static UpdatePayload Read(ReadOnlySpan<byte> payload)
    {
        var result = new UpdatePayload(WireJson.WithoutBom(payload));
        try
        {
            result.ReadDocument();
        }
        catch (JsonException e)
        {
            result.Refuse(WireRefusals.NotJson, WireJson.Describe(e));
        }

        return result;
    }

    private void ReadDocument()
    {
        _reader.Read();
        var found = _reader.TokenType switch
        {
            JsonTokenType.StartArray => ReadElements(),
            JsonTokenType.StartObject => ReadEnvelope(),
            _ => false,
        };
        if (IsRefused)
        {
            return;
        }

        WireJson.ReadToEnd(ref _reader);
        if (!found)
        {
            Refuse(WireRefusals.NotAnUpdate, "It is neither an array nor an object with an array 'pins'.");
        }
        else if (_count == 0 && _elements > 0)
        {
            Refuse(WireRefusals.BadElement, Detail!);
        }
    }

    private bool ReadEnvelope()
    {
        var found = false;
        WireField boot = default, seq = default;
        while (_reader.Read() && _reader.TokenType == JsonTokenType.PropertyName)
        {
            if (NameIs("pins"u8))
            {
                _reader.Read();
                found = _reader.TokenType == JsonTokenType.StartArray && ReadElements();
                if (IsRefused)
                {
                    return false;
                }

                if (!found)
                {
                    _reader.Skip();
                }
            }
            else if (NameIs("boot"u8))
            {
                boot = ReadField();
            }
            else if (NameIs("seq"u8))
            {
                seq = ReadField();
            }
            else
            {
                SkipValue();
            }
        }

        if (boot.IsBad || seq.IsBad)
        {
            // One without the other would order updates of different boots: with one of them bad there is no order.
            RefusePart(WireRefusals.BadEnvelope, $"Its '{(boot.IsBad ? "boot" : "seq")}' is not an integer.");
        }
        else
        {
            Boot = boot.Value;
            Seq = seq.Value;
        }

        return found;
    }

    private bool ReadElements()
    {
        // A field named twice counts as last given, as in every JSON parser of note; so does a second 'pins'.
        _count = 0;
        _elements = 0;
        RefusedParts = 0;
        Refusal = Detail = null;
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndArray)
        {
            if (_elements == WireLimits.MaxElements)
            {
                Refuse(WireRefusals.TooManyElements, $"It has more than {WireLimits.MaxElements} elements.");
                return false;
            }

            ReadElement();
            _elements++;
        }

        return true;
    }

    private void ReadElement()
    {
        if (_reader.TokenType != JsonTokenType.StartObject)
        {
            _reader.Skip();
            RefuseElement("is not an object");
            return;
        }

        WireField pin = default, mode = default, state = default;
        while (_reader.Read() && _reader.TokenType == JsonTokenType.PropertyName)
        {
            if (NameIs("pin"u8))
            {
                pin = ReadField();
            }
            else if (NameIs("mode"u8))
            {
                mode = ReadField();
            }
            else if (NameIs("state"u8))
            {
                state = ReadField();
            }
            else
            {
                SkipValue();
            }
        }

        if (pin.Value is not (>= 0 and <= int.MaxValue))
        {
            RefuseElement(pin.IsBad || pin.Value is not null ? "has a 'pin' that is not an integer from 0 to 2147483647" : "has no 'pin'");
        }
        else if (!mode.FitsInt32)
        {
            RefuseElement("has a 'mode' that is not a 32-bit integer");
        }
        else if (!state.FitsInt32)
        {
            RefuseElement("has a 'state' that is not a 32-bit integer");
        }
        else if (mode.Value is null && state.Value is null)
        {
            RefuseElement("has neither 'mode' nor 'state'");
        }
        else
        {
            _readings[_count++] = new PinReading((int)pin.Value, (PinMode?)(int?)mode.Value, (PinState?)(int?)state.Value);
        }
    }

    private WireField ReadField() => WireJson.ReadNumber(ref _reader);

    private void SkipValue() => WireJson.SkipValue(ref _reader);

    private readonly bool NameIs(ReadOnlySpan<byte> name) => WireJson.NameIs(_reader, name);

    private void RefuseElement(string problem) => RefusePart(WireRefusals.BadElement, $"Element {_elements + 1} {problem}.");

    private void RefusePart(string refusal, string detail)
    {
        RefusedParts++;
        Refusal ??= refusal;
        Detail ??= detail;
    }

    private void Refuse(string refusal, string detail)
    {
        IsRefused = true;
        Refusal = refusal;
        Detail = detail;
        _count = 0;
    }
}
