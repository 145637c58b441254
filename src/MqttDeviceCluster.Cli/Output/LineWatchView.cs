using System.Globalization;
using MqttDeviceCluster.Cli.Parsing;

namespace MqttDeviceCluster.Cli.Output;

/// <summary>A line for each event: when, which device, what.</summary>
internal sealed class LineWatchView(CliEnvironment environment) : IWatchView
{
    // The length of the ids in the field, until a longer one comes by.
    private int _width = 12;

    public void Show(DeviceEvent told)
    {
        var device = told.DeviceId ?? "-";
        _width = Math.Max(_width, device.Length);
        environment.Output.WriteLine($"{ResultWriter.Time(told.At)}  {device.PadRight(_width)}  {Describe(told)}");
        environment.Output.Flush();
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static string Describe(DeviceEvent told) => told switch
    {
        WatchStartedEvent => "started",
        DeviceSnapshotEvent whole => string.Join(
            ' ', whole.Snapshot.Pins.Select(Pin).Prepend($"snapshot {PresenceWords.Describe(whole.Snapshot.Presence)}")),
        PinEvent pin => $"pin {Pin(pin.Update)}",
        PresenceEvent presence => $"presence {PresenceWords.Describe(presence.Presence)}",
        DeviceAddedEvent => "added",
        DeviceForgottenEvent => "forgotten",
        GapEvent gap => PresenceWords.Describe(gap),
        _ => throw new NotSupportedException($"There is no line for {told.GetType().Name}."),
    };

    /// <summary>The pin in the form that commands and filters have.</summary>
    private static string Pin(PinUpdate update) =>
        string.Create(CultureInfo.InvariantCulture, $"{update.Pin}={PinWords.Word(update.Mode)}:{PinWords.Word(update.State)}");
}
