namespace MqttDeviceCluster.Tests.Grains.Fleet;

public sealed class WatchSubscriptionTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static PinEvent Pin(string deviceId, int pin, PinState state = PinState.High, bool changed = true) =>
        new(deviceId, new(pin, PinMode.Output, state, TestClock.Noon), changed);

    private static PresenceEvent Online(string deviceId) => new(deviceId, TestClock.Noon, new(Presence.Online, PresenceReason.Traffic, TestClock.Noon));

    private static void Offer(TestWatch watch, int count, int first = 0)
    {
        for (var pin = first; pin < first + count; pin++)
        {
            watch.Subscription.TryOffer(Pin("a", pin), 1);
        }
    }

    private static IEnumerable<int> Pins(MqttDeviceCluster.Fleet.WatchBatch batch) => batch.Events.Cast<PinEvent>().Select(value => value.Update.Pin);

    [Fact]
    public void Offer_ByOptions_PassesWhatIsAskedFor()
    {
        DeviceEvent[] offered =
        [
            Online("aa"), new DeviceAddedEvent("aa", TestClock.Noon), new DeviceForgottenEvent("aa", TestClock.Noon), Pin("aa", 13), Pin("aa", 13, changed: false), Pin("aa", 14),
            Pin("ab", 13), Pin("b", 13, PinState.Low), new GapEvent("aa", TestClock.Noon, GapReason.DeviceInterrupted), new GapEvent("b", TestClock.Noon, GapReason.DeviceInterrupted),
            new GapEvent(null, TestClock.Noon, GapReason.SiloJoined),
        ];

        Assert.Equal([0, 1, 2, 3, 5, 6, 7, 8, 9, 10], Passing(new()));
        Assert.Equal([3, 5, 6, 7, 8, 9, 10], Passing(new() { IncludePresence = false }));
        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], Passing(new() { IncludeUnchanged = true }));
        Assert.Equal([0, 1, 2, 3, 6, 8, 9, 10], Passing(new() { Pins = new(13, State: PinState.High) }));
        Assert.Equal([0, 1, 2, 3, 5, 6, 8, 10], Passing(new() { DeviceIdPrefix = "a" }));
        Assert.Equal([0, 1, 2, 3, 5, 8, 10], Passing(new() { DeviceId = "aa" }));
        Assert.Equal([10], Passing(new() { DeviceId = "A" }));

        IEnumerable<int> Passing(WatchOptions options)
        {
            TestWatch watch = new(options: options);
            foreach (var value in offered)
            {
                watch.Subscription.TryOffer(value, 1);
            }

            return watch.TakeAll().Select(value => Array.FindIndex(offered, one => ReferenceEquals(one, value)));
        }
    }

    [Fact]
    public void Offer_VersionThatIsKnown_IsNotTold()
    {
        TestWatch watch = new(after: 5);
        watch.Subscription.TryOffer(Pin("a", 1), 5);
        watch.Subscription.TryOffer(Pin("a", 2), 6);

        var batch = watch.TryTake()!;
        Assert.Equal(0, batch.First);
        Assert.Equal([2], Pins(batch));
    }

    [Fact]
    public void TryTake_Events_AreNumberedInOrderAcrossBatches()
    {
        TestWatch watch = new();
        Offer(watch, 5);

        var (first, second) = (watch.TryTake(max: 3)!, watch.TryTake(max: 3)!);

        Assert.Equal((0, 3), (first.First, second.First));
        Assert.Equal([0, 1, 2, 3, 4], Pins(first).Concat(Pins(second)));
        Assert.Null(watch.TryTake());
        Assert.Equal(5, watch.Subscription.Next);
    }

    [Fact]
    public void TryTake_EventsThatDidNotFit_AreAJumpInTheNumbers()
    {
        TestWatch watch = new(options: new() { BufferSize = 3 });
        Offer(watch, 5);
        Assert.Equal([0, 1, 2], Pins(watch.TryTake(max: 2)!).Concat(Pins(watch.TryTake()!)));
        Offer(watch, 2, first: 5);

        // The hole is told with the next events: 3 and 4 are missing.
        var batch = watch.TryTake()!;
        Assert.Equal(5, batch.First);
        Assert.Equal([5, 6], Pins(batch));
    }

    [Fact]
    public void TryTake_HoleInTheMiddle_EndsTheBatch()
    {
        TestWatch watch = new(options: new() { BufferSize = 3 });
        Offer(watch, 4); // 3 is dropped.
        Assert.Equal([0], Pins(watch.TryTake(max: 1)!));
        Offer(watch, 1, first: 4);

        var (before, after) = (watch.TryTake()!, watch.TryTake()!);

        Assert.Equal([1, 2], Pins(before));
        Assert.Equal([4], Pins(after));
        Assert.Equal((1, 4), (before.First, after.First));
    }

    [Fact]
    public void TryTake_LastEventsDidNotFit_IsAnEmptyBatchAfterThem()
    {
        TestWatch watch = new(options: new() { BufferSize = 2 });
        Offer(watch, 5);
        watch.TryTake();

        var batch = watch.TryTake()!;

        Assert.Equal(5, batch.First);
        Assert.Empty(batch.Events);
        Assert.Null(watch.TryTake()); // Told once.
    }

    [Fact]
    public async Task WaitAsync_TailGap_WakesTheReaderWithoutAnotherEvent()
    {
        TestWatch watch = new(options: new() { BufferSize = 2 });
        Offer(watch, 5);
        await watch.Subscription.WaitAsync(Token);
        watch.TryTake();

        await watch.Subscription.WaitAsync(Token).AsTask().WaitAsync(TestClock.Bound, Token);

        Assert.NotNull(watch.TryTake());
    }

    [Fact]
    public async Task WaitAsync_ManyEvents_WakeOnce()
    {
        TestWatch watch = new();
        Offer(watch, 3);
        await watch.Subscription.WaitAsync(Token);
        watch.TakeAll();

        var wait = watch.Subscription.WaitAsync(Token).AsTask();
        Assert.False(wait.IsCompleted);
        Offer(watch, 1);
        await wait.WaitAsync(TestClock.Bound, Token);
    }

    [Fact]
    public void NoteLost_Silos_AreToldOnceWithOrWithoutEvents()
    {
        TestWatch watch = new();
        watch.Subscription.NoteLost("one");
        watch.Subscription.NoteLost("two");

        var batch = watch.TryTake()!;
        Assert.Equal(["one", "two"], batch.LostSilos);
        Assert.Empty(batch.Events);
        Offer(watch, 1);
        Assert.Empty(watch.TryTake()!.LostSilos);
    }

    [Fact]
    public void NoteLeaving_EventsThatWait_LeavesWithTheLastOfThem()
    {
        TestWatch watch = new();
        Offer(watch, 3);
        watch.Subscription.NoteLeaving();

        Assert.False(watch.TryTake(max: 2)!.Leaving);
        Assert.True(watch.TryTake(max: 2)!.Leaving);
    }

    [Fact]
    public void NoteLeaving_LastEventsDidNotFit_LeavesAfterTheGap()
    {
        TestWatch watch = new(options: new() { BufferSize = 1 });
        Offer(watch, 2);
        watch.Subscription.NoteLeaving();

        Assert.False(watch.TryTake()!.Leaving);
        var last = watch.TryTake()!;
        Assert.True(last.Leaving);
        Assert.Equal(2, last.First);
    }

    [Fact]
    public void NoteLeaving_NothingWaits_LeavesWithAnEmptyBatch() => Assert.True(Left().Leaving);

    [Fact]
    public void NoteDelivered_Batch_CountsWhatTheWatcherHasOrKnowsToMiss()
    {
        TestWatch watch = new(options: new() { BufferSize = 2 });
        Offer(watch, 5);
        watch.Subscription.NoteDelivered(watch.TryTake()!);
        Assert.Equal(2, watch.Subscription.Delivered);

        watch.Subscription.NoteDelivered(watch.TryTake()!);
        Assert.Equal((5, 5), (watch.Subscription.Delivered, watch.Subscription.Next));
    }

    private static MqttDeviceCluster.Fleet.WatchBatch Left()
    {
        TestWatch watch = new();
        watch.Subscription.NoteLeaving();
        return watch.TryTake()!;
    }
}
