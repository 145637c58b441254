using Microsoft.Extensions.Time.Testing;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Provider;
using Orleans.Providers.Streams.Common;
using Orleans.Streams;

namespace MqttDeviceCluster.Tests.Streaming.Mqtt.Provider;

public sealed class MqttQueueCacheTests
{
    private readonly FakeIntake _intake = new();
    private readonly MqttQueueCache _cache;
    private long _token;

    public MqttQueueCacheTests() => _cache = new(_intake);

    [Fact]
    public void MoveNext_PendingMessages_AreOneBatchInOrder()
    {
        Add("a", 1, 2, 3);
        var cursor = Cursor("a");

        Assert.True(cursor.MoveNext());

        Assert.Equal([1, 2, 3], Events(cursor));
        Assert.Empty(_intake.Finished);
    }

    [Fact]
    public void MoveNext_AfterABatch_FinishesItsMessagesInOrder()
    {
        Add("a", 1, 2);
        var cursor = Cursor("a");
        cursor.MoveNext();
        Add("a", 3);

        Assert.True(cursor.MoveNext());

        Assert.Equal([1, 2], _intake.Finished);
        Assert.Equal([3], Events(cursor));
        Assert.False(cursor.MoveNext());
        Assert.Equal([1, 2, 3], _intake.Finished);
    }

    [Fact]
    public void MoveNext_MoreThanTheBatchSize_LeavesTheRestForTheNext()
    {
        _intake.Options.MaxBatchSize = 2;
        Add("a", 1, 2, 3);
        var cursor = Cursor("a");

        cursor.MoveNext();
        Assert.Equal([1, 2], Events(cursor));
        cursor.MoveNext();
        Assert.Equal([3], Events(cursor));
    }

    [Fact]
    public void MoveNext_OtherStreams_AreNotTouched()
    {
        Add("a", 1);
        Add("b", 2);
        var a = Cursor("a");
        a.MoveNext();

        Assert.False(a.MoveNext());

        Assert.Equal([1], _intake.Finished);
        Assert.True(Cursor("b").MoveNext());
    }

    [Fact]
    public void Dispose_WithABatchInDelivery_FinishesNothing()
    {
        Add("a", 1);
        var cursor = Cursor("a");
        cursor.MoveNext();

        cursor.Dispose();

        Assert.Empty(_intake.Finished);
        Assert.Equal(1, _cache.Count);
    }

    [Fact]
    public void Dispose_ThenANewCursor_DeliversTheUnfinishedAgain()
    {
        Add("a", 1, 2);
        var first = Cursor("a");
        first.MoveNext();
        first.Dispose();

        var second = Cursor("a");

        Assert.True(second.MoveNext());
        Assert.Equal([1, 2], Events(second));
    }

    [Fact]
    public void MoveNext_TwoConsumers_FinishesWhatBothHavePassed()
    {
        Add("a", 1);
        var slow = Cursor("a");
        var fast = Cursor("a");
        slow.MoveNext();
        fast.MoveNext();

        fast.MoveNext();
        Assert.Empty(_intake.Finished);

        slow.MoveNext();
        Assert.Equal([1], _intake.Finished);
    }

    [Fact]
    public void Dispose_OneOfTwoConsumers_FinishesWhatTheOtherPassedAtTheNextRead()
    {
        Add("a", 1);
        var dead = Cursor("a");
        var alive = Cursor("a");
        dead.MoveNext();
        alive.MoveNext();
        alive.MoveNext();

        dead.Dispose();
        Assert.Empty(_intake.Finished);
        _cache.GetMaxAddCount();

        Assert.Equal([1], _intake.Finished);
    }

    [Fact]
    public void GetMaxAddCount_StreamWithoutAnyConsumer_IsDeadLettered()
    {
        Add("a", 1);
        Cursor("a").Dispose();

        _cache.GetMaxAddCount();

        Assert.Equal([(1, MqttRefusal.NoConsumer)], _intake.DeadLetters);
        Assert.Equal(0, _cache.Count);
    }

