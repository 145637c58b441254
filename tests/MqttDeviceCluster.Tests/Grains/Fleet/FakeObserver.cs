using System.Threading.Channels;
using MqttDeviceCluster.Fleet;

namespace MqttDeviceCluster.Tests.Grains.Fleet;

/// <summary>A watcher that answers when the test says.</summary>
internal sealed class FakeObserver : IFleetObserver
{
    private readonly Channel<Call> _calls = Channel.CreateUnbounded<Call>();

    /// <summary>Gets whether calls wait that the test has not taken.</summary>
    public bool HasCall => _calls.Reader.TryPeek(out _);

    public Task OnEventsAsync(WatchBatch batch)
    {
        Call call = new(batch);
        _calls.Writer.TryWrite(call);
        return call.Answer.Task;
    }

    public Task<Call> NextAsync() =>
        _calls.Reader.ReadAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(TestClock.Bound, TestContext.Current.CancellationToken);

    internal sealed record Call(WatchBatch Batch)
    {
        public TaskCompletionSource Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
