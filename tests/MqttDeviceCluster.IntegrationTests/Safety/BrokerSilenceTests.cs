using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using MqttDeviceCluster.IntegrationTests.Faults;
using MqttDeviceCluster.IntegrationTests.Fleet;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Session;

namespace MqttDeviceCluster.IntegrationTests.Safety;

/// <summary>
/// A broker that is frozen, and a network that is cut, get what was written to them when they are back, and count its expiry from then. Little of it may be there, and nothing
/// that could still be called back.
/// </summary>
[Collection(AloneCollection.Name)]
public sealed class BrokerSilenceTests(ITestOutputHelper output) : IAsyncLifetime
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);

    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private MosquittoBroker _broker = null!;
    private MqttPublisher? _publisher;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _broker = await MosquittoBroker.StartAsync();

    public async ValueTask DisposeAsync()
    {
        if (_publisher is not null)
        {
            await _publisher.DisposeAsync();
        }

        await _broker.DisposeAsync();
        await _services.DisposeAsync();
    }

    [Fact]
    public async Task Broker_Frozen_GetsOnlyWhatWasWrittenInTheFirst()
    {
        using var device = await RawClient.ConnectAsync(_broker);
        await device.SubscribeAsync("set");
        await StartAsync(_broker.ConnectionString);

        _broker.Suspend();
        List<Call> calls;
        MqttPublishResult[] results;
        try
        {
            (calls, results) = await CallForAsync(TimeSpan.FromSeconds(7), expiresIn: TimeSpan.FromSeconds(5));
        }
        finally
        {
            _broker.Resume();
        }

        var received = await ReceivedAsync(device);
        var late = calls.Where(call => call.At > TimeSpan.FromSeconds(1.5)).ToList();
        output.WriteLine(
            $"{calls.Count} called in 7 s, {received.Count} delivered after it, the last of them called {received.Select(i => calls[i].At.TotalSeconds).DefaultIfEmpty().Max():0.00} s "
            + $"after the freeze; {late.Count} called later than 1.5 s, refused within {late.Max(call => call.Took.TotalSeconds):0.00} s");

        Assert.All(received, i => Assert.InRange(calls[i].At, TimeSpan.Zero, TimeSpan.FromSeconds(1.5)));
        Assert.All(late, call => Assert.Equal(MqttPublishOutcome.NotSent, results[call.Number].Outcome));
        Assert.All(late, call => Assert.InRange(call.Took, TimeSpan.Zero, TimeSpan.FromSeconds(2)));

        // Nobody was told that nothing happened to what the broker has.
        Assert.All(received, i => Assert.Equal(MqttPublishOutcome.Unknown, results[i].Outcome));
    }

    [Fact]
    public async Task Network_CutUntilAllHasExpired_DeliversNothingOfItWhenItIsWhole()
    {
        await using var network = NetworkCut.Start(_broker.Port);
        using var device = await RawClient.ConnectAsync(_broker);
        await device.SubscribeAsync("set");
        await StartAsync(network.ConnectionString);

        network.Cut();
        var (calls, results) = await CallForAsync(TimeSpan.FromSeconds(4), expiresIn: TimeSpan.FromSeconds(1.5));
        network.Heal();

        var received = await ReceivedAsync(device);
        output.WriteLine(
            $"{calls.Count} called in 4 s, {results.Count(result => result.Outcome == MqttPublishOutcome.Unknown)} of them written, {received.Count} delivered, {network.Lost} bytes lost");
        Assert.Empty(received);
        Assert.Contains(results, result => result.Outcome == MqttPublishOutcome.Unknown);

        // The relay finds what it may not deliver when it goes on, which may be later than this.
        await Until.TrueAsync(() => network.Lost > 0, "the relay to find what was written into the cut");
    }

    private async Task StartAsync(string connectionString)
    {
        MqttStreamOptions options = new() { ConnectionString = connectionString, MaxReconnectDelay = TimeSpan.FromSeconds(1) };
        MqttStreamMetrics metrics = new(_services.GetRequiredService<IMeterFactory>(), "test");
        _publisher = new(options, "silence", metrics, NullLogger.Instance, TimeProvider.System);
        _publisher.Start();
        await PublishUntilAcceptedAsync("other");
    }

    // Returns when nobody waits for anything any more: what is delivered from now on, is late.
    private async Task<(List<Call> Calls, MqttPublishResult[] Results)> CallForAsync(TimeSpan time, TimeSpan expiresIn)
    {
        List<Call> calls = [];
        var watch = Stopwatch.StartNew();
        using PeriodicTimer timer = new(TimeSpan.FromMilliseconds(20));
        while (watch.Elapsed < time)
        {
            var call = new Call(calls.Count, watch.Elapsed);
            call.Result = PublishAsync(call, watch, expiresIn);
            calls.Add(call);
            await timer.WaitForNextTickAsync(Cancelled);
        }

        return (calls, await Task.WhenAll(calls.Select(call => call.Result)).WaitAsync(Bound, Cancelled));
    }

    private async Task<MqttPublishResult> PublishAsync(Call call, Stopwatch watch, TimeSpan expiresIn)
    {
        var result = await _publisher!.PublishAsync("set", new()
        {
            Payload = Encoding.UTF8.GetBytes(call.Number.ToString(CultureInfo.InvariantCulture)),
            ExpiresAt = TimeProvider.System.GetUtcNow() + expiresIn,
        });
        call.Took = watch.Elapsed - call.At;
        return result;
    }

    // All that arrived until the connection was up again and some time had passed.
    private async Task<List<int>> ReceivedAsync(RawClient device)
    {
        await PublishUntilAcceptedAsync("set");
        await device.WaitForAsync("set", static payload => payload == "end");

        // That nothing more comes shows only in time.
        await Task.Delay(TimeSpan.FromSeconds(1), Cancelled);
        return [.. device.Received.Where(message => message.Payload != "end").Select(message => int.Parse(message.Payload, CultureInfo.InvariantCulture))];
    }

    private async Task PublishUntilAcceptedAsync(string topic)
    {
        using CancellationTokenSource bound = new(Bound);
        while (!(await _publisher!.PublishAsync(topic, new() { Payload = "end"u8.ToArray() }).WaitAsync(bound.Token)).IsAccepted)
        {
            // It fails after its wait for a connection, and is tried again.
        }
    }

    private sealed class Call(int number, TimeSpan at)
    {
        public int Number => number;

        /// <summary>Gets when it was called, since the freeze.</summary>
        public TimeSpan At => at;

        public TimeSpan Took { get; set; }

        public Task<MqttPublishResult> Result { get; set; } = null!;
    }
}
