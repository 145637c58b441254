using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using MqttDeviceCluster.Streams;
using static MqttDeviceCluster.Tests.Grains.Updates;

namespace MqttDeviceCluster.Tests.Grains;

/// <summary>The command's path without Orleans: a publish that the test plays, and a clock that it moves.</summary>
public sealed class CommandRunnerTests
{
    private readonly FakeTimeProvider _time = new(TestClock.Noon);
    private readonly Waiters _waiters = new();
    private readonly List<DeviceCommand> _published = [];
    private Func<DeviceCommand, Task> _publish = static _ => Task.CompletedTask;
    private bool _sends = true;
    private DevicePresence _presence = DevicePresence.Unknown;
    private FakeFence? _fence;
    private SiloStopping? _stopping;

    private static CancellationToken NotInterrupted => CancellationToken.None;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>From here on the test and all that it starts run in turns, as in a grain.</summary>
    private static YieldAwaitable Turns()
    {
        TurnContext.Install();
        return Task.Yield();
    }

    private CommandRunner Runner(int maxWaiting = 64)
    {
        var meters = new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>();
        return new("d", maxWaiting, _waiters, PublishAsync, () => _presence, _stopping, _fence, _time, new DeviceMetrics(meters, new(), new()), NullLogger.Instance);

        Task PublishAsync(DeviceCommand command)
        {
            _published.Add(command);
            if (_sends)
            {
                command.Sending!();
            }

            return _publish(command);
        }
    }

    private static CommandRequest Set(CommandOptions? options = null) => CommandRequest.For([new SetPin(13, PinState.High)], options);

    private void Receive(DeviceUpdate update)
    {
        _waiters.Observe(Observed(update));
    }

    private static DeviceUpdate High => Of(Reading(13, PinState.High));

    private static Task<T> Ends<T>(Task<T> task) => task.WaitAsync(TestClock.Bound, Token);

    [Fact]
    public async Task RunAsync_DeviceAnswersBeforeThePublishReturns_IsConfirmed()
    {
        await Turns();
        _publish = _ =>
        {
            Receive(High);
            return Task.CompletedTask;
        };

        var result = await Ends(Runner().RunAsync(Set(), NotInterrupted, Token));

        Assert.Equal(Evidence.Observed, result.Evidence);
        Assert.Equal(PinState.High, Assert.Single(result.Updates).State);
        Assert.Equal(_published[0].CommandId, result.CommandId);
    }

    [Fact]
    public async Task RunAsync_CallComesMoreThanOnce_IsOneCommand()
    {
        await Turns();
        var runner = Runner();
        CommandOptions options = new() { CommandId = Guid.NewGuid() };
        var first = runner.RunAsync(Set(options), NotInterrupted, Token);
        var second = runner.RunAsync(Set(options), NotInterrupted, Token);

        Receive(High);

        Assert.Same(await Ends(first), await Ends(second));
        Assert.Equal(options.CommandId, (await first).CommandId);
        Assert.True(runner.IsIdle);
        Assert.True((await Assert.ThrowsAsync<DeviceInterruptedException>(() => Ends(runner.RunAsync(Set(options), NotInterrupted, Token)))).Published);
        Assert.Equal(options.CommandId, Assert.Single(_published).CommandId);
    }

    [Fact]
    public async Task RunAsync_MatchingUpdateBeforeTheCommand_DoesNotCount()
    {
        await Turns();
        Receive(High);
        var run = Runner().RunAsync(Set(), NotInterrupted, Token);

        _time.Advance(CommandOptions.DefaultTimeout);

        var timeout = await Assert.ThrowsAsync<DeviceTimeoutException>(() => Ends(run));
        Assert.Equal([13], timeout.MissingPins);
        Assert.True(timeout.Published);
        Assert.Equal("d", timeout.DeviceId);
    }

    [Fact]
    public async Task RunAsync_MatchWhileThePublishIsPending_WaitsForThePublish()
    {
        await Turns();
        TaskCompletionSource publish = new();
        _publish = _ => publish.Task;
        var run = Runner().RunAsync(Set(), NotInterrupted, Token);
        Receive(High);
        await Task.Yield();
        Assert.False(run.IsCompleted);

        publish.SetException(new DeviceOfflineException("d"));

        await Assert.ThrowsAsync<DeviceOfflineException>(() => Ends(run));
    }