    [Fact]
    public void GetMaxAddCount_StreamWhoseRegistrationIsUnderWay_IsKept()
    {
        Add("a", 1);
        using var pin = Cursor("a");

        _cache.GetMaxAddCount();

        Assert.Empty(_intake.DeadLetters);
        Assert.True(Cursor("a").MoveNext());
    }

    [Fact]
    public void RecordDeliveryFailure_SingleMessage_IsDeadLetteredAndTheNextFollowsInOrder()
    {
        _intake.Options.MaxBatchSize = 1;
        Add("a", 1, 2);
        var cursor = Cursor("a");
        cursor.MoveNext();

        FailForGood(cursor);

        Assert.True(cursor.MoveNext());
        Assert.Equal([(1, MqttRefusal.DeliveryFailed)], _intake.DeadLetters);
        Assert.Equal([2], Events(cursor));
        cursor.MoveNext();
        Assert.Equal([2], _intake.Finished);
    }

    [Fact]
    public void RecordDeliveryFailure_Batch_IsDeliveredOneByOneToFindThePoison()
    {
        Add("a", 1, 2, 3);
        var cursor = Cursor("a");
        cursor.MoveNext();

        FailForGood(cursor);
        Assert.True(cursor.MoveNext());
        Assert.Equal([1], Events(cursor));
        Assert.True(cursor.MoveNext());
        Assert.Equal([2], Events(cursor));
        FailForGood(cursor);
        Assert.True(cursor.MoveNext());
        Assert.Equal([3], Events(cursor));
        Assert.False(cursor.MoveNext());

        Assert.Equal([(2, MqttRefusal.DeliveryFailed)], _intake.DeadLetters);
        Assert.Equal([1, 3], _intake.Finished);
    }

    [Fact]
    public void RecordDeliveryFailure_AgainAndAgain_GivesUpEverythingAndTriesTheNewestUntilItSucceeds()
    {
        Add("a", 1, 2, 3, 4);
        _intake.Options.MaxBatchSize = 1;
        var cursor = Cursor("a");
        cursor.MoveNext();
        FailForGood(cursor);
        cursor.MoveNext();
        FailForGood(cursor);

        Assert.True(cursor.MoveNext());
        Assert.Equal([4], Events(cursor));
        Assert.Equal(
            [
                (1, MqttRefusal.DeliveryFailed), (2, MqttRefusal.DeliveryFailed),
                (3, MqttRefusal.ConsumerFailing), (4, MqttRefusal.ConsumerFailing),
            ],
            _intake.DeadLetters);

        // It recovers: from here on everything is delivered again.
        Assert.False(cursor.MoveNext());
        Assert.Empty(_intake.Finished);
        Add("a", 5, 6);
        Assert.True(cursor.MoveNext());
        Assert.Equal([5], Events(cursor));
        Assert.True(cursor.MoveNext());
        Assert.Equal([6], Events(cursor));
        Assert.False(cursor.MoveNext());
        Assert.Equal([5, 6], _intake.Finished);
    }

    [Fact]
    public void AddToCache_WhileAFailingConsumerIsTried_HoldsUpNobody()
    {
        _intake.Options.MaxBatchSize = 1;
        Add("a", 1, 2, 3);
        var cursor = Cursor("a");
        for (var i = 0; i < 2; i++)
        {
            cursor.MoveNext();
            FailForGood(cursor);
        }

        cursor.MoveNext();
        Assert.Equal([3], Events(cursor));
        _intake.DeadLetters.Clear();

        Add("a", 4, 5, 6);

        Assert.Equal(
            [(4, MqttRefusal.ConsumerFailing), (5, MqttRefusal.ConsumerFailing), (6, MqttRefusal.ConsumerFailing)], _intake.DeadLetters);
        cursor.MoveNext();
        Assert.Equal([6], Events(cursor));
    }

