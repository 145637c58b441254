using Microsoft.Extensions.Logging.Abstractions;
using MqttDeviceCluster.Silo.Hosting;
using MqttDeviceCluster.Tests.Grains;

namespace MqttDeviceCluster.Tests.Silo.Hosting;

public sealed class PauseFenceTests : IDisposable
{
    private static readonly TimeSpan Pause = PauseFence.Limit + TimeSpan.FromMilliseconds(1);
    private readonly TwoClocks _time = new();
    private readonly FakeMembership _membership = new();
    private readonly PauseFence _fence;

    public PauseFenceTests()
    {
        _fence = new PauseFence(_membership, _time, NullLogger<PauseFence>.Instance);
        _fence.Tick();
    }

    public void Dispose() => _fence.Dispose();

    [Fact]
    public void WhyClosed_AsLongAsItRuns_IsOpen()
    {
        var began = _time.GetTimestamp();

        Run(TimeSpan.FromHours(1));

        Assert.Null(_fence.WhyClosed(began));
        Assert.Equal(0, _membership.Reads);
        Assert.False(_fence.Closing.IsCancellationRequested);
    }

    [Fact]
    public void WhyClosed_StalledForTheLimit_IsOpen()
    {
        _time.Advance(PauseFence.Limit);

        Assert.Null(_fence.WhyClosed(_time.GetTimestamp()));
    }

    [Fact]
    public async Task WhyClosed_AfterAPauseBeforeAnyTick_IsClosedUntilConfirmedAndForWhatBeganBeforeForEver()
    {
        var began = _time.GetTimestamp();
        var closing = _fence.Closing;
        _time.Advance(Pause);

        Assert.Equal("the silo did not run for 3 s", _fence.WhyClosed(_time.GetTimestamp()));
        await CancelledAsync(closing);
        Assert.False(_fence.Closing.IsCancellationRequested);

        Run(PauseFence.SettleTime - TimeSpan.FromMilliseconds(250));
        Assert.NotNull(_fence.WhyClosed(_time.GetTimestamp()));
        Assert.Equal(0, _membership.Reads);
        await RunUntilOpenAsync();
        Assert.Equal(1, _membership.Reads);
        Assert.Equal("the silo did not run for 3 s", _fence.WhyClosed(began));
    }

    [Fact]
    public async Task Tick_AfterAPause_ClosesByItself()
    {
        var closing = _fence.Closing;
        _time.Advance(Pause);

        _fence.Tick();

        await CancelledAsync(closing);
        Assert.NotNull(_fence.WhyClosed(_time.GetTimestamp()));
    }

    [Fact]
    public void WhyClosed_OnlyTheWallClockWentOn_IsClosed()
    {
        // A machine that slept: its monotonic clock slept as well.
        _time.WallOffset = TimeSpan.FromMinutes(1);

        Assert.Equal("the silo did not run for 60 s", _fence.WhyClosed(_time.GetTimestamp()));
    }

    [Fact]
    public void WhyClosed_WallClockSetBack_IsOpen()
    {
        _time.WallOffset = -TimeSpan.FromDays(1);

        Assert.Null(_fence.WhyClosed(_time.GetTimestamp()));
    }

    [Fact]
    public async Task WhyClosed_MembershipCannotBeRead_StaysClosedUntilItCan()
    {
        _membership.Answer = static () => throw new TimeoutException("the store is away");
        _time.Advance(Pause);
        Assert.NotNull(_fence.WhyClosed(_time.GetTimestamp()));
        await RunUntilAsync(() => _membership.Reads >= 3);
        Assert.NotNull(_fence.WhyClosed(_time.GetTimestamp()));

        _membership.Answer = static () => Task.FromResult(true);

        await RunUntilOpenAsync();
    }

