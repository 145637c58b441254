using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Tests.Grains;

namespace MqttDeviceCluster.Tests.Client;

public sealed class UpdateSubscriptionTests
{
    private readonly FakeFleet _fleet = new();
    private readonly RecordingLogger _logger = new();
    private readonly Channel<(string DeviceId, TaskCompletionSource Answer)> _calls = Channel.CreateUnbounded<(string, TaskCompletionSource)>();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static DeviceAddedEvent[] Added(params string[] ids) => [.. ids.Select(id => new DeviceAddedEvent(id, TestClock.Noon))];

    private static Task Ends(Task task) => task.WaitAsync(TestClock.Bound, Token);

    private UpdateSubscription Subscribe(Func<DeviceEvent, CancellationToken, Task>? callback = null) => new(
        new(_fleet.Grains, new(), TimeProvider.System, _logger),
        callback ?? ((value, _) =>
        {
            TaskCompletionSource answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
            _calls.Writer.TryWrite((value.DeviceId!, answer));
            return answer.Task;
        }),
        _logger);

    private async Task<(string DeviceId, TaskCompletionSource Answer)> CallAsync() => await _calls.Reader.ReadAsync(Token).AsTask().WaitAsync(TestClock.Bound, Token);

    [Fact]
    public async Task Run_Events_AreCalledBackOneAtATimeInOrder()
    {
        await using var subscription = Subscribe();
        await Ends(subscription.Started);
        await _fleet.SendAsync(Added("a", "b"));
        await _fleet.SendAsync(Added("c"));
        List<string> order = [];
        for (var i = 0; i < 3; i++)
        {
            var call = await CallAsync();
            order.Add(call.DeviceId);
            Assert.False(_calls.Reader.TryPeek(out _));
            call.Answer.SetResult();
        }

        Assert.Equal(["a", "b", "c"], order);
    }

    [Fact]
    public async Task Run_CallbackThrows_IsLoggedAndTheNextComes()
    {
        await using var subscription = Subscribe((value, _) => value.DeviceId switch
        {
            "a" => throw new InvalidOperationException("at once"),
            "b" => Task.FromException(new OperationCanceledException()), // Of its own, not of the disposal.
            _ => Record(value),
        });
        await _fleet.SendAsync(Added("a", "b", "c"));

        var call = await CallAsync();
        call.Answer.SetResult();

        Assert.Equal("c", call.DeviceId);
        Assert.Equal(2, _logger.Errors.Count);

        Task Record(DeviceEvent value)
        {
            _calls.Writer.TryWrite((value.DeviceId!, new()));
            return Task.CompletedTask;
        }
    }

    [Fact]
    public async Task DisposeAsync_CallbackInFlight_AwaitsItAndCallsNoMore()
    {
        var subscription = Subscribe();
        await _fleet.SendAsync(Added("a", "b", "c"));
        var call = await CallAsync();
        var dispose = subscription.DisposeAsync().AsTask();
        Assert.False(dispose.IsCompleted);

        call.Answer.SetResult();

        await Ends(dispose);
        Assert.False(_calls.Reader.TryPeek(out _));
        Assert.Single(_fleet.Unwatched);
        Assert.Empty(_logger.Errors);
    }

    [Fact]
    public async Task DisposeAsync_CallbackHeedsItsToken_EndsAtOnceAndWithoutAnError()
    {
        TaskCompletionSource called = new(TaskCreationOptions.RunContinuationsAsynchronously);
        var subscription = Subscribe((_, token) =>
        {
            called.SetResult();
            return Task.Delay(Timeout.Infinite, token);
        });
        await _fleet.SendAsync(Added("a"));
        await Ends(called.Task);

        await Ends(subscription.DisposeAsync().AsTask());

        Assert.Empty(_logger.Errors);
    }

    [Fact]
    public async Task DisposeAsync_FromTwoThreads_BothAwaitTheCallbackInFlight()
    {
        var subscription = Subscribe();
        await _fleet.SendAsync(Added("a"));
        var call = await CallAsync();
        Task[] disposals = [Task.Run(() => subscription.DisposeAsync().AsTask(), Token), Task.Run(() => subscription.DisposeAsync().AsTask(), Token)];
        await Task.Yield();
        Assert.All(disposals, dispose => Assert.False(dispose.IsCompleted));

        call.Answer.SetResult();

        await Ends(Task.WhenAll(disposals));
        await Ends(subscription.DisposeAsync().AsTask());
        Assert.Single(_fleet.Unwatched);
    }

    [Fact]
    public async Task DisposeAsync_BeforeTheClusterAnswers_CancelsStarted()
    {
        _fleet.Receipts.Enqueue(static () => new TaskCompletionSource<MqttDeviceCluster.Fleet.WatchReceipt>().Task);
        var subscription = Subscribe();
        await _fleet.Watched;

        await Ends(subscription.DisposeAsync().AsTask());

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => subscription.Started);
    }

    internal sealed class RecordingLogger : ILogger
    {
        public ConcurrentQueue<Exception?> Errors { get; } = new();

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (logLevel >= LogLevel.Error)
            {
                Errors.Enqueue(exception);
            }
        }
    }
}
