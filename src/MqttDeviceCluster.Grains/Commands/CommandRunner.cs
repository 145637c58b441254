using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster;

/// <summary>
/// Runs one device's commands, one at a time: line, publish, confirmation. Used from one thread at a time (a grain's); its tokens may be
/// cancelled from any.
/// </summary>
/// <param name="deviceId">The device.</param>
/// <param name="maxWaiting">How many commands may wait in line.</param>
/// <param name="waiters">Where the device's updates are shown.</param>
/// <param name="publish">Publishes a command; may throw, or never end.</param>
/// <param name="getPresence">Tells whether the device is there, as far as is known.</param>
/// <param name="stopping">Says whether the silo is about to stop; without, it never does.</param>
/// <param name="fence">The silo's fence, if it has one.</param>
/// <param name="time">The clock.</param>
/// <param name="metrics">Where the time to confirm goes.</param>
/// <param name="logger">Where a publish that fails for a reason that is not ours goes.</param>
internal sealed partial class CommandRunner(
    string deviceId,
    int maxWaiting,
    Waiters waiters,
    Func<DeviceCommand, Task> publish,
    Func<DevicePresence> getPresence,
    SiloStopping? stopping,
    IDeviceFence? fence,
    TimeProvider time,
    DeviceMetrics metrics,
    ILogger logger)
{
    public const string InterruptedReason = "its silo is stopping or its activation is ending";

    /// <summary>How long a publish that was withdrawn may take to say that the command was never sent.</summary>
    private static readonly TimeSpan WithdrawGrace = TimeSpan.FromMilliseconds(100);

    /// <summary>The least that must be left of its time to a command whose turn comes after a wait in line.</summary>
    /// <remarks>
    /// Timers are some milliseconds apart. When commands in line run out of time together, each would else be published in its last
    /// moment, as the one before it gives up, and act when its caller is gone.
    /// </remarks>
    private static readonly TimeSpan LeastLeftAfterLine = TimeSpan.FromMilliseconds(20);

    private readonly CommandLine _line = new(maxWaiting);
    /// <summary>How long Orleans may take to bring a call again whose caller has set no deadline: as long as it waits for an answer.</summary>
    private static readonly TimeSpan LongestWay = TimeSpan.FromSeconds(30);

    private readonly RecentCommands _recent = new(deviceId, time);
    private CommandMatch? _confirming;

    /// <summary>Gets whether no command runs or waits.</summary>
    public bool IsIdle => _line.IsIdle;

    /// <summary>Gets the command that waits for its confirmation, if its publish is traced.</summary>
    public CommandMatch? Traced => _confirming is { Publishing: not null } match ? match : null;

    /// <summary>Gets how many commands run or wait.</summary>
    public int Pending => _line.IsIdle ? 0 : _line.Waiting + 1;

    /// <summary>Runs a command to its result, or to one of the exceptions that <see cref="IDeviceGrain"/> documents.</summary>
    /// <param name="request">The command.</param>
    /// <param name="interrupted">Cancelled when the activation or its silo is to end.</param>
    /// <param name="cancellationToken">The caller's.</param>
    public Task<CommandResult> RunAsync(CommandRequest request, CancellationToken interrupted, CancellationToken cancellationToken) =>
        request.Options.CommandId is { } id
            ? _recent.RunAsync(id, KeepFor(request), () => RunAsync(id, request, interrupted, cancellationToken))
            : RunAsync(Guid.NewGuid(), request, interrupted, cancellationToken);

    private async Task<CommandResult> RunAsync(Guid id, CommandRequest request, CancellationToken interrupted, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        ThrowIfOffline(request);
        var started = time.GetTimestamp();

        // Before the look at the fence: it may close right after.
        var fenceCloses = fence?.Closing ?? CancellationToken.None;
        var siloCloses = stopping?.Closing ?? CancellationToken.None;
        ThrowIfFenced(started);
        var now = time.GetUtcNow();
        var allowed = AllowedFrom(now, request);
        var deadline = now + allowed;
        using CancellationTokenSource timeout = new(allowed, time);
        using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, interrupted, cancellationToken);

        CommandMatch match = new(id, request.Asked) { IsSent = false };
        var command = request.ToCommand(id, deadline, giveUp.Token) with { Sending = () => match.IsSent = true };
        if (CommandSpan.Current is { } span)
        {
            CommandSpan.Name(span, id);
            command = command with
            {
                Traced = publishing =>
                {
                    CommandSpan.Name(publishing, id);
                    match.Publishing = publishing;
                },
            };
        }

        Attempt attempt = new(request, command, match, giveUp.Token) { Limit = allowed };
        try
        {
            // After a pause, and when the silo is about to stop, nobody waits any longer for a turn that would be refused.
            using var leaveLine = _line.IsIdle ? null : CancellationTokenSource.CreateLinkedTokenSource(giveUp.Token, fenceCloses, siloCloses);
            var turn = _line.TryEnter(leaveLine?.Token ?? giveUp.Token) ?? throw new DeviceBusyException(deviceId, _line.Waiting);
            var waited = !turn.IsCompleted;
            await turn;
            try
            {
                // The turn may have come in the moment the caller gave up.
                giveUp.Token.ThrowIfCancellationRequested();
                ThrowIfFenced(started);
                if (waited && Left(started, allowed) < LeastLeftAfterLine)
                {
                    throw TimedOut(started, attempt);
                }

                ThrowIfOffline(request);
                if (stopping?.TryBegin() == false)
                {
                    throw NotBegun();
                }

                try
                {
                    return request.Options.Confirm
                        ? await ConfirmAsync(attempt, () => timeout.CancelAfter(Left(started, attempt.Limit)))
                        : await PublishOnlyAsync(attempt);
                }
                finally
                {
                    stopping?.End();
                }
            }
            finally
            {
                _line.Leave();
            }
        }
        catch (OperationCanceledException) when (giveUp.IsCancellationRequested)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (interrupted.IsCancellationRequested)
            {
                throw new DeviceInterruptedException(deviceId, InterruptedReason, attempt.MayBePublished);
            }

            throw TimedOut(started, attempt);
        }
        catch (OperationCanceledException) when (fenceCloses.IsCancellationRequested)
        {
            throw Fenced(fence?.WhyClosed(started));
        }
        catch (OperationCanceledException) when (siloCloses.IsCancellationRequested)
        {
            throw NotBegun();
        }
        catch (BrokerUnavailableException exception) when (!exception.Refused && time.GetUtcNow() >= deadline)
        {
            // It expired before it could be sent, and the publisher noticed first.
            attempt.MayBePublished = false;
            throw TimedOut(started, attempt);
        }
    }

    // One that arrives after its deadline is not begun.
    private TimeSpan KeepFor(CommandRequest request) => request.Options.Deadline is { } deadline
        ? deadline - time.GetUtcNow() + CommandOptions.ClockTolerance
        : request.Options.Timeout + LongestWay;

    // What a command has left of its time: all of it, or less when it took long to come here.
    private TimeSpan AllowedFrom(DateTimeOffset now, CommandRequest request)
    {
        var timeout = request.Options.Timeout;
        if (request.Options.Deadline is not { } deadline || deadline - now + CommandOptions.ClockTolerance is var left && left >= timeout)
        {
            return timeout;
        }

        return left > TimeSpan.Zero
            ? left
            : throw new DeviceTimeoutException(deviceId, now - deadline + timeout, ImmutableArray.CreateRange(request.Asked, static pin => pin.Pin), published: false);
    }

    private void ThrowIfOffline(CommandRequest request)
    {
        if (request.Options.WhenOffline == WhenOffline.Fail && getPresence() is { State: Presence.Offline } presence)
        {
            throw new DeviceOfflineException(deviceId, presence);
        }
    }

    private void ThrowIfFenced(long started)
    {
        if (fence?.WhyClosed(started) is { } reason)
        {
            throw Fenced(reason);
        }
    }

    private DeviceInterruptedException NotBegun() => new(deviceId, InterruptedReason, published: false);

    private DeviceInterruptedException Fenced(string? reason) => new(deviceId, reason ?? InterruptedReason, published: false);

    private DeviceTimeoutException TimedOut(long started, Attempt attempt)
    {
        // A timer may fire some milliseconds early; the caller is told the time that he gave.
        var elapsed = time.GetElapsedTime(started);
        var waited = elapsed > attempt.Limit ? elapsed : attempt.Limit;
        return attempt.MayBePublished
            ? new(deviceId, waited, attempt.Match.MissingPins, published: true)
            : new(deviceId, waited, attempt.Match.AskedPins, published: false);
    }

    private async Task<CommandResult> PublishOnlyAsync(Attempt attempt)
    {
        if (!await PublishAsync(attempt, new TaskCompletionSource().Task))
        {
            throw new DeviceInterruptedException(deviceId, "the connection to the broker was lost before it answered", published: true);
        }

        return new(deviceId, attempt.Command.CommandId, [], Evidence.Published);
    }

    private async Task<CommandResult> ConfirmAsync(Attempt attempt, Action extendTimeout)
    {
        // Before the publish: a fast device answers before the publish returns.
        var waiter = waiters.Add(attempt.Match);
        _confirming = attempt.Match;
        try
        {
            var sent = time.GetTimestamp();
            if (!await PublishAsync(attempt, waiter.Done))
            {
                // If the broker has it, the device will confirm.
                LogPublishOutcomeUnknown(deviceId, attempt.Command.CommandId);
            }

            attempt.Match.IsSent = true;

            if (attempt.Request.ExtraWait > TimeSpan.Zero)
            {
                attempt.Limit += attempt.Request.ExtraWait;
                extendTimeout();
            }

            await waiter.Done.WaitAsync(attempt.GiveUp);
            metrics.Confirmed(attempt.Request.Kind, time.GetElapsedTime(sent));
            return new(deviceId, attempt.Command.CommandId, attempt.Match.Updates, attempt.Match.Evidence);
        }
        finally
        {
            _confirming = null;
            waiters.Remove(waiter);
        }
    }

    /// <summary>
    /// Publishes, and returns whether the broker has the command: <see langword="false"/> when that is not known. Also returns when the device
    /// echoed the command, which proves as much.
    /// </summary>
    /// <remarks>
    /// <para>A confirmation by content does not cut the publish short: while the command still waits to be sent, an update that happens to
    /// match is not its answer.</para>
    /// <para>The broker's answer alone wakes nobody, when there is nothing to do but to wait for the device: it comes in the very moment in which the command is on
    /// its way there.</para>
    /// </remarks>
    private async Task<bool> PublishAsync(Attempt attempt, Task confirmed)
    {
        attempt.MayBePublished = true;
        var publishing = StartPublish(attempt.Command);
        try
        {
            if (!publishing.IsCompleted)
            {
                await Task.WhenAny(attempt.WaitsOnlyForDevice ? FailureOf(publishing, attempt.Match) : publishing, confirmed).WaitAsync(attempt.GiveUp);
                if (!publishing.IsCompleted && attempt.Match.Evidence == Evidence.Echoed)
                {
                    return true;
                }
            }

            await publishing.WaitAsync(attempt.GiveUp);
            return true;
        }
        catch (Exception) when (attempt.GiveUp.IsCancellationRequested)
        {
            attempt.MayBePublished = !await WasNeverSentAsync(publishing);
            throw new OperationCanceledException(attempt.GiveUp);
        }
        catch (DeviceInterruptedException exception) when (exception.Published)
        {
            return false;
        }
        catch (Exception exception) when (exception is not DeviceClusterException)
        {
            // A foreign exception has no serializer at the caller, and would hide its cause there.
            LogPublishFailed(exception, deviceId, attempt.Command.CommandId);
            throw new DeviceInterruptedException(deviceId, "publishing failed, and the silo's log says why", published: true);
        }
        finally
        {
            // When nobody waits for it any more, it may still fail.
            _ = publishing.ContinueWith(
                static task => _ = task.Exception,
                CancellationToken.None,
                TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default);
        }
    }

    // A publish that throws at once must end in the same place as one that fails later.
    private Task StartPublish(DeviceCommand command)
    {
        try
        {
            return publish(command);
        }
        catch (Exception exception)
        {
            return Task.FromException(exception);
        }
    }

    // Ends when the publish fails, and only then.
    private static Task FailureOf(Task publishing, CommandMatch match)
    {
        TaskCompletionSource failed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _ = publishing.ContinueWith(
            static (task, state) =>
            {
                var (failed, match) = ((TaskCompletionSource, CommandMatch))state!;
                if (task.IsCompletedSuccessfully)
                {
                    match.IsSent = true;
                }
                else
                {
                    failed.SetResult();
                }
            },
            (failed, match),
            CancellationToken.None,
            TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
        return failed.Task;
    }

    private async Task<bool> WasNeverSentAsync(Task publishing)
    {
        await Task.WhenAny(publishing, Task.Delay(WithdrawGrace, time, CancellationToken.None));
        return publishing.Exception?.InnerException is BrokerUnavailableException or DeviceOfflineException or DeviceInterruptedException { Published: false };
    }

    private TimeSpan Left(long started, TimeSpan total) =>
        total - time.GetElapsedTime(started) is { Ticks: > 0 } left ? left : TimeSpan.Zero;

    [LoggerMessage(LogLevel.Error, "Command {CommandId} to device '{DeviceId}' could not be published.")]
    private partial void LogPublishFailed(Exception exception, string deviceId, Guid commandId);

    [LoggerMessage(LogLevel.Debug, "Whether the broker has command {CommandId} to device '{DeviceId}' is unknown; waiting for the device.")]
    private partial void LogPublishOutcomeUnknown(string deviceId, Guid commandId);

    private sealed class Attempt(CommandRequest request, DeviceCommand command, CommandMatch match, CancellationToken giveUp)
    {
        public CommandRequest Request => request;

        public DeviceCommand Command => command;

        public CommandMatch Match => match;

        public CancellationToken GiveUp => giveUp;

        /// <summary>Gets or sets how long all of it may take.</summary>
        public required TimeSpan Limit { get; set; }

        /// <summary>Gets whether a publish that succeeds leaves nothing to do but to wait for the device.</summary>
        public bool WaitsOnlyForDevice => request.Options.Confirm && request.ExtraWait == TimeSpan.Zero;

        /// <summary>Gets or sets whether the command was, or may have been, given to the broker.</summary>
        public bool MayBePublished { get; set; }
    }
}