    [Fact]
    public async Task RunAsync_MatchWhileTheCommandWaitsToBeSent_IsNotItsAnswer()
    {
        await Turns();
        TaskCompletionSource publish = new();
        _publish = _ => publish.Task;
        _sends = false;
        var run = Runner().RunAsync(Set(), NotInterrupted, Token);
        Receive(High);
        _published[0].Sending!();
        publish.SetResult();
        await Task.Yield();
        Assert.False(run.IsCompleted);

        Receive(High);

        Assert.Equal(Evidence.Observed, (await Ends(run)).Evidence);
    }

    [Fact]
    public async Task RunAsync_EchoWhileThePublishIsPending_ProvesIt()
    {
        await Turns();
        TaskCompletionSource publish = new();
        _publish = _ => publish.Task;
        var run = Runner().RunAsync(Set(), NotInterrupted, Token);
        Receive(High with { CommandId = _published[0].CommandId });

        Assert.Equal(Evidence.Echoed, (await Ends(run)).Evidence);
    }

    [Fact]
    public async Task RunAsync_PublishHangs_EndsAtTheTimeoutAndWithdrawsTheCommand()
    {
        await Turns();
        _publish = static _ => new TaskCompletionSource().Task;
        var run = Runner().RunAsync(Set(), NotInterrupted, Token);

        _time.Advance(CommandOptions.DefaultTimeout);
        Assert.True(_published[0].Withdrawn.IsCancellationRequested);
        await AdvanceUntilDone(run);

        Assert.True((await Assert.ThrowsAsync<DeviceTimeoutException>(() => run)).Published);
    }

    [Fact]
    public async Task RunAsync_WithdrawnCommandWasNeverSent_TimeoutSaysSo()
    {
        await Turns();
        _publish = static async command =>
        {
            TaskCompletionSource withdrawn = new();
            await using (command.Withdrawn.Register(withdrawn.SetResult))
            {
                await withdrawn.Task;
            }

            throw new BrokerUnavailableException("d", "withdrawn", refused: false);
        };
        var run = Runner().RunAsync(Set(), NotInterrupted, Token);

        _time.Advance(CommandOptions.DefaultTimeout);
        await AdvanceUntilDone(run);

        Assert.False((await Assert.ThrowsAsync<DeviceTimeoutException>(() => run)).Published);
    }

    [Fact]
    public async Task RunAsync_PublishFailsAfterTheCallerLeft_HarmsNobody()
    {
        await Turns();
        TaskCompletionSource publish = new();
        _publish = _ => publish.Task;
        using CancellationTokenSource caller = new();
        var runner = Runner();
        var run = runner.RunAsync(Set(), NotInterrupted, caller.Token);
        await caller.CancelAsync();
        await AdvanceUntilDone(run);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);

        publish.SetException(new InvalidOperationException("late"));
        _publish = static _ => Task.CompletedTask;
        var next = runner.RunAsync(Set(), NotInterrupted, Token);
        Receive(High);

