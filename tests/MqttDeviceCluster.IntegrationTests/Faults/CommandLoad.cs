using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using MqttDeviceCluster.Simulator;

namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>
/// A caller that commands devices all the time, and the devices: what he was told of each command, and what the device did. A command sets a pin that no other command of its time
/// sets, so that nothing else can pass for its confirmation.
/// </summary>
internal sealed class CommandLoad : IAsyncDisposable
{
    public const int Devices = 20;

    /// <summary>After so many commands to a device its first pin comes again, with the other state.</summary>
    private const int Pins = 200;

    /// <summary>What is left to a command.</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    /// <summary>What is published in time may be on its way for so long, and as much longer as this process, and so the others on the machine, were late to their work.</summary>
    private static readonly TimeSpan Transit = TimeSpan.FromMilliseconds(250);

    private readonly SimulatedFleet _fleet;
    private readonly ConcurrentDictionary<int, Told> _told = new();
    private readonly ConcurrentDictionary<int, ImmutableList<ReceivedCommand>> _received = new();
    private readonly ConcurrentDictionary<(string DeviceId, int Pin, int State), int> _numbers = new();
    private readonly CancellationTokenSource _enough = new();
    private readonly Lag _lag = new();
    private readonly Stopwatch _clock = new();
    private Task _run = Task.CompletedTask;

    /// <summary>Gets how many commands have not ended well so far.</summary>
    public int Failed => _told.Values.Count(static told => told.Happened != true);

    private CommandLoad(string broker) => _fleet = new(new()
    {
        Broker = new Uri(broker),
        Ids = [.. Enumerable.Range(0, Devices).Select(static i => string.Create(CultureInfo.InvariantCulture, $"c{i}"))],
        Behavior = DeviceBehavior.Default with { InitialPins = [] },

        // As long as a controller's: it does not notice a broker that hangs for a while, and is still there for what comes out of it.
        KeepAlive = TimeSpan.FromSeconds(60),
    });

    /// <summary>Starts the devices, and then the caller.</summary>
    /// <param name="broker">The broker, without a tap.</param>
    /// <param name="caller">The facade that commands go through.</param>
    /// <param name="perSecond">How many commands a second, over all devices in turn.</param>
    public static async Task<CommandLoad> StartAsync(string broker, Func<IDeviceCluster> caller, int perSecond)
    {
        CommandLoad load = new(broker);
        load._fleet.CommandReceived += (_, command) => load.OnReceived(command);
        await load._fleet.StartAsync(TestContext.Current.CancellationToken);
        load._clock.Start();
        load._run = Task.Run(() => load.RunAsync(caller, perSecond));
        return load;
    }

    /// <summary>Commands no more, waits for what is under way and for what may still act, and draws the balance.</summary>
    public async Task<CommandBalance> StopAsync()
    {
        await _enough.CancelAsync();
        await _run;
        var ended = _clock.Elapsed;

        // Nothing can act any more once all devices are there and the last expiry is over. Time is what is waited for here.
        await _fleet.WaitUntilConnectedAsync(TestContext.Current.CancellationToken);
        await Task.Delay(Timeout, TestContext.Current.CancellationToken);
        return Balance(ended);
    }

    public async ValueTask DisposeAsync()
    {
        await _enough.CancelAsync();
        await _run.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _fleet.DisposeAsync();
        await _lag.DisposeAsync();
        _enough.Dispose();
    }

    private async Task RunAsync(Func<IDeviceCluster> caller, int perSecond)
    {
        using PeriodicTimer timer = new(TimeSpan.FromMilliseconds(10));
        List<Task> calls = [];
        var number = 0;
        while (!_enough.IsCancellationRequested)
        {
            for (; number < _clock.Elapsed.TotalSeconds * perSecond; number++)
            {
                calls.Add(CallAsync(caller(), number));
            }

            calls.RemoveAll(static call => call.IsCompletedSuccessfully);
            await timer.WaitForNextTickAsync();
        }

        await Task.WhenAll(calls);
    }

    private async Task CallAsync(IDeviceCluster caller, int number)
    {
        var (device, turn) = (number % Devices, number / Devices);
        var deviceId = string.Create(CultureInfo.InvariantCulture, $"c{device}");
        var (pin, state) = (turn % Pins, 1 - (turn / Pins % 2));
        _numbers[(deviceId, pin, state)] = number;
        var calledAt = Stopwatch.GetTimestamp();
        var (outcome, happened) = ("confirmed", (bool?)true);
        var error = "";
        try
        {
            await caller.SetPinsAsync(deviceId, [new(pin, (PinState)state)], new() { Timeout = Timeout });
        }
        catch (Exception exception) when (exception is DeviceClusterException or DeviceTimeoutException or Orleans.Runtime.OrleansException or TimeoutException)
        {
            error = exception.Message;
            (outcome, happened) = exception switch
            {
                DeviceTimeoutException { Published: false } => ("timed out in line", (bool?)false),
                DeviceTimeoutException => ("timed out", null),
                DeviceInterruptedException { Published: false } => ("interrupted, not published", false),
                DeviceInterruptedException { Reason: var reason } => ($"interrupted: {reason}{KindOf(exception.InnerException)}", null),
                BrokerUnavailableException => ("broker unavailable", false),
                DeviceOfflineException => ("offline", false),
                DeviceBusyException => ("busy", false),
                _ => (exception.GetType().Name, null),
            };
        }

        _told[number] = new(device, outcome, happened, error, calledAt, Stopwatch.GetElapsedTime(calledAt), _clock.Elapsed, TimeProvider.System.GetUtcNow());
    }

