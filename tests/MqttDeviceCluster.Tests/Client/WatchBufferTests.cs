using Microsoft.Extensions.Time.Testing;
using MqttDeviceCluster.Tests.Grains;
using MqttDeviceCluster.Tests.Grains.Fleet;

namespace MqttDeviceCluster.Tests.Client;

public sealed class WatchBufferTests
{
    private readonly FakeTimeProvider _time = new(TestClock.Noon);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private WatchBuffer Buffer(int capacity) => new(capacity, _time);

    private static void Add(WatchBuffer buffer, int count, int first = 0)
    {
        for (var i = first; i < first + count; i++)
        {
            buffer.Add(new DeviceAddedEvent($"{i}", TestClock.Noon));
        }
    }

    private static GapEvent Gap(long? missed) => new(null, TestClock.Noon, GapReason.SiloLost, missed);

    private static async Task<string> ReadAsync(WatchBuffer buffer, int count)
    {
        List<string?> words = [];
        for (var i = 0; i < count; i++)
        {
            var value = await buffer.ReadAsync(Token).AsTask().WaitAsync(TestClock.Bound, Token);
            words.Add(value is GapEvent ? TestWatch.Word(value) : value.DeviceId);
        }

        return string.Join(' ', words);
    }

    private static bool IsEmpty(WatchBuffer buffer)
    {
        using CancellationTokenSource now = new();
        var read = buffer.ReadAsync(now.Token).AsTask();
        var empty = !read.IsCompleted;
        now.Cancel();
        return empty;
    }

    [Fact]
    public async Task ReadAsync_Events_ComeInOrder()
    {
        var buffer = Buffer(10);
        Add(buffer, 3);

        Assert.Equal("0 1 2", await ReadAsync(buffer, 3));
        Assert.True(IsEmpty(buffer));
    }

    [Fact]
    public async Task ReadAsync_NothingThere_WaitsForTheNext()
    {
        var buffer = Buffer(10);
        Add(buffer, 2);
        await ReadAsync(buffer, 2);
        var read = buffer.ReadAsync(Token).AsTask();
        Assert.False(read.IsCompleted);

        Add(buffer, 1, first: 2);

        Assert.Equal("2", (await read.WaitAsync(TestClock.Bound, Token)).DeviceId);
    }

    [Fact]
    public async Task Add_MoreThanFits_IsOneGapThatCounts()
    {
        var buffer = Buffer(3);
        Add(buffer, 100);

        Assert.Equal("0 1 2 SlowWatcher(97)", await ReadAsync(buffer, 4)); // At the tail: told now and not with the next event.
        Assert.True(IsEmpty(buffer));
    }

    [Fact]
    public async Task Add_AfterTheReaderCaughtUpSome_IsGapThenEvents()
    {
        var buffer = Buffer(3);
        Add(buffer, 5);
        Assert.Equal("0 1", await ReadAsync(buffer, 2));
        Add(buffer, 1, first: 5);

        Assert.Equal("2 SlowWatcher(2) 5", await ReadAsync(buffer, 3));
    }

    [Fact]
    public async Task Add_GapsThatDoNotFit_CountWhatTheyCounted()
    {
        var buffer = Buffer(1);
        Add(buffer, 1);
        buffer.Add(Gap(5));
        Add(buffer, 2, first: 1);
        Assert.Equal("0 SlowWatcher(7)", await ReadAsync(buffer, 2));

        Add(buffer, 1);
        buffer.Add(Gap(5));
        buffer.Add(Gap(null)); // Nobody knows how many, so nobody knows of all of them.
        Add(buffer, 1, first: 1);
        Assert.Equal("0 SlowWatcher()", await ReadAsync(buffer, 2));

        Add(buffer, 1);
        buffer.Add(Gap(null));
        Assert.Equal("0 SlowWatcher()", await ReadAsync(buffer, 2));
        Assert.True(IsEmpty(buffer));
    }

    [Fact]
    public async Task Add_ReaderAlwaysBehind_HoldsNoMoreThanItsCapacity()
    {
        var buffer = Buffer(10);
        for (var round = 0; round < 100; round++)
        {
            Add(buffer, 50);
            await ReadAsync(buffer, 1);
        }

        var held = 0;
        while (!IsEmptyNow(buffer))
        {
            held++;
        }

        Assert.InRange(held, 1, 12); // The events, and the gaps before and after them.

        static bool IsEmptyNow(WatchBuffer buffer)
        {
            using CancellationTokenSource now = new();
            var read = buffer.ReadAsync(now.Token).AsTask();
            var empty = !read.IsCompleted;
            now.Cancel();
            return empty;
        }
    }

    [Fact]
    public async Task ReadAsync_Cancelled_ReturnsNothingOfWhatWaits()
    {
        var buffer = Buffer(10);
        Add(buffer, 3);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => buffer.ReadAsync(new CancellationToken(canceled: true)).AsTask());

        Assert.Equal("0 1 2", await ReadAsync(buffer, 3));
    }

    [Fact]
    public async Task ReadAsync_CancelledWhileItWaits_LosesNothing()
    {
        var buffer = Buffer(10);
        using CancellationTokenSource caller = new();
        var read = buffer.ReadAsync(caller.Token).AsTask();
        await caller.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read);

        Add(buffer, 1);

        Assert.Equal("0", await ReadAsync(buffer, 1));
    }
}
