using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Session;

namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>Devices that send numbered updates at a rate, QoS 1, and send again what the broker did not acknowledge, as devices do.</summary>
internal sealed class UpdateLoad : IAsyncDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly IMqttPublisher _publisher;
    private readonly UpdateLedger _ledger;
    private readonly CancellationTokenSource _enough = new();
    private readonly Task _run;

    /// <param name="broker">The broker, without a tap.</param>
    /// <param name="ledger">Where the updates are noted.</param>
    /// <param name="perSecond">How many updates a second.</param>
    public UpdateLoad(string broker, UpdateLedger ledger, int perSecond)
    {
        MqttStreamOptions options = new()
        {
            ConnectionString = broker,
            KeepAlive = TimeSpan.FromSeconds(5),
            MaxReconnectDelay = TimeSpan.FromSeconds(1),
            PublishConnectWait = TimeSpan.FromMinutes(5),
            PublishWindow = 1000,
            MaxPendingPublishes = 1_000_000,
        };
        _ledger = ledger;
        MqttStreamMetrics metrics = new(_services.GetRequiredService<IMeterFactory>(), "test");
        _publisher = new MqttConnectionFactory(options, $"devices-{Guid.NewGuid():N}", metrics, TimeProvider.System, NullLogger.Instance).CreatePublisher();
        _publisher.Start();
        _run = Task.Run(() => RunAsync(perSecond));
    }

    /// <summary>Sends no more, and waits until the broker has taken what was sent.</summary>
    public async Task StopAsync()
    {
        await _enough.CancelAsync();
        await _run;
    }

    public async ValueTask DisposeAsync()
    {
        await _enough.CancelAsync();
        await _publisher.StopAsync(TimeSpan.FromSeconds(1), CancellationToken.None);
        await _run.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _enough.Dispose();
        await _services.DisposeAsync();
    }

    private async Task RunAsync(int perSecond)
    {
        using PeriodicTimer timer = new(TimeSpan.FromMilliseconds(10));
        var started = Stopwatch.StartNew();
        var sent = 0;
        List<Task> sending = [];
        while (!_enough.IsCancellationRequested)
        {
            for (; sent < started.Elapsed.TotalSeconds * perSecond; sent++)
            {
                sending.Add(SendAsync());
            }

            sending.RemoveAll(static task => task.IsCompletedSuccessfully);
            await timer.WaitForNextTickAsync();
        }

        await Task.WhenAll(sending);
    }

    private async Task SendAsync()
    {
        var (number, topic, payload) = _ledger.Next();
        while (true)
        {
            var result = await _publisher.PublishAsync(topic, new() { Payload = payload });
            switch (result.Outcome)
            {
                case MqttPublishOutcome.NoMatchingSubscribers:
                    _ledger.OnUnheard(number);
                    _ledger.OnTaken(number);
                    return;
                case MqttPublishOutcome.Accepted:
                    _ledger.OnTaken(number);
                    return;
                case MqttPublishOutcome.Refused:
                    throw new InvalidOperationException($"The broker refused an update: {result.Reason}.");
                default:
                    if (result.Reason == "the publisher was stopped")
                    {
                        return;
                    }

                    _ledger.OnSentAgain(number);
                    break;
            }
        }
    }
}
