using System.CommandLine;
using MqttDeviceCluster.Cli.Output;
using MqttDeviceCluster.Cli.Parsing;

namespace MqttDeviceCluster.Cli.Commands;

internal sealed class WatchCommand : ConnectedCommand
{
    private static readonly TimeSpan MaxTime = TimeSpan.FromDays(1);

    private readonly Argument<string?> _device = new("DEVICE")
    {
        Description = "The one device to watch; it may be one that the cluster never heard of. Default: all of them.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly DefaultedOption<PinFilter?> _pin = Parsers.Of(
        "--pin",
        "PIN[=[MODE:]STATE]",
        "Whose changes are told, such as 13, 13=high or 13=output:high. Default: those of every pin.",
        text => (PinFilter?)PinSpecs.Filter(text),
        null);

    private readonly DefaultedOption<PinState?> _state = Parsers.Of(
        "--state",
        "STATE",
        $"Only changes into this state: {PinWords.StateForm}, or another number of an analog pin.",
        text => PinWords.TryState(text, anyNumber: true, out var state)
            ? state
            : throw new BadInputException($"'{PinSpecs.Shorten(text)}' is not a state: give {PinWords.StateForm}"),
        (PinState?)null);

    private readonly DefaultedOption<PinMode?> _mode = Parsers.Of(
        "--mode",
        "MODE",
        "Only changes of pins in this mode, such as output.",
        text => PinWords.TryMode(text, anyNumber: true, out var mode)
            ? mode
            : throw new BadInputException($"'{PinSpecs.Shorten(text)}' is not a mode: give {PinWords.ModeForm}"),
        (PinMode?)null);

    private readonly DefaultedOption<string?> _prefix = Parsers.Of(
        "--prefix", "TEXT", "How the ids of the watched devices begin.", text => (string?)PinSpecs.Prefix(text), null);

    private readonly DefaultedOption<TimeSpan?> _timeout = Parsers.Time(
        "--timeout", "End after this long; with --count, that is too late (exit code 3). Default: never.", MaxTime);

    private readonly DefaultedOption<int?> _count = Parsers.Of(
        "--count",
        "N",
        "End after this many changes: of pins, of presence, of devices added and forgotten. Default: never.",
        text => int.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var number) && number > 0
            ? number
            : throw new BadInputException($"'{PinSpecs.Shorten(text)}' is not a whole number from 1 to {int.MaxValue}"),
        (int?)null);

    public WatchCommand(CliEnvironment environment, CommonOptions common)
        : base(
            "watch",
            "Watch what happens to one device or to all, until Ctrl-C. Goes on by itself when a silo is lost, and says where something may be missing. "
            + "With --json: one document a line.",
            """
            mdc watch
            mdc watch 544B3B144B8C --pin 13
            mdc watch --prefix 544B --state high --mode output
            mdc watch --pin 13=high --count 1 --timeout 1m --json
            """,
            environment,
            common)
    {
        Add(_device);
        Add(_pin);
        Add(_state);
        Add(_mode);
        Add(_prefix);
        Add(_timeout);
        Add(_count);
        AddCommonOptions();
    }

    protected override bool Stays => true;

    protected override string CancelledMessage => "cancelled";

    protected override Task<Run> PrepareAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var device = parsed.GetValue(_device) is { } id ? PinSpecs.Device(id) : null;
        var prefix = _prefix.Read(parsed);
        if (device is not null && prefix is not null)
        {
            throw new BadInputException("a device and --prefix do not go together: give one of them");
        }

        var pins = Filter(parsed);
        var title = device is not null ? $"device {device}" : prefix is not null ? $"devices {prefix}…" : "all devices";
        var (count, timeout) = (_count.Read(parsed), _timeout.Read(parsed));
        return Task.FromResult<Run>(async (cluster, writer, token) =>
        {
            using CancellationTokenSource time = new(timeout ?? Timeout.InfiniteTimeSpan, Surroundings.TimeProvider);
            using var enough = CancellationTokenSource.CreateLinkedTokenSource(token, time.Token);
            var events = device is not null
                ? cluster.WatchAsync(device, pins, enough.Token)
                : cluster.WatchAsync(new WatchOptions { Pins = pins, DeviceIdPrefix = prefix }, enough.Token);
            var seen = await ShowAsync(events, writer.Watch(title), count, enough.Token);
            if (token.IsCancellationRequested)
            {
                // How a watch ends: nothing to be sorry for.
                return ExitCode.Cancelled;
            }

            return count is null || seen == count
                ? ExitCode.Done
                : throw new TimeoutException(FormattableString.Invariant($"{seen} of {count} changes within {timeout!.Value.TotalSeconds:0.###} s."));
        });
    }

    /// <summary>Shows events until there were enough, or the token is cancelled; returns how many changes were among them.</summary>
    private static async Task<int> ShowAsync(
        IAsyncEnumerable<DeviceEvent> events, IWatchView view, int? count, CancellationToken cancellationToken)
    {
        var seen = 0;
        await using (view)
        {
            try
            {
                await foreach (var told in events.WithCancellation(cancellationToken))
                {
                    view.Show(told);
                    if (told is PinEvent or PresenceEvent or DeviceAddedEvent or DeviceForgottenEvent && ++seen == count)
                    {
                        return seen;
                    }
                }
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return seen;
            }
        }

        return cancellationToken.IsCancellationRequested ? seen : throw new InvalidOperationException("the watch ended by itself");
    }

    private PinFilter? Filter(ParseResult parsed)
    {
        var (pin, state, mode) = (_pin.Read(parsed), _state.Read(parsed), _mode.Read(parsed));
        if ((pin?.State is not null && state is not null) || (pin?.Mode is not null && mode is not null))
        {
            throw new BadInputException($"{(pin.State is not null && state is not null ? "--state" : "--mode")} repeats what --pin says: give one of them");
        }

        return pin is null && state is null && mode is null
            ? null
            : new PinFilter(pin?.Pin, mode ?? pin?.Mode, state ?? pin?.State);
    }
}
