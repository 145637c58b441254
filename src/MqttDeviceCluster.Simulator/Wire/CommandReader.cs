using System.Collections.Immutable;
using System.Text.Json;

namespace MqttDeviceCluster.Simulator.Wire;

/// <summary>Reads the payload of a command, strictly: what the service sends is ours to get right.</summary>
internal static class CommandReader
{
    private const int MaxPulseMilliseconds = 24 * 60 * 60 * 1000;

    /// <returns>Why the payload is not a command, or <see langword="null"/>.</returns>
    public static string? Read(CommandKind kind, ReadOnlyMemory<byte> payload, out ImmutableArray<CommandedPin> pins)
    {
        pins = [];
        try
        {
            using var document = JsonDocument.Parse(payload);
            if (document.RootElement.ValueKind != JsonValueKind.Array)
            {
                return "not an array";
            }

            var read = ImmutableArray.CreateBuilder<CommandedPin>(document.RootElement.GetArrayLength());
            foreach (var element in document.RootElement.EnumerateArray())
            {
                if (ReadElement(kind, element, out var pin) is { } problem)
                {
                    return $"element {read.Count}: {problem}";
                }

                read.Add(pin);
            }

            pins = read.MoveToImmutable();
            return null;
        }
        catch (JsonException exception)
        {
            return $"not JSON: {exception.Message}";
        }
    }

    private static string? ReadElement(CommandKind kind, JsonElement element, out CommandedPin pin)
    {
        pin = default;
        if (kind == CommandKind.Get)
        {
            if (element.ValueKind != JsonValueKind.Number || !element.TryGetInt32(out var number))
            {
                return "not a pin number";
            }

            pin = new CommandedPin(number, null, null, null);
            return null;
        }

        if (element.ValueKind != JsonValueKind.Object)
        {
            return "not an object";
        }

        int? id = null, mode = null, state = null, time = null;
        foreach (var property in element.EnumerateObject())
        {
            if (property.Value.ValueKind != JsonValueKind.Number || !property.Value.TryGetInt32(out var value))
            {
                return $"'{property.Name}' is not a whole number";
            }

            switch (property.Name)
            {
                case "pin": id = value; break;
                case "mode" when kind == CommandKind.Config: mode = value; break;
                case "state": state = value; break;
                case "time" when kind == CommandKind.Set: time = value; break;
                default: return $"'{property.Name}' is not part of a {kind} command";
            }
        }

        if (id is null || (kind == CommandKind.Config ? mode : state) is null)
        {
            return kind == CommandKind.Config ? "needs pin and mode" : "needs pin and state";
        }

        if (time is < 1 or > MaxPulseMilliseconds)
        {
            return $"time {time} is out of range";
        }

        pin = new CommandedPin(id.Value, mode, state, time is { } ms ? TimeSpan.FromMilliseconds(ms) : null);
        return null;
    }
}
