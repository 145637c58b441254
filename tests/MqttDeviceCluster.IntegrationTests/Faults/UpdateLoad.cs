using System.Diagnostics;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Streaming.Mqtt;

namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>Devices that send numbered updates at a rate, QoS 1, and send again what the broker did not acknowledge, as devices do.</summary>
internal sealed class UpdateLoad : IAsyncDisposable
{
    private readonly BrokerPublisher _publisher;
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
        _publisher = new(options);
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
        await _publisher.DisposeAsync();
        await _run.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _enough.Dispose();
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