        await Ends(next);
    }

    [Fact]
    public async Task RunAsync_OfflineOrBrokerAway_PassesAsItIsAndFreesTheLine()
    {
        await Turns();
        var runner = Runner();
        _publish = static _ => throw new DeviceOfflineException("d");
        await Assert.ThrowsAsync<DeviceOfflineException>(() => Ends(runner.RunAsync(Set(), NotInterrupted, Token)));

        _publish = static async _ =>
        {
            await Task.Yield();
            throw new BrokerUnavailableException("d", "quota", refused: true);
        };
        var refused = await Assert.ThrowsAsync<BrokerUnavailableException>(() => Ends(runner.RunAsync(Set(), NotInterrupted, Token)));
        Assert.True(refused.Refused);

        _publish = static _ => Task.CompletedTask;
        var next = runner.RunAsync(Set(), NotInterrupted, Token);
        Receive(High);
        await Ends(next);
    }

    [Fact]
    public async Task RunAsync_ForeignPublishFailure_BecomesOursWithoutAnInnerException()
    {
        await Turns();
        _publish = static _ => throw new FormatException("of a library");

        var interrupted = await Assert.ThrowsAsync<DeviceInterruptedException>(() => Ends(Runner().RunAsync(Set(), NotInterrupted, Token)));

        Assert.True(interrupted.Published);
        Assert.Null(interrupted.InnerException);
    }

    [Fact]
    public async Task RunAsync_PublishOutcomeUnknown_GoesOnWaitingForTheDevice()
    {
        await Turns();
        _publish = static _ => throw new DeviceInterruptedException("d", "link lost", published: true);
        var run = Runner().RunAsync(Set(), NotInterrupted, Token);

        Receive(High);

        Assert.Equal(Evidence.Observed, (await Ends(run)).Evidence);
    }

    [Fact]
    public async Task RunAsync_PublishOutcomeUnknownAndNoConfirmationAsked_SaysSo()
    {
        await Turns();
        _publish = static _ => throw new DeviceInterruptedException("d", "link lost", published: true);

        var unknown = await Assert.ThrowsAsync<DeviceInterruptedException>(
            () => Ends(Runner().RunAsync(Set(new() { Confirm = false }), NotInterrupted, Token)));

        Assert.True(unknown.Published);
    }

    [Fact]
    public async Task RunAsync_NoConfirmationAsked_ReturnsPublished()
    {
        await Turns();
        var result = await Ends(Runner().RunAsync(Set(new() { Confirm = false }), NotInterrupted, Token));

        Assert.Equal(Evidence.Published, result.Evidence);
        Assert.Empty(result.Updates);
    }

    [Fact]
    public async Task RunAsync_NoConfirmationAskedAndPublishHangs_EndsAtTheTimeout()
    {
        await Turns();
        _publish = static _ => new TaskCompletionSource().Task;
        var run = Runner().RunAsync(Set(new() { Confirm = false }), NotInterrupted, Token);

        _time.Advance(CommandOptions.DefaultTimeout);
        await AdvanceUntilDone(run);

        await Assert.ThrowsAsync<DeviceTimeoutException>(() => run);
    }

    [Fact]
    public async Task RunAsync_TimeRunsOutInLine_IsNeverPublished()
    {
        await Turns();
        var runner = Runner();
        var first = runner.RunAsync(Set(new() { Timeout = TimeSpan.FromSeconds(60) }), NotInterrupted, Token);
        var second = runner.RunAsync(Set(new() { Timeout = TimeSpan.FromSeconds(1) }), NotInterrupted, Token);

        _time.Advance(TimeSpan.FromSeconds(1));
        var timeout = await Assert.ThrowsAsync<DeviceTimeoutException>(() => Ends(second));
        Receive(High);
        await Ends(first);

        Assert.False(timeout.Published);
        Assert.Equal([13], timeout.MissingPins);
        Assert.Single(_published);
    }

    [Fact]
    public async Task RunAsync_SiloAboutToStop_ConfirmsWhatWasSentAndPublishesNothingMore()
    {
        await Turns();
        using SiloStopping stopping = new(_time);
        _stopping = stopping;
        var runner = Runner();
        var sent = runner.RunAsync(Set(), stopping.Token, Token);
        var inLine = runner.RunAsync(Set(), stopping.Token, Token);

        var stop = stopping.StopAsync(Token);
        var late = runner.RunAsync(Set(), stopping.Token, Token);
        Assert.False((await Assert.ThrowsAsync<DeviceInterruptedException>(() => Ends(inLine))).Published);
        Assert.False((await Assert.ThrowsAsync<DeviceInterruptedException>(() => Ends(late))).Published);
        Assert.False(stop.IsCompleted);

        Receive(High);
        Assert.Equal(Evidence.Observed, (await Ends(sent)).Evidence);
        await stop.WaitAsync(TestClock.Bound, Token);
        Assert.False((await Assert.ThrowsAsync<DeviceInterruptedException>(() => Ends(runner.RunAsync(Set(), CancellationToken.None, Token)))).Published);
        Assert.Single(_published);
    }

    [Fact]
    public async Task RunAsync_SiloStopsBeforeTheAnswer_IsInterruptedAsPublished()
    {
        await Turns();
        using SiloStopping stopping = new(_time);
        _stopping = stopping;
        var sent = Runner().RunAsync(Set(), stopping.Token, Token);
        var stop = stopping.StopAsync(Token);
        _time.Advance(SiloStopping.FinishTime);
        Assert.True((await Assert.ThrowsAsync<DeviceInterruptedException>(() => Ends(sent))).Published);
        await stop.WaitAsync(TestClock.Bound, Token);
    }

    [Fact]
    public async Task RunAsync_TurnInTheLastMoment_IsNeverPublished()
    {
        var runner = Runner();
        var first = runner.RunAsync(Set(new() { Timeout = TimeSpan.FromSeconds(4.99) }), NotInterrupted, Token);
        var second = runner.RunAsync(Set(new() { Timeout = TimeSpan.FromSeconds(5) }), NotInterrupted, Token);

        _time.Advance(TimeSpan.FromSeconds(4.99));

        Assert.True((await Assert.ThrowsAsync<DeviceTimeoutException>(() => Ends(first))).Published);
        var timeout = await Assert.ThrowsAsync<DeviceTimeoutException>(() => Ends(second));
        Assert.False(timeout.Published);
        Assert.Equal(TimeSpan.FromSeconds(5), timeout.Waited);
        Assert.Equal([13], timeout.MissingPins);
        Assert.Single(_published);
    }

    [Fact]
    public async Task RunAsync_ThePublisherNoticesTheEndFirst_IsATimeoutBeforeItWasSent()
    {
        TaskCompletionSource publish = new();
        _publish = _ => publish.Task;
        // Timers of the runner stand still, as they do for some milliseconds on a busy machine.
        var run = Runner().RunAsync(Set(), NotInterrupted, Token);
        _time.AdjustTime(_time.GetUtcNow() + CommandOptions.DefaultTimeout);
        publish.SetException(new BrokerUnavailableException("d", "it expired before it could be sent", refused: false));

        var timeout = await Assert.ThrowsAsync<DeviceTimeoutException>(() => Ends(run));
        Assert.False(timeout.Published);
        Assert.Equal([13], timeout.MissingPins);
    }

    [Fact]
    public async Task RunAsync_WaitInLine_CountsIntoTheTimeout()
    {
        await Turns();
        var runner = Runner();
        var first = runner.RunAsync(Set(new() { Timeout = TimeSpan.FromSeconds(4) }), NotInterrupted, Token);
        var second = runner.RunAsync(Set(), NotInterrupted, Token);
        _time.Advance(TimeSpan.FromSeconds(4));
        await Assert.ThrowsAsync<DeviceTimeoutException>(() => Ends(first));
        await Until(() => _published.Count == 2);

        Assert.Equal(TestClock.Noon + CommandOptions.DefaultTimeout, _published[1].Deadline);
        _time.Advance(TimeSpan.FromSeconds(1));

        Assert.True((await Assert.ThrowsAsync<DeviceTimeoutException>(() => Ends(second))).Published);
    }

    [Theory]
    [InlineData(5, 5)]
    [InlineData(3600, 5)]
    [InlineData(2.5, 5)]
    [InlineData(0, 2.5)]
    [InlineData(-2, 0.5)]
    public async Task RunAsync_ArrivedSoLongBeforeItsDeadline_HasWhatIsLeftOfItsTime(double secondsBefore, double left)
    {
        await Turns();
        var run = Runner().RunAsync(Set(new() { Timeout = TimeSpan.FromSeconds(5), Deadline = _time.GetUtcNow().AddSeconds(secondsBefore) }), NotInterrupted, Token);
        Assert.Equal(TestClock.Noon.AddSeconds(left), Assert.Single(_published).Deadline);

        _time.Advance(TimeSpan.FromSeconds(left) - TimeSpan.FromMilliseconds(1));
        await Task.Yield();
        Assert.False(run.IsCompleted);
        _time.Advance(TimeSpan.FromMilliseconds(1));

        Assert.True((await Assert.ThrowsAsync<DeviceTimeoutException>(() => Ends(run))).Published);
    }

    [Theory]
    [InlineData(2.5)]
    [InlineData(3600)]
    public async Task RunAsync_ArrivedAfterItsCallerGaveUp_IsNeverPublished(double secondsAfter)
    {
        await Turns();
        var runner = Runner();

        var timeout = await Assert.ThrowsAsync<DeviceTimeoutException>(() => Ends(runner.RunAsync(
            Set(new() { Timeout = TimeSpan.FromSeconds(5), Deadline = _time.GetUtcNow().AddSeconds(-secondsAfter) }), NotInterrupted, Token)));

        Assert.False(timeout.Published);
        Assert.Equal(TimeSpan.FromSeconds(5 + secondsAfter), timeout.Waited);
        Assert.Equal([13], timeout.MissingPins);
        Assert.Empty(_published);
        Assert.True(runner.IsIdle);
    }

    [Fact]
    public async Task RunAsync_LineFull_IsBusyAtOnceAndNothingIsPublished()
    {
        await Turns();
        var runner = Runner(maxWaiting: 1);
        var first = runner.RunAsync(Set(), NotInterrupted, Token);
        var second = runner.RunAsync(Set(), NotInterrupted, Token);

        var busy = await Assert.ThrowsAsync<DeviceBusyException>(() => runner.RunAsync(Set(), NotInterrupted, Token));

        Assert.Equal(1, busy.Waiting);
        Assert.Single(_published);
        Receive(High);
        await Ends(first);
        await Until(() => _published.Count == 2);
        Receive(High);
        await Ends(second);
    }

    [Fact]
    public async Task RunAsync_CallerCancelsInLine_IsNeverPublished()
    {
        await Turns();
        var runner = Runner();
        var first = runner.RunAsync(Set(), NotInterrupted, Token);
        using CancellationTokenSource caller = new();
        var second = runner.RunAsync(Set(), NotInterrupted, caller.Token);

        await caller.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Ends(second));
        Receive(High);
        await Ends(first);
        Assert.Single(_published);
    }

    [Fact]
    public async Task RunAsync_Interrupted_EndsTheRunningAndTheWaitingWithWhatIsKnown()
    {
        await Turns();
        var runner = Runner();
        using CancellationTokenSource silo = new();
        var first = runner.RunAsync(Set(), silo.Token, Token);
        var second = runner.RunAsync(Set(), silo.Token, Token);

        await silo.CancelAsync();

        Assert.True((await Assert.ThrowsAsync<DeviceInterruptedException>(() => Ends(first))).Published);
        Assert.False((await Assert.ThrowsAsync<DeviceInterruptedException>(() => Ends(second))).Published);
        Assert.Single(_published);
    }

    [Fact]
    public async Task RunAsync_PulseConfirmedByItsWayBack_WaitsThePulseLongerButExpiresWithTheTimeout()
    {
        await Turns();
        var run = Runner().RunAsync(
            CommandRequest.For(
                [new SetPin(13, PinState.High, TimeSpan.FromSeconds(10))],
                new() { PulseConfirmedBy = PulseEdge.Return, Timeout = TimeSpan.FromSeconds(2) }),
            NotInterrupted,
            Token);

        Assert.Equal(TestClock.Noon.AddSeconds(2), _published[0].Deadline);
        _time.Advance(TimeSpan.FromSeconds(11));
        Receive(Of(Reading(13, PinState.Low)));

        Assert.Equal(PinState.Low, Assert.Single((await Ends(run)).Updates).State);
    }

    [Fact]
    public async Task RunAsync_PulseWithoutItsWayBack_EndsAfterTimeoutAndPulse()
    {
        await Turns();
        var run = Runner().RunAsync(
            CommandRequest.For(
                [new SetPin(13, PinState.High, TimeSpan.FromSeconds(10))],
                new() { PulseConfirmedBy = PulseEdge.Return, Timeout = TimeSpan.FromSeconds(2) }),
            NotInterrupted,
            Token);

        _time.Advance(TimeSpan.FromSeconds(12));

        await Assert.ThrowsAsync<DeviceTimeoutException>(() => Ends(run));
    }

    [Fact]
    public async Task RunAsync_AfterManyCommands_LeavesNobodyInTheLine()
    {
        await Turns();
        var runner = Runner(maxWaiting: 200);
        var order = new List<int>();
        var runs = Enumerable.Range(0, 100).Select(i => runner.RunAsync(
            CommandRequest.For([i], null), NotInterrupted, Token)).ToArray();
        for (var i = 0; i < runs.Length; i++)
        {
            await Until(() => _published.Count == i + 1);
            order.Add(Assert.IsType<UpdateCommand>(_published[i]).Pins[0]);
            Receive(Of(Reading(i)));
            await Ends(runs[i]);
        }

        Assert.Equal(Enumerable.Range(0, 100), order);
    }

    /// <summary>Moves the clock in small steps: the grace of a withdrawn publish starts some time after the timeout.</summary>
    private async Task AdvanceUntilDone(Task task)
    {
        using CancellationTokenSource bound = new(TestClock.Bound);
        while (!task.IsCompleted)
        {
            bound.Token.ThrowIfCancellationRequested();
            _time.Advance(TimeSpan.FromMilliseconds(50));
            await Task.Yield();
        }
    }

    private static async Task Until(Func<bool> condition)
    {
        using CancellationTokenSource bound = new(TestClock.Bound);
        while (!condition())
        {
            bound.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    private void Becomes(Presence presence) => _presence = new(presence, PresenceReason.LastWill, TestClock.Noon);

    [Fact]
    public async Task RunAsync_FailWhenOffline_EndsAtOnceAndSendsNothing()
    {
        await Turns();
        Becomes(Presence.Offline);

        var run = Runner().RunAsync(Set(new() { WhenOffline = WhenOffline.Fail }), NotInterrupted, Token);

        Assert.True(run.IsCompleted);
        var offline = await Assert.ThrowsAsync<DeviceOfflineException>(() => run);
        Assert.Equal(_presence, offline.Presence);
        Assert.Equal("d", offline.DeviceId);
        Assert.Empty(_published);
    }

    [Theory]
    [InlineData(WhenOffline.Send, Presence.Offline)]
    [InlineData(WhenOffline.Fail, Presence.Online)]
    [InlineData(WhenOffline.Fail, Presence.Unknown)] // Only what is known counts.
    public async Task RunAsync_NotKnownOfflineOrNotAskedToFail_IsSent(WhenOffline whenOffline, Presence presence)
    {
        await Turns();
        Becomes(presence);
        var run = Runner().RunAsync(Set(new() { WhenOffline = whenOffline }), NotInterrupted, Token);
        Receive(High);

        Assert.Equal(Evidence.Observed, (await Ends(run)).Evidence);
    }

    [Fact]
    public async Task RunAsync_DeviceGoesOfflineWhileACommandIsInLine_FailsItWhenItsTurnComes()
    {
        await Turns();
        var runner = Runner();
        Becomes(Presence.Online);
        var first = runner.RunAsync(Set(), NotInterrupted, Token);
        var fails = runner.RunAsync(Set(new() { WhenOffline = WhenOffline.Fail }), NotInterrupted, Token);
        var sends = runner.RunAsync(Set(), NotInterrupted, Token);
        Becomes(Presence.Offline);
        await Task.Yield();
        Assert.False(fails.IsCompleted); // Its turn has not come: the device may be back by then.

        Receive(High);
        await Ends(first);

        await Assert.ThrowsAsync<DeviceOfflineException>(() => Ends(fails));
        while (_published.Count < 2)
        {
            await Task.Yield();
        }

        Receive(High);
        await Ends(sends);
        Assert.Equal(2, _published.Count);
        Assert.True(runner.IsIdle);
    }

    [Fact]
    public async Task RunAsync_PausedWhileWaitingInLine_IsNotPublishedAndSaysSo()
    {
        await Turns();
        _fence = new(_time);
        var runner = Runner();
        var first = runner.RunAsync(Set(), NotInterrupted, Token);
        var second = runner.RunAsync(Set(), NotInterrupted, Token);
        Assert.Single(_published);

        _fence.Close();

        var interrupted = await Assert.ThrowsAsync<DeviceInterruptedException>(() => Ends(second));
        Assert.False(interrupted.Published);
        Assert.Equal("it was paused", interrupted.Reason);

        // What was published is waited for: the device may have it.
        Receive(High);
        await Ends(first);
        Assert.Single(_published);

        _time.Advance(TimeSpan.FromMilliseconds(1));
        await Assert.ThrowsAsync<DeviceInterruptedException>(() => Ends(runner.RunAsync(Set(), NotInterrupted, Token)));
        _fence.Open();
        var next = runner.RunAsync(Set(), NotInterrupted, Token);
        Receive(High);
        await Ends(next);
        Assert.Equal(2, _published.Count);
    }

    [Fact]
    public async Task RunAsync_TurnComesBeforeThePauseIsTold_IsNotPublished()
    {
        await Turns();
        _fence = new(_time);
        var runner = Runner();
        var first = runner.RunAsync(Set(), NotInterrupted, Token);
        var second = runner.RunAsync(Set(), NotInterrupted, Token);
        _fence.CloseQuietly();

        Receive(High);

        await Ends(first);
        Assert.False((await Assert.ThrowsAsync<DeviceInterruptedException>(() => Ends(second))).Published);
        Assert.Single(_published);
    }

    [Fact]
    public async Task RunAsync_PublisherRefusesAfterAPause_TellsTheCallerAtOnce()
    {
        await Turns();
        _publish = static _ => throw new DeviceInterruptedException("d", "it was paused", published: false);

        Assert.False((await Assert.ThrowsAsync<DeviceInterruptedException>(() => Ends(Runner().RunAsync(Set(), NotInterrupted, Token)))).Published);
    }
}