    [Fact]
    public void AddToCache_FailingConsumerWhileFailuresAreHeld_GivesUpNothing()
    {
        _intake.Options.MaxBatchSize = 1;
        Add("a", 1, 2);
        var cursor = Cursor("a");
        for (var i = 0; i < 2; i++)
        {
            cursor.MoveNext();
            FailForGood(cursor);
        }

        Assert.False(cursor.MoveNext());
        _intake.DeadLetters.Clear();
        _intake.HoldFailuresFor = TimeSpan.MaxValue;

        Add("a", 3, 4);

        Assert.Empty(_intake.DeadLetters);
        Assert.True(cursor.MoveNext());
        Assert.Equal([3], Events(cursor));
    }

    [Fact]
    public void GetMaxAddCount_ConsumerDoesNotAnswer_GivesUpWhatItHasAndWhatWaitsBehind()
    {
        _intake.Options.MaxBatchSize = 2;
        Add("a", 1, 2, 3);
        Add("b", 4);
        var hanging = Cursor("a");
        hanging.MoveNext();
        _intake.Time.Advance(_intake.Options.MaxAnswerTime - _intake.Options.MaxDeliveryTime);
        var other = Cursor("b");
        other.MoveNext();
        _cache.GetMaxAddCount();
        Assert.Empty(_intake.DeadLetters);

        _intake.Time.Advance(_intake.Options.MaxDeliveryTime);
        _cache.GetMaxAddCount();
        Add("a", 5);

        Assert.Equal(
            [
                (1, MqttRefusal.DeliveryTimedOut), (2, MqttRefusal.DeliveryTimedOut),
                (3, MqttRefusal.ConsumerFailing), (5, MqttRefusal.ConsumerFailing),
            ],
            _intake.DeadLetters);

        // It comes back in the end, and is as before.
        Assert.True(hanging.MoveNext());
        Assert.Equal([5], Events(hanging));
        Assert.False(hanging.MoveNext());
        Add("a", 6);
        Assert.True(hanging.MoveNext());
        Assert.Equal([6], Events(hanging));
        Assert.False(hanging.MoveNext());
        Assert.Equal([6], _intake.Finished);
    }

    [Fact]
    public void GetMaxAddCount_ConsumersHangWhileFailuresAreHeld_GivesUpNothing()
    {
        Add("a", 1);
        Cursor("a").MoveNext();
        _intake.HoldFailuresFor = TimeSpan.MaxValue;

        _intake.Time.Advance(TimeSpan.FromHours(1));
        _cache.GetMaxAddCount();

        Assert.Empty(_intake.DeadLetters);
    }

    [Fact]
    public void RecordDeliveryFailure_WhileFailuresAreHeldAndTheBrokerSendsThemAgain_LeavesThemToIt()
    {
        Add("a", 1, 2);
        var cursor = Cursor("a");
        cursor.MoveNext();
        _intake.HoldFailuresFor = TimeSpan.MaxValue;
        _intake.Obsolete.UnionWith([1, 2]);

        cursor.RecordDeliveryFailure();

        Assert.False(cursor.MoveNext());
        Assert.Empty(_intake.DeadLetters);
    }

    [Fact]
    public void AddToCache_DroppedMessagesBehindOneThatTakesLong_DoNotGather()
    {
        Add("a", 0);
        var cursor = Cursor("a");
        cursor.MoveNext();

        for (var i = 1; i <= 100_000; i++)
        {
            Add("a", i);
            _intake.Obsolete.Add(i);
        }

        Assert.InRange(_cache.Count, 1, 2048);
    }

    [Fact]
    public void RecordDeliveryFailure_WhileFailuresAreHeld_DeliversTheSameBatchAgain()
    {
        Add("a", 1, 2);
        var cursor = Cursor("a");
        cursor.MoveNext();
        _intake.HoldFailuresFor = TimeSpan.MaxValue;

        cursor.RecordDeliveryFailure();
        Assert.True(cursor.MoveNext());

        Assert.Equal([1, 2], Events(cursor));
        Assert.Empty(_intake.DeadLetters);
        Assert.Empty(_intake.Finished);
        _intake.HoldFailuresFor = TimeSpan.Zero;
        Assert.False(cursor.MoveNext());
        Assert.Equal([1, 2], _intake.Finished);
    }