    private void OnReceived(ReceivedCommand command)
    {
        foreach (var pin in command.Pins)
        {
            _received.AddOrUpdate(_numbers[(command.DeviceId, pin.Pin, pin.State ?? -1)], [command], (_, earlier) => earlier.Add(command));
        }
    }

    private CommandBalance Balance(TimeSpan ended)
    {
        var (twice, falseConfirmations, falseDenials) = (0, 0, 0);
        List<long> late = [];
        List<string> examples = [];
        foreach (var (number, told) in _told)
        {
            var received = _received.GetValueOrDefault(number, []);
            twice += received.Count > 1 ? 1 : 0;
            if (told.Happened == true && received.IsEmpty)
            {
                falseConfirmations++;
                examples.Add($"{number}: confirmed, and c{told.Device} never saw it");
            }

            if (told.Happened == false && !received.IsEmpty)
            {
                falseDenials++;
                examples.Add($"{number}: {told.Outcome} ({told.Error}), and c{told.Device} got it at {received[0].ReceivedAt:O}");
            }

            if (received.FirstOrDefault(IsLate) is { } acted)
            {
                late.Add(told.CalledAt);
                examples.Add($"{number}: {told.Outcome} at {told.At:O}, deadline {acted.Deadline:O}, and c{told.Device} got it at {acted.ReceivedAt:O}");
            }
        }

        var gap = TimeSpan.Zero;
        for (var device = 0; device < Devices; device++)
        {
            var last = TimeSpan.Zero;
            foreach (var at in _told.Values.Where(told => told.Device == device && told.Happened == true).Select(static told => told.Elapsed).Order().Append(ended))
            {
                gap = at - last > gap ? at - last : gap;
                last = at;
            }
        }

        return new(
            _told.Count,
            _told.Values.Count(static told => told.Happened == true),
            _told.Values.Where(static told => told.Happened != true).GroupBy(static told => told.Outcome).ToImmutableSortedDictionary(static kind => kind.Key, static kind => kind.Count()),
            [.. late], twice, falseConfirmations, falseDenials, gap, _told.Values.Select(static told => told.Took).DefaultIfEmpty().Max(), [.. examples.Take(10)]);
    }

    // Orleans says what happened in words, and which message and silo it was to: its first words tell the kind.
    private static string KindOf(Exception? exception) =>
        exception is null ? "" : $": {string.Join(' ', exception.Message.Split(' ', 13).Take(12).Select(static word => word.Any(char.IsAsciiDigit) ? "…" : word))}";

    private bool IsLate(ReceivedCommand command) =>
        command.Deadline is { } deadline && command.ReceivedAt - deadline > Transit && command.ReceivedAt - deadline > Transit + _lag.LongestWithin(deadline, command.ReceivedAt);

    private sealed record Told(int Device, string Outcome, bool? Happened, string Error, long CalledAt, TimeSpan Took, TimeSpan Elapsed, DateTimeOffset At);
}

/// <summary>What became of the commands of a run.</summary>
/// <param name="Sent">How many were called.</param>
/// <param name="Confirmed">How many ended well.</param>
/// <param name="Failed">How the others ended, and how many.</param>
/// <param name="ActedLate">When each of those was called that reached their device later than their deadline and a moment of transit (<see cref="Stopwatch"/>).</param>
/// <param name="ActedTwice">How many acted more than once.</param>
/// <param name="FalselyConfirmed">How many were confirmed that no device saw.</param>
/// <param name="FalselyDenied">How many acted though their caller was told that nothing happened.</param>
/// <param name="LongestGap">The longest time in which no command to one of the devices was confirmed.</param>
/// <param name="LongestCall">How long a caller waited at most, whatever the answer.</param>
/// <param name="Examples">Some that went wrong.</param>
internal sealed record CommandBalance(
    int Sent, int Confirmed, ImmutableSortedDictionary<string, int> Failed, ImmutableArray<long> ActedLate, int ActedTwice, int FalselyConfirmed, int FalselyDenied, TimeSpan LongestGap, TimeSpan LongestCall,
    ImmutableArray<string> Examples);
