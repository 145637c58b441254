using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using MqttDeviceCluster.Cli;
using MqttDeviceCluster.Cli.Connection;

namespace MqttDeviceCluster.Tests.Cli;

/// <summary>A cluster that answers as it is told, and remembers what it was asked.</summary>
internal sealed class FakeCluster : IDeviceCluster, IClusterConnector, IClusterConnection
{
    private readonly TaskCompletionSource _told = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public static readonly DateTimeOffset Now = new(2026, 3, 4, 5, 6, 7, 89, TimeSpan.Zero);

    public Exception? Failure { get; init; }

    public Func<CancellationToken, Task>? Before { get; init; }

    public Evidence Evidence { get; init; } = Evidence.Observed;

    public DeviceSnapshot? Snapshot { get; init; }

    public ImmutableArray<PinUpdate> Updates { get; init; } =
        [new(13, PinMode.Output, PinState.Low, Now), new(7, null, (PinState)512, Now), new(104, (PinMode)77, null, Now)];

    /// <summary>Gets the devices that it lists.</summary>
    public IEnumerable<DeviceSnapshot> Devices { get; init; } = [];

    /// <summary>Gets what happens before the device of that number, from 0, is listed.</summary>
    public Func<int, Task>? BeforeDevice { get; init; }

    /// <summary>Gets what its watches are told. After that they stay open until they are cancelled, unless <see cref="WatchEnds"/>.</summary>
    public IEnumerable<DeviceEvent> Events { get; init; } = [];

    public bool WatchEnds { get; init; }

    /// <summary>Gets a task that ends when a watch was told everything.</summary>
    public Task Told => _told.Task;

    public bool Forgets { get; init; } = true;

    public Func<(int Width, int Height)>? LiveTerminal { get; init; }

    public string? Answers { get; init; }

    public Dictionary<string, string> Variables { get; init; } = [];

    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Gets where the output of a run goes as it is written, for tests that look on.</summary>
    public StringWriter Output { get; } = new() { NewLine = "\n" };

    public List<object?> Asked { get; } = [];

    public ClusterSettings? Settings { get; private set; }

    public IDeviceCluster Cluster => this;

    public Task<(int ExitCode, string Output, string Error)> RunAsync(string line, int? terminalWidth = null) =>
        RunUntilAsync(line, terminalWidth, TestContext.Current.CancellationToken);

    public async Task<(int ExitCode, string Output, string Error)> RunUntilAsync(string line, int? terminalWidth, CancellationToken token)
    {
        using var error = new StringWriter { NewLine = "\n" };
        var environment = new CliEnvironment
        {
            Output = TextWriter.Synchronized(Output),
            Error = error,
            TerminalWidth = terminalWidth,
            LiveTerminal = LiveTerminal,
            Answers = Answers is null ? null : new StringReader(Answers),
            Connector = this,
            TimeProvider = Time,
            Variable = Variables.GetValueOrDefault,
        };
        Output.GetStringBuilder().Clear();
        var code = await Mdc.RunAsync(line.Split(' ', StringSplitOptions.RemoveEmptyEntries), environment, token);
        return (code, Output.ToString(), error.ToString());
    }

    public Task<IClusterConnection> ConnectAsync(ClusterSettings settings, CancellationToken cancellationToken)
    {
        Settings = settings;
        return Failure is NoClusterException ? throw Failure : Task.FromResult<IClusterConnection>(this);
    }

    public Task<CommandResult> ConfigPinsAsync(
        string deviceId, ImmutableArray<ConfigPin> pins, CommandOptions? options = null, CancellationToken cancellationToken = default) =>
        CommandAsync(deviceId, pins, options, cancellationToken);

    public Task<CommandResult> SetPinsAsync(
        string deviceId, ImmutableArray<SetPin> pins, CommandOptions? options = null, CancellationToken cancellationToken = default) =>
        CommandAsync(deviceId, pins, options, cancellationToken);

    public Task<CommandResult> UpdateAsync(
        string deviceId, ImmutableArray<int> pins, CommandOptions? options = null, CancellationToken cancellationToken = default) =>
        CommandAsync(deviceId, pins, options, cancellationToken);

    public async Task<ImmutableArray<PinUpdate>> WaitForAsync(
        string deviceId, ImmutableArray<PinFilter> filters, WaitOptions? options = null, CancellationToken cancellationToken = default)
    {
        await CommandAsync(deviceId, filters, options, cancellationToken);
        return Updates;
    }

    public async Task<DeviceSnapshot> GetSnapshotAsync(string deviceId, CancellationToken cancellationToken = default)
    {
        await CommandAsync(deviceId, ImmutableArray<int>.Empty, null, cancellationToken);
        return Snapshot ?? new DeviceSnapshot(deviceId, Updates, Now);
    }

    public Task<PinUpdate?> GetPinAsync(string deviceId, int pin, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private async Task<CommandResult> CommandAsync<T>(string deviceId, ImmutableArray<T> pins, object? options, CancellationToken token)
    {
        Asked.AddRange([deviceId, .. pins.Cast<object?>(), options]);
        if (Before is not null)
        {
            await Before(token);
        }

        return Failure is null
            ? new CommandResult(deviceId, Guid.Empty, Evidence == Evidence.Published ? [] : Updates, Evidence)
            : throw Failure;
    }

    public IAsyncEnumerable<DeviceEvent> WatchAsync(string deviceId, PinFilter? filter = null, CancellationToken cancellationToken = default) =>
        WatchAsync([deviceId, filter], cancellationToken);

    public IAsyncEnumerable<DeviceEvent> WatchAsync(PinFilter filter, CancellationToken cancellationToken = default) =>
        WatchAsync([filter], cancellationToken);

    public IAsyncEnumerable<DeviceEvent> WatchAsync(WatchOptions? options = null, CancellationToken cancellationToken = default) =>
        WatchAsync([options], cancellationToken);

    public IUpdateSubscription OnUpdate(PinFilter filter, Func<PinEvent, CancellationToken, Task> callback) => throw new NotSupportedException();

    public IUpdateSubscription OnUpdate(WatchOptions options, Func<DeviceEvent, CancellationToken, Task> callback) => throw new NotSupportedException();

    public async IAsyncEnumerable<DeviceSnapshot> ListDevicesAsync(
        DeviceFilter? filter = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        Asked.Add(filter);
        var number = 0;
        foreach (var device in Devices)
        {
            if (BeforeDevice is not null)
            {
                await BeforeDevice(number++);
            }

            cancellationToken.ThrowIfCancellationRequested();
            yield return device;
        }

        if (Failure is not null)
        {
            throw Failure;
        }
    }

    public async Task<bool> ForgetAsync(string deviceId, CancellationToken cancellationToken = default)
    {
        await CommandAsync(deviceId, ImmutableArray<int>.Empty, "forget", cancellationToken);
        return Forgets;
    }

    private async IAsyncEnumerable<DeviceEvent> WatchAsync(object?[] asked, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Asked.AddRange(asked);
        foreach (var told in Events)
        {
            yield return told;
        }

        _told.TrySetResult();
        if (Failure is not null)
        {
            throw Failure;
        }

        if (!WatchEnds)
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
        }
    }
}
