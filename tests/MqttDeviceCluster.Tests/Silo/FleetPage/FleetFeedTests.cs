using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Silo.FleetPage;
using MqttDeviceCluster.Tests.Grains.Fleet;
using MqttDeviceCluster.Tests.Storage;

namespace MqttDeviceCluster.Tests.Silo.FleetPage;

public sealed class FleetFeedTests
{
    private static readonly TimeSpan BetweenWatches = TimeSpan.FromSeconds(2);

    [Fact]
    public async Task RunAsync_WatchFailsAgainAndAgain_LogsTheFirstEveryHundredthAndTheRecovery()
    {
        using LogCollector log = new();
        FakeFleet fleet = new() { WatchFailure = new InvalidOperationException("no silo") };
        TimerClock clock = new();
        using CancellationTokenSource end = new();
        FleetFeed feed = new(fleet, clock, log);
        var running = feed.RunAsync(end.Token);
        for (var failures = 0; failures < 101;)
        {
            var wait = await clock.BegunAsync();
            if (wait == BetweenWatches)
            {
                failures++;
                if (failures == 101)
                {
                    fleet.WatchFailure = null;
                }

                clock.Advance(wait);
            }
        }

        await UntilLiveAsync(feed.Model);
        Assert.Equal(
            ["The fleet page has no watch over the fleet, failure 1 in a row; trying every 00:00:02.", "The fleet page has no watch over the fleet, failure 101 in a row; trying every 00:00:02."],
            log.At(LogLevel.Warning));
        Assert.Equal("The fleet page watches the fleet again, after 101 failures.", Assert.Single(log.At(LogLevel.Information)));

        // After a recovery the first loss is the first again.
        fleet.EndWatches(new InvalidOperationException("lost"));
        while (await clock.BegunAsync() != BetweenWatches)
        {
        }

        Assert.Equal("The fleet page has no watch over the fleet, failure 1 in a row; trying every 00:00:02.", log.At(LogLevel.Warning).Last());
        await end.CancelAsync();
        await running;
    }

    // The model has no event: its readers poll it, and so does the test.
    private static async Task UntilLiveAsync(FleetModel model)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (model.Status != FleetStatus.Live)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(started) < FleetPageHost.Bound, $"It is {model.Status}.");
            await Task.Delay(5, TestContext.Current.CancellationToken);
        }
    }
}
