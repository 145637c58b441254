using System.Buffers;
using System.Text;
using System.Text.Json;

namespace MqttDeviceCluster.Silo.FleetPage;

/// <summary>
/// Writes devices as a JSON array for the page: <c>{"id":"…","new":true,"presence":"online","reason":"birth","since":…,"firmware":"…","seen":…,"pins":[[13,3,1,…]]}</c>.
/// A pin is its number, mode and state as on the wire, and when that was received. Times are Unix milliseconds. <c>new</c> voids what the page knew of
/// the device; apart from that, what is not there has not changed. A forgotten device is <c>{"id":"…","gone":true}</c>.
/// </summary>
internal sealed class FleetRowWriter : IDisposable
{
    private readonly ArrayBufferWriter<byte> _buffer = new(4096);
    private readonly Utf8JsonWriter _json;

    public FleetRowWriter()
    {
        _json = new Utf8JsonWriter(_buffer);
        _json.WriteStartArray();
    }

    public int Count { get; private set; }

    /// <param name="device">The device.</param>
    /// <param name="baseline">The number of the last change that the reader knows.</param>
    public void Write(FleetDevice device, long baseline)
    {
        Count++;
        _json.WriteStartObject();
        _json.WriteString("id", device.Id);
        if (device.IsGone)
        {
            _json.WriteBoolean("gone", true);
        }
        else
        {
            WriteNews(device, baseline);
        }

        _json.WriteEndObject();
    }

    /// <summary>Returns the array, and begins a new one.</summary>
    public string Take()
    {
        _json.WriteEndArray();
        _json.Flush();
        var text = Encoding.UTF8.GetString(_buffer.WrittenSpan);
        _buffer.ResetWrittenCount();
        _json.Reset();
        _json.WriteStartArray();
        Count = 0;
        return text;
    }

    public void Dispose() => _json.Dispose();

    private void WriteNews(FleetDevice device, long baseline)
    {
        if (device.BornVersion > baseline)
        {
            _json.WriteBoolean("new", true);
        }

        if (device.FactsVersion > baseline)
        {
            _json.WriteString("presence", Words.Of(device.Presence.State));
            _json.WriteString("reason", Words.Of(device.Presence.Reason));
            WriteTime("since", device.Presence.Since);
            _json.WriteString("firmware", device.Firmware);
        }

        WriteTime("seen", device.LastSeen);
        if (device.Pins.TrueForAll(pin => pin.Version <= baseline))
        {
            return;
        }

        _json.WriteStartArray("pins");
        foreach (var pin in device.Pins.Where(pin => pin.Version > baseline))
        {
            _json.WriteStartArray();
            _json.WriteNumberValue(pin.Number);
            WriteNumber((int?)pin.Mode);
            WriteNumber((int?)pin.State);
            _json.WriteNumberValue(pin.At.ToUnixTimeMilliseconds());
            _json.WriteEndArray();
        }

        _json.WriteEndArray();
    }

    private void WriteTime(string name, DateTimeOffset? time)
    {
        if (time is { } known)
        {
            _json.WriteNumber(name, known.ToUnixTimeMilliseconds());
        }
        else
        {
            _json.WriteNull(name);
        }
    }

    private void WriteNumber(int? number)
    {
        if (number is { } known)
        {
            _json.WriteNumberValue(known);
        }
        else
        {
            _json.WriteNullValue();
        }
    }
}