    [Fact]
    public void RecordDeliveryFailure_WhileFailuresAreHeldForABound_GivesUpOnlyWhatHasFailedForThatLong()
    {
        var bound = _intake.HoldFailuresFor = TimeSpan.FromMinutes(5);
        _intake.Options.MaxBatchSize = 1;
        Add("poison", 1, 2, 3);
        Add("healthy", 4);
        var (poison, healthy) = (Cursor("poison"), Cursor("healthy"));
        poison.MoveNext();
        _intake.Time.Advance(bound - TimeSpan.FromTicks(1));
        poison.RecordDeliveryFailure();
        Assert.True(poison.MoveNext());
        Assert.Equal([1], Events(poison));
        Assert.Empty(_intake.DeadLetters);

        // It has done nothing but fail for so long: it is poison, and soon the device is known to fail.
        healthy.MoveNext();
        _intake.Time.Advance(TimeSpan.FromTicks(1));
        poison.RecordDeliveryFailure();
        Assert.True(poison.MoveNext());
        Assert.Equal([(1, MqttRefusal.DeliveryFailed)], _intake.DeadLetters);
        FailForGood(poison);
        poison.MoveNext();
        Assert.Equal([(1, MqttRefusal.DeliveryFailed), (2, MqttRefusal.DeliveryFailed), (3, MqttRefusal.ConsumerFailing)], _intake.DeadLetters);

        // Another device's failures are held all the same, and its own after a success.
        FailForGood(healthy);
        Assert.True(healthy.MoveNext());
        Assert.Equal([4], Events(healthy));
        Assert.Equal([3], Events(poison));
        poison.MoveNext();
        Add("poison", 5);
        poison.MoveNext();
        FailForGood(poison);
        Assert.True(poison.MoveNext());
        Assert.Equal([5], Events(poison));
        Assert.Equal(3, _intake.DeadLetters.Count);
    }

    [Fact]
    public void RecordDeliveryFailure_WhileFailuresAreHeldLongAfterAnotherFailure_DeliversAgain()
    {
        Add("a", 1);
        var cursor = Cursor("a");
        cursor.MoveNext();
        FailForGood(cursor);
        Assert.False(cursor.MoveNext());
        Assert.Equal([(1, MqttRefusal.DeliveryFailed)], _intake.DeadLetters);

        // Nothing succeeded since, but nothing was tried either.
        _intake.Time.Advance(TimeSpan.FromHours(1));
        _intake.HoldFailuresFor = TimeSpan.FromMinutes(5);
        Add("a", 2);
        cursor.MoveNext();
        FailForGood(cursor);

        Assert.True(cursor.MoveNext());
        Assert.Equal([2], Events(cursor));
        Assert.Single(_intake.DeadLetters);
    }

    [Fact]
    public void GetMaxAddCount_ConsumerThatIsHeldInFront_SparesNobodyBehindIt()
    {
        var bound = _intake.HoldFailuresFor = TimeSpan.FromMinutes(5);
        Add("poison", 1);
        Add("healthy", 2);
        var poison = Cursor("poison");
        poison.MoveNext();
        _intake.Time.Advance(bound - TimeSpan.FromSeconds(1));
        poison.RecordDeliveryFailure();
        Cursor("healthy").MoveNext();
        Assert.True(poison.MoveNext());

        // Neither answers any more. One of them has done nothing but fail before.
        _intake.Time.Advance(_intake.Options.MaxAnswerTime);
        _cache.GetMaxAddCount();

        Assert.Equal([(1, MqttRefusal.DeliveryTimedOut)], _intake.DeadLetters);
    }

