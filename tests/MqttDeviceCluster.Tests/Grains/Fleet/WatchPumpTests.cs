using Microsoft.Extensions.Logging.Abstractions;
using MqttDeviceCluster.Fleet;
using Orleans.Serialization;

namespace MqttDeviceCluster.Tests.Grains.Fleet;

public sealed class WatchPumpTests : IAsyncDisposable
{
    private readonly TimerClock _time = new();
    private readonly FakeObserver _observer = new();
    private readonly WatchSubscription _subscription = new(new());
    private readonly CancellationTokenSource _siloStopping = new();
    private readonly WatchPump _pump;
    private bool _disposed;

    public WatchPumpTests() =>
        _pump = new(new(Guid.NewGuid(), _observer, _subscription.Options), _subscription, "silo", RelayAsync, _time, NullLogger.Instance, _siloStopping.Token);

    /// <summary>Gets or sets what a batch that goes by way of another silo comes to.</summary>
    private Func<WatchBatch, bool> Relay { get; set; } = static _ => false;

    private Task<bool> RelayAsync(Guid watchId, WatchBatch batch) => Task.FromResult(Relay(batch));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => _disposed ? default : _pump.DisposeAsync();

    private void Offer(params string[] deviceIds)
    {
        foreach (var id in deviceIds)
        {
            _subscription.TryOffer(new DeviceAddedEvent(id, TestClock.Noon), 1);
        }
    }

    private static IEnumerable<string?> Devices(FakeObserver.Call call) => call.Batch.Events.Select(value => value.DeviceId);

    [Fact]
    public async Task Run_EventsWhileABatchIsOnItsWay_AreTheNextBatch()
    {
        Offer("a");
        var first = await _observer.NextAsync();
        Offer("b", "c");
        Assert.False(_observer.HasCall);

        first.Answer.SetResult();
        Assert.Equal(TimeSpan.FromMilliseconds(10), await _time.BegunAsync());
        Assert.False(_observer.HasCall); // Not yet: a busy fleet is told in batches.
        _time.Advance(TimeSpan.FromMilliseconds(10));
        var second = await _observer.NextAsync();

        Assert.Equal(["a"], Devices(first));
        Assert.Equal(["b", "c"], Devices(second));
        Assert.Equal((0, 1), (first.Batch.First, second.Batch.First));
        Assert.Equal(new WatchSource("silo", _subscription.Id), second.Batch.Source);
        Assert.Equal(1, _subscription.Delivered);
    }

    [Fact]
    public async Task Run_WatcherDoesNotKnowAnEvent_GetsAllOthersAndAGapInItsPlace()
    {
        Offer("a");
        (await _observer.NextAsync()).Answer.SetResult();
        await _time.BegunAsync();
        Offer("b", "new", "c");
        _time.Advance(TimeSpan.FromMilliseconds(10));
        var whole = await _observer.NextAsync();
        Assert.Equal((1, 3), (whole.Batch.First, whole.Batch.Events.Length));
        whole.Answer.SetException(new SerializerException("an event of a type that has no name here"));

        var before = await _observer.NextAsync();
        before.Answer.SetResult();
        var unknown = await _observer.NextAsync();
        unknown.Answer.SetException(new TypeLoadException());
        var gap = await _observer.NextAsync();
        gap.Answer.SetResult();
        var after = await _observer.NextAsync();
        after.Answer.SetResult();
        await _time.BegunAsync();

        Assert.Equal((1, "b"), (before.Batch.First, Assert.Single(Devices(before))));
        Assert.Equal((2, "new"), (unknown.Batch.First, Assert.Single(Devices(unknown))));
        Assert.Equal(2, gap.Batch.First);
        Assert.Equal(new GapEvent("new", TestClock.Noon, GapReason.UnknownEvent, 1), Assert.Single(gap.Batch.Events));
        Assert.Equal((3, "c"), (after.Batch.First, Assert.Single(Devices(after))));
        Assert.Equal(4, _subscription.Delivered);
    }

    [Fact]
    public async Task Run_WatcherFails_SendsTheSameBatchAgainWithGrowingPauses()
    {
        Offer("a");
        var first = await _observer.NextAsync();
        first.Answer.SetException(new TimeoutException());
        List<double> pauses = [];
        for (var i = 0; i < 7; i++)
        {
            Offer("later");
            pauses.Add((await _time.PassAsync()).TotalSeconds);
            var again = await _observer.NextAsync();
            Assert.Same(first.Batch, again.Batch);
            Assert.Equal(0, _subscription.Delivered);

            // Whatever it throws, cancellations that are not ours included.
            again.Answer.SetException(i % 2 == 0 ? new OperationCanceledException() : new InvalidOperationException());
        }

        Assert.Equal([0.1, 0.2, 0.4, 0.8, 1.6, 2, 2], pauses);
        await _time.PassAsync();
        (await _observer.NextAsync()).Answer.SetResult();
        await _time.PassAsync();
        var next = await _observer.NextAsync();
        Assert.Equal(1, next.Batch.First);
        Assert.Equal(7, next.Batch.Events.Length);
    }

    [Fact]
    public async Task Run_SiloBeginsToStop_WhatIsOnItsWayGoesByTheOtherSiloAtOnce()
    {
        List<WatchBatch> relayed = [];
        TaskCompletionSource both = new();
        Relay = batch =>
        {
            relayed.Add(batch);
            if (relayed.Count == 2)
            {
                both.SetResult();
            }

            return true;
        };
        Offer("a");
        var unanswered = await _observer.NextAsync();
        Offer("b");
        await _siloStopping.CancelAsync();
        await _time.PassAsync();

        await both.Task.WaitAsync(TestClock.Bound, Token);
        Assert.Same(unanswered.Batch, relayed[0]);
        Assert.Equal(["b"], relayed[1].Events.Select(static value => value.DeviceId));
        Assert.False(_observer.HasCall);
    }

    [Fact]
    public async Task LeaveAsync_EventsThatWait_EndsWhenTheLastOfThemIsTaken()
    {
        Offer("a");
        var first = await _observer.NextAsync();
        Offer("b");
        var leave = _pump.LeaveAsync(Token);
        first.Answer.SetResult();
        await _time.PassAsync();
        var last = await _observer.NextAsync();
        Assert.Equal(["b"], Devices(last));
        Assert.True(last.Batch.Leaving);
        Assert.False(leave.IsCompleted);

        last.Answer.SetResult();

        await leave.WaitAsync(TestClock.Bound, Token);
    }

    [Fact]
    public async Task LeaveAsync_WatcherDoesNotAnswer_EndsWithItsToken()
    {
        Offer("a");
        await _observer.NextAsync();
        using CancellationTokenSource limit = new();
        var leave = _pump.LeaveAsync(limit.Token);
        Assert.False(leave.IsCompleted);

        await limit.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leave.WaitAsync(TestClock.Bound, Token));
    }

    [Fact]
    public async Task DisposeAsync_WatcherNeverAnswers_Ends()
    {
        Offer("a");
        await _observer.NextAsync();

        _disposed = true;
        await _pump.DisposeAsync().AsTask().WaitAsync(TestClock.Bound, Token);
    }

    [Fact]
    public void IsExpired_AfterTheLeaseUnlessRenewed()
    {
        _time.Advance(FleetWatch.Lease);
        Assert.False(_pump.IsExpired);
        _time.Advance(TimeSpan.FromTicks(1));
        Assert.True(_pump.IsExpired);

        _pump.Renew();

        Assert.False(_pump.IsExpired);
    }
}
