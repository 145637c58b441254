using System.Globalization;
using MqttDeviceCluster.IntegrationTests.Infrastructure;

namespace MqttDeviceCluster.IntegrationTests.Fleet;

/// <summary>
/// Devices that send reports made by chance, and what a watch must be told of them. Kept apart from the product: a model of its own of what changed.
/// </summary>
/// <remarks>
/// Pin 20 has a new mode in every report, the number of it: no two events of a device are alike, so a lost, repeated or misplaced one shows.
/// </remarks>
internal sealed class FleetLedger(int devices, int seed)
{
    public const int CounterPin = 20;

    private const int FirstNumber = 1000;

    private readonly Random _random = new(seed);
    private readonly Dictionary<string, List<LedgerEntry>> _entries = [];
    private readonly Dictionary<(string Device, int Pin), (int Mode, int State)> _known = [];
    private int _rounds;

    /// <summary>Gets the ids: hexadecimal, <c>0000</c> and so on.</summary>
    public IReadOnlyList<string> DeviceIds { get; } = [.. Enumerable.Range(0, devices).Select(static i => i.ToString("X4", CultureInfo.InvariantCulture))];

    /// <summary>Has every device send one report; returns when the broker has them all.</summary>
    public async Task PublishRoundAsync(TestPublisher publisher)
    {
        var round = _rounds++;
        await Task.WhenAll(DeviceIds.Select(deviceId => publisher.PublishAsync($"device/{deviceId}/pin/update", Report(deviceId, round))));
    }

    /// <summary>Returns what a watch with these options must be told, device by device.</summary>
    public Dictionary<string, List<string>> Expected(WatchOptions options) => _entries
        .Where(device => (options.DeviceId ?? device.Key) == device.Key && device.Key.StartsWith(options.DeviceIdPrefix ?? "", StringComparison.Ordinal))
        .Select(device => (device.Key, Told: device.Value.Where(entry => Passes(entry, options)).Select(static entry => entry.Text).ToList()))
        .Where(static device => device.Told.Count > 0)
        .ToDictionary(static device => device.Key, static device => device.Told);

    /// <summary>Returns what a watch was told, in the same form.</summary>
    public static Dictionary<string, List<string>> Told(IEnumerable<DeviceEvent> events) => events
        .GroupBy(static value => value.DeviceId ?? "")
        .ToDictionary(static device => device.Key, static device => device.Select(Text).ToList());

    private static bool Passes(LedgerEntry entry, WatchOptions options) => entry.Pin is null
        ? options.IncludePresence
        : (entry.Changed || options.IncludeUnchanged)
            && (options.Pins?.Pin ?? entry.Pin) == entry.Pin
            && (options.Pins?.Mode ?? (PinMode)entry.Mode) == (PinMode)entry.Mode
            && (options.Pins?.State ?? (PinState)entry.State) == (PinState)entry.State;

    private static string Text(DeviceEvent value) => value switch
    {
        PinEvent pin => TextOf(pin.Update.Pin, (int)pin.Update.Mode!, (int)pin.Update.State!, pin.Changed) + (pin.Redelivered ? " redelivered" : ""),
        PresenceEvent { Presence: { State: Presence.Online, Reason: PresenceReason.Traffic } } => "online",
        DeviceAddedEvent => "added",
        _ => value.ToString(),
    };

    private static string TextOf(int pin, int mode, int state, bool changed) =>
        string.Create(CultureInfo.InvariantCulture, $"{pin} mode {mode} state {state}{(changed ? " changed" : "")}");

    private string Report(string deviceId, int round)
    {
        if (!_entries.TryGetValue(deviceId, out var entries))
        {
            _entries[deviceId] = entries = [new("added"), new("online")];
        }

        List<(int Pin, int Mode, int State)> pins = [(CounterPin, FirstNumber + round, round % 2)];
        if (_random.Next(10) < 6)
        {
            pins.Add((13, (int)PinMode.Output, _random.Next(2)));
        }

        if (_random.Next(10) < 4)
        {
            pins.Add((14, (int)(_random.Next(2) == 0 ? PinMode.Input : PinMode.InputPullUp), _random.Next(2)));
        }

        foreach (var (pin, mode, state) in pins)
        {
            var changed = !_known.TryGetValue((deviceId, pin), out var known) || known != (mode, state);
            _known[(deviceId, pin)] = (mode, state);
            entries.Add(new(TextOf(pin, mode, state, changed), pin, mode, state, changed));
        }

        var readings = pins.Select(static pin => string.Create(CultureInfo.InvariantCulture, $$"""{"pin":{{pin.Pin}},"mode":{{pin.Mode}},"state":{{pin.State}}}"""));
        return $"[{string.Join(',', readings)}]";
    }

    private sealed record LedgerEntry(string Text, int? Pin = null, int Mode = 0, int State = 0, bool Changed = false);
}