    [Fact]
    public void MoveNext_MessagesThatTheBrokerSendsAgain_AreSkipped()
    {
        Add("a", 1, 2);
        var cursor = Cursor("a");
        _intake.Obsolete.Add(1);

        Assert.True(cursor.MoveNext());

        Assert.Equal([2], Events(cursor));
    }

    [Fact]
    public void MoveNext_OnlyObsoleteMessages_ReturnsFalseAndForgetsThem()
    {
        Add("a", 1, 2);
        var cursor = Cursor("a");
        _intake.Obsolete.UnionWith([1, 2]);

        Assert.False(cursor.MoveNext());

        Add("a", 3);
        Assert.True(cursor.MoveNext());
        Assert.Equal([3], Events(cursor));
        Assert.Equal(1, _cache.Count);
    }

    [Fact]
    public void RecordDeliveryFailure_TimeIsLeft_DeliversTheSameMessageAgainAndAlone()
    {
        Add("a", 1);
        var cursor = Cursor("a");
        cursor.MoveNext();
        Add("a", 2);
        _intake.Time.Advance(_intake.Options.MaxDeliveryTime / 2);
        cursor.RecordDeliveryFailure();

        Assert.True(cursor.MoveNext());
        Assert.Equal([1], Events(cursor));
        Assert.Empty(_intake.DeadLetters);

        // Not from when it was given again: the first time counts.
        _intake.Time.Advance(_intake.Options.MaxDeliveryTime / 2);
        cursor.RecordDeliveryFailure();
        Assert.True(cursor.MoveNext());
        Assert.Equal([(1, MqttRefusal.DeliveryFailed)], _intake.DeadLetters);
        Assert.Equal([2], Events(cursor));
        Assert.False(cursor.MoveNext());
        Assert.Equal([2], _intake.Finished);
    }

    [Fact]
    public void RecordDeliveryFailure_SucceedsWithinTheTime_IsFinished()
    {
        Add("a", 1);
        var cursor = Cursor("a");
        cursor.MoveNext();
        cursor.RecordDeliveryFailure();
        Assert.True(cursor.MoveNext());

        Assert.False(cursor.MoveNext());

        Assert.Equal([1], _intake.Finished);
        Assert.Empty(_intake.DeadLetters);
    }

    private void FailForGood(MqttCacheCursor cursor)
    {
        _intake.Time.Advance(_intake.Options.MaxDeliveryTime);
        cursor.RecordDeliveryFailure();
    }

    private static int[] Events(MqttCacheCursor cursor) =>
        [.. cursor.GetCurrent(out _)!.GetEvents<int>().Select(tuple => tuple.Item1)];

    private MqttCacheCursor Cursor(string key) => (MqttCacheCursor)_cache.GetCacheCursor(StreamId.Create("ns", key), null);

    private void Add(string key, params int[] events) => _cache.AddToCache(
        [.. events.Select(value => (IBatchContainer)new MqttStreamMessage(StreamId.Create("ns", key), new EventSequenceTokenV2(++_token), value))]);

    private sealed class FakeIntake : IMqttIntake
    {
        public MqttStreamOptions Options { get; } = new();

        public FakeTimeProvider Time { get; } = new();

        public TimeProvider TimeProvider => Time;

        public TimeSpan HoldFailuresFor { get; set; }

        public List<int> Finished { get; } = [];

        public List<(int Event, string Reason)> DeadLetters { get; } = [];

        public HashSet<int> Obsolete { get; } = [];

        public bool IsObsolete(MqttStreamMessage message) => Obsolete.Contains((int)message.Event);

        public void Finish(MqttStreamMessage message)
        {
            if (message.TryEnd())
            {
                Finished.Add((int)message.Event);
            }
        }

        public void DeadLetter(MqttStreamMessage message, string reason)
        {
            if (message.TryEnd())
            {
                DeadLetters.Add(((int)message.Event, reason));
            }
        }
    }
}
