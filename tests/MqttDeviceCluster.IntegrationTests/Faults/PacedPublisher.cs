using System.Diagnostics;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Streaming.Mqtt;

namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>
/// A connection of its own that publishes with QoS 1 at a rate, whatever anybody does, and knows how far it fell behind its own plan.
/// </summary>
internal sealed class PacedPublisher : IAsyncDisposable
{
    private readonly BrokerPublisher _publisher;
    private readonly SemaphoreSlim _underWay = new(MaxUnderWay);
    private long _notAccepted;

    private const int MaxUnderWay = 4096;

    public PacedPublisher(string broker)
    {
        MqttStreamOptions options = new()
        {
            ConnectionString = broker,
            PublishConnectWait = TimeSpan.FromSeconds(10),
            PublishWindow = 1024,
            MaxPendingPublishes = 1_000_000,
        };
        _publisher = new(options);
    }

    /// <summary>Gets how far a message was published after its time, at most.</summary>
    public TimeSpan Lag { get; private set; }

    /// <summary>Gets how many messages the broker did not take.</summary>
    public long NotAccepted => Interlocked.Read(ref _notAccepted);

    /// <summary>Publishes <paramref name="count"/> messages at <paramref name="perSecond"/>, and returns when the broker has them all.</summary>
    public async Task RunAsync(int count, double perSecond, Func<int, (string Topic, byte[] Payload)> create)
    {
        using PeriodicTimer timer = new(TimeSpan.FromMilliseconds(5));
        var started = Stopwatch.GetTimestamp();
        for (var i = 0; i < count;)
        {
            for (var due = (int)Math.Min(count, Stopwatch.GetElapsedTime(started).TotalSeconds * perSecond); i < due; i++)
            {
                var lag = Stopwatch.GetElapsedTime(started) - TimeSpan.FromSeconds(i / perSecond);
                Lag = lag > Lag ? lag : Lag;
                var (topic, payload) = create(i);
                await SendAsync(topic, payload);
            }

            await timer.WaitForNextTickAsync(TestContext.Current.CancellationToken);
        }

        await DrainAsync();
    }

    /// <summary>Publishes as fast as the broker takes it.</summary>
    public async Task SendAsync(string topic, byte[] payload, bool retain = false)
    {
        await _underWay.WaitAsync(TestContext.Current.CancellationToken);
        _ = FinishAsync(_publisher.PublishAsync(topic, new() { Payload = payload, Retain = retain }));
    }

    /// <summary>Waits until the broker has answered everything.</summary>
    public async Task DrainAsync()
    {
        for (var i = 0; i < MaxUnderWay; i++)
        {
            await _underWay.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        }

        _underWay.Release(MaxUnderWay);
    }

    public async ValueTask DisposeAsync()
    {
        await _publisher.DisposeAsync();
        _underWay.Dispose();
    }

    private async Task FinishAsync(Task<MqttPublishResult> publishing)
    {
        // Without subscribers (0x10) the broker took it as well.
        var result = await publishing;
        if (result.Outcome is not (MqttPublishOutcome.Accepted or MqttPublishOutcome.NoMatchingSubscribers))
        {
            Interlocked.Increment(ref _notAccepted);
        }

        _underWay.Release();
    }
}
