using System.CommandLine;
using System.Globalization;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using MqttDeviceCluster.Cli.Connection;
using MqttDeviceCluster.Cli.Output;
using MqttDeviceCluster.Simulator;

namespace MqttDeviceCluster.Cli.Commands;

internal sealed class SimulateCommand : Command, IHasExamples
{
    private static readonly TimeSpan MaxTime = TimeSpan.FromDays(1);

    private readonly SimulationOptions _options = new();

    private readonly DefaultedOption<TimeSpan?> _duration = Parsers.Time("--duration", "Stop after this long. Default: on Ctrl-C.", MaxTime);

    private readonly CliEnvironment _environment;
    private readonly CommonOptions _common;

    public SimulateCommand(CliEnvironment environment, CommonOptions common)
        : base(
            "simulate",
            "Run simulated devices on a broker until Ctrl-C, which is the ordinary end (exit code 0).")
    {
        (_environment, _common) = (environment, common);
        _options.AddTo(this);
        Add(_duration);
        _common.AddOutputTo(this);
        SetAction(RunAsync);
    }

    public string Examples =>
        """
        mdc simulate --devices 100
        mdc simulate --devices 5 --split per-pin --pulses both --delay 50ms --jitter 200ms
        mdc simulate --id 544B3B144B8C --envelope --echo
        """;

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var json = parsed.GetValue(_common.Json);
        try
        {
            using var loggers = parsed.GetValue(_common.Verbose)
                ? LoggerFactory.Create(logging => logging.AddStandardError())
                : (ILoggerFactory)NullLoggerFactory.Instance;
            var options = _options.Read(parsed);
            await using var fleet = new SimulatedFleet(options, loggers, _environment.TimeProvider);
            await fleet.StartAsync(cancellationToken);
            Announce(fleet, options, json);
            await StopAsync(_duration.Read(parsed) ?? Timeout.InfiniteTimeSpan, cancellationToken);
            if (!json)
            {
                _environment.Output.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{fleet.Counters.CommandsReceived} commands received, {fleet.Counters.UpdatesSent} updates sent"));
            }

            return ExitCode.Done;
        }
        catch (Exception exception) when (exception is not OutputClosedException)
        {
            var failure = Failure.Of(exception, cancellationToken.IsCancellationRequested);
            failure.Write(_environment.Error, json);
            return failure.ExitCode;
        }
    }

    private async Task StopAsync(TimeSpan duration, CancellationToken cancellationToken)
    {
        try
        {
            await Task.Delay(duration, _environment.TimeProvider, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Ctrl-C is how a simulation ends.
        }
    }

    private void Announce(SimulatedFleet fleet, SimulatedFleetOptions options, bool json)
    {
        var (first, last) = (fleet.Devices[0].Id, fleet.Devices[^1].Id);
        _environment.Output.WriteLine(json
            ? JsonDocuments.Simulation(options.BrokerName, fleet.Devices.Length, first, last)
            : string.Create(
                CultureInfo.InvariantCulture,
                $"{fleet.Devices.Length} simulated {(fleet.Devices.Length == 1 ? "device" : "devices")} on {options.BrokerName}: {(first == last ? first : $"{first} to {last}")}"));
        _environment.Output.Flush();
    }
}
