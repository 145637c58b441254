using System.Threading.Channels;
using MqttDeviceCluster.Tests.Grains;

namespace MqttDeviceCluster.Tests.Fleet;

/// <summary>Reads a watch in the background, so that a test can act while it is open.</summary>
internal sealed class EventReader : IAsyncDisposable
{
    private readonly Channel<DeviceEvent> _events = Channel.CreateUnbounded<DeviceEvent>();
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _reading;

    private EventReader(IAsyncEnumerable<DeviceEvent> watch) => _reading = ReadAsync(watch);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static EventReader Read(IAsyncEnumerable<DeviceEvent> watch) => new(watch);

    /// <summary>Returns when the watch has started.</summary>
    public static async Task<EventReader> StartAsync(IAsyncEnumerable<DeviceEvent> watch)
    {
        EventReader reader = new(watch);
        Assert.IsType<WatchStartedEvent>(Assert.Single(await reader.TakeAsync(1)));
        return reader;
    }

    public async Task<IReadOnlyList<DeviceEvent>> TakeAsync(int count)
    {
        List<DeviceEvent> taken = [];
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(Token);
        bound.CancelAfter(TestClock.Bound);
        while (taken.Count < count)
        {
            try
            {
                taken.Add(await _events.Reader.ReadAsync(bound.Token));
            }
            catch (OperationCanceledException)
            {
                Assert.Fail($"{taken.Count} of {count} events came: {string.Join(", ", taken)}");
            }
        }

        return taken;
    }

    public async Task WaitForAsync(Func<DeviceEvent, bool> isIt)
    {
        while (!isIt((await TakeAsync(1))[0]))
        {
        }
    }

    public async Task<Exception?> FailureAsync()
    {
        await ((Task)_reading).WaitAsync(TestClock.Bound, Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Assert.True(_reading.IsCompleted, "The watch goes on.");
        return _reading.Exception?.InnerException;
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stopping.Dispose();
    }

    private async Task ReadAsync(IAsyncEnumerable<DeviceEvent> watch)
    {
        await foreach (var value in watch.WithCancellation(_stopping.Token))
        {
            _events.Writer.TryWrite(value);
        }
    }
}