    [Fact]
    public async Task WhyClosed_DeclaredDead_StaysClosed()
    {
        _membership.Answer = static () => Task.FromResult(false);
        _time.Advance(Pause);
        _fence.Tick();

        await RunUntilAsync(() => _fence.WhyClosed(_time.GetTimestamp()) == "the cluster declared the silo dead");
        Run(TimeSpan.FromMinutes(1));

        Assert.NotNull(_fence.WhyClosed(_time.GetTimestamp()));
        Assert.Equal(1, _membership.Reads);
    }

    [Fact]
    public async Task WhyClosed_PausedAgainWhileItReads_TakesNoAnswerFromBefore()
    {
        TaskCompletionSource<bool> answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _membership.Answer = () => answer.Task;
        _time.Advance(Pause);
        _fence.Tick();
        await RunUntilAsync(() => _membership.Reads == 1);

        _time.Advance(Pause);
        _membership.Answer = static () => Task.FromResult(false);
        answer.SetResult(true);

        await RunUntilAsync(() => _membership.Reads == 2);
        await RunUntilAsync(() => _fence.WhyClosed(_time.GetTimestamp()) == "the cluster declared the silo dead");
    }

    [Fact]
    public async Task WhyNotTakeBack_StillAMember_MayAndStaysOpen()
    {
        Assert.Null(await _fence.WhyNotTakeBackAsync(TestContext.Current.CancellationToken));

        Assert.Null(_fence.WhyClosed(_time.GetTimestamp()));
    }

    [Fact]
    public async Task WhyNotTakeBack_MembershipCannotBeRead_MustNotAndIsClosedUntilItCan()
    {
        var closing = _fence.Closing;
        _membership.Answer = static () => throw new TimeoutException("the store is away");

        var reason = await _fence.WhyNotTakeBackAsync(TestContext.Current.CancellationToken);

        Assert.Equal("another silo has the MQTT session, and whether this one is still part of the cluster cannot be read", reason);
        Assert.Equal(reason, _fence.WhyClosed(_time.GetTimestamp()));
        await CancelledAsync(closing);
        Assert.Equal(0, _fence.Pauses);

        _membership.Answer = static () => Task.FromResult(true);
        await RunUntilOpenAsync();
        Assert.Null(await _fence.WhyNotTakeBackAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task WhyNotTakeBack_DeclaredDead_MustNotAndIsClosedForEver()
    {
        _membership.Answer = static () => Task.FromResult(false);

        Assert.Equal("the cluster declared the silo dead", await _fence.WhyNotTakeBackAsync(TestContext.Current.CancellationToken));

        Run(TimeSpan.FromMinutes(1));
        Assert.NotNull(_fence.WhyClosed(_time.GetTimestamp()));
    }

    private static async Task CancelledAsync(CancellationToken token)
    {
        TaskCompletionSource cancelled = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (token.UnsafeRegister(_ => cancelled.TrySetResult(), null))
        {
            await cancelled.Task.WaitAsync(TestClock.Bound, TestContext.Current.CancellationToken);
        }
    }

    private void Run(TimeSpan time)
    {
        for (var i = 0; i < time / TimeSpan.FromMilliseconds(250); i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(250));
            _fence.Tick();
        }
    }

    private Task RunUntilOpenAsync() => RunUntilAsync(() => _fence.WhyClosed(_time.GetTimestamp()) is null);

    private async Task RunUntilAsync(Func<bool> condition)
    {
        using CancellationTokenSource bound = new(TestClock.Bound);
        while (!condition())
        {
            // What it does meanwhile, it does on another thread.
            await Task.Delay(1, bound.Token);
            Run(TimeSpan.FromMilliseconds(250));
        }
    }

    private sealed class FakeMembership : IOwnMembership
    {
        private int _reads;

        public int Reads => Volatile.Read(ref _reads);

        public Func<Task<bool>> Answer { get; set; } = static () => Task.FromResult(true);

        public Task<bool> IsMemberAsync(CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _reads);
            return Answer();
        }
    }
}
