using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using MqttDeviceCluster.Silo.FleetPage;

namespace MqttDeviceCluster.Tests.Silo.FleetPage;

public sealed class FleetPageHubTests
{
    [Fact]
    public async Task Leave_LastBrowser_EndsTheWatchALittleLater()
    {
        var time = new FakeTimeProvider();
        var fleet = new FakeFleet();
        var lifetime = new ApplicationLifetime(NullLogger<ApplicationLifetime>.Instance);
        await using var hub = new FleetPageHub(fleet, time, lifetime, NullLogger<FleetPageHub>.Instance);
        Assert.Equal(0, fleet.Watches);

        hub.TryJoin()!.Dispose();
        var again = hub.TryJoin()!;
        await UntilAsync(() => fleet.Listings == 1 && fleet.Watches == 1);
        time.Advance(TimeSpan.FromSeconds(11));
        Assert.Equal(1, fleet.Watches);

        again.Dispose();
        again.Dispose();
        time.Advance(TimeSpan.FromSeconds(9));
        Assert.Equal(1, fleet.Watches);
        time.Advance(TimeSpan.FromSeconds(2));
        await UntilAsync(() => fleet.Watches == 0);

        // The next one begins anew.
        using var next = hub.TryJoin()!;
        await UntilAsync(() => fleet.Listings == 2 && fleet.Watches == 1);
        lifetime.StopApplication();
        await UntilAsync(() => fleet.Watches == 0);
        Assert.Null(hub.TryJoin());
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        bound.CancelAfter(FleetPageHost.Bound);
        while (!condition())
        {
            // The fleet tells nobody who watches it.
            await Task.Delay(10, bound.Token);
        }
    }
}
