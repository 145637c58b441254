using System.Threading.Channels;
using Microsoft.Extensions.Time.Testing;

namespace MqttDeviceCluster.Tests.Grains.Fleet;

/// <summary>A clock that tells when somebody begins to wait: only then may the test move it.</summary>
internal sealed class TimerClock() : FakeTimeProvider(TestClock.Noon)
{
    private readonly Channel<TimeSpan> _begun = Channel.CreateUnbounded<TimeSpan>();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = base.CreateTimer(callback, state, dueTime, period);
        _begun.Writer.TryWrite(dueTime);
        return timer;
    }

    /// <summary>Waits until the next wait begins, lets it end, and returns how long it was.</summary>
    public async Task<TimeSpan> PassAsync()
    {
        var wait = await BegunAsync();
        Advance(wait);
        return wait;
    }

    public Task<TimeSpan> BegunAsync() =>
        _begun.Reader.ReadAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(TestClock.Bound, TestContext.Current.CancellationToken);

    /// <summary>Lets every wait end until the task does.</summary>
    public async Task PassUntilAsync(Task task)
    {
        while (!task.IsCompleted)
        {
            using CancellationTokenSource ended = new();
            var begun = _begun.Reader.WaitToReadAsync(ended.Token).AsTask();
            await Task.WhenAny(task, begun).WaitAsync(TestClock.Bound, TestContext.Current.CancellationToken);
            // One that renews itself for ever begins its next wait within the advance.
            while (!task.IsCompleted && _begun.Reader.TryRead(out var wait))
            {
                Advance(wait);
            }

            await ended.CancelAsync();
        }

        await task;
    }
}
