using System.Diagnostics;
using System.Text;
using MqttDeviceCluster.IntegrationTests.Infrastructure;

namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>Far more updates at once than a silo stores in the time: they wait at the broker, and the silo's memory stays as it is.</summary>
[Collection(AloneCollection.Name)]
public sealed class BurstTests(ITestOutputHelper output)
{
    private const int Devices = 500;
    private const int Pins = 400;

    // What a device has to say after an outage comes in a row.
    private const int Row = 40;

    [Fact]
    public async Task Updates_200000AtOnce_AreAllStoredWithFlatMemory()
    {
        await using var broker = await MosquittoBroker.StartAsync();
        await using var silo = await SiloProcess.StartAsync(new() { Broker = broker.ConnectionString });
        using var client = await SiloClient.ConnectAsync(silo);
        await using PacedPublisher publisher = new(broker.ConnectionString);
        await RunAsync(silo, client.Cluster, publisher);
    }

    private async Task RunAsync(SiloProcess silo, IDeviceCluster cluster, PacedPublisher publisher)
    {
        // Compiled, and with its pools and heaps as a silo at work has them: every device is there, and has as many pins as it will have.
        for (var device = 0; device < Devices; device++)
        {
            for (var first = 0; first < Pins; first += 200)
            {
                await publisher.SendAsync($"device/d{device}/pin/update", Wide(first, 200));
            }
        }

        await StoredAsync(cluster, mode: 1, Devices);
        using var memory = ResidentMemory.Watch(silo.Id);
        var before = memory.Now;

        // Each update gives a pin of its own another mode, so that a lost one shows.
        var watch = Stopwatch.StartNew();
        for (var i = 0; i < Devices * Pins; i++)
        {
            var (device, pin) = (i / Row % Devices, (i / Row / Devices * Row) + (i % Row));
            await publisher.SendAsync($"device/d{device}/pin/update", Encoding.UTF8.GetBytes($$"""[{"pin":{{pin}},"mode":3,"state":1}]"""));
        }

        await publisher.DrainAsync();
        var published = watch.Elapsed;
        await StoredAsync(cluster, mode: 3, Devices);
        var stored = watch.Elapsed;
        var growth = memory.Most - before;
        output.WriteLine(
            $"{Devices * Pins:N0} updates published in {published.TotalSeconds:0.0} s, stored in {stored.TotalSeconds:0.0} s; resident memory {before} MB before, at most {memory.Most} MB");
        Assert.Equal(0, publisher.NotAccepted);

        // Held in memory, they would take 200 MB at the least.
        Assert.InRange(growth, int.MinValue, 180);
    }

    private static async Task StoredAsync(IDeviceCluster cluster, int mode, int devices)
    {
        var missing = 0;
        try
        {
            await Until.TrueAsync(
                async () =>
                {
                    // One after the other, and no further than the first that is not there yet: asking must not be the load.
                    for (var device = 0; device < devices; device++)
                    {
                        var snapshot = await cluster.GetSnapshotAsync($"d{device}", TestContext.Current.CancellationToken);
                        missing = Pins - snapshot.Pins.Count(pin => (int?)pin.Mode == mode);
                        if (missing > 0)
                        {
                            return false;
                        }
                    }

                    return true;
                },
                "every update to be stored",
                TimeSpan.FromSeconds(60));
        }
        catch (TimeoutException)
        {
            Assert.Fail($"The first device that lacks updates lacks {missing} of {Pins}.");
        }
    }

    private static byte[] Wide(int first, int count) =>
        Encoding.UTF8.GetBytes("[" + string.Join(',', Enumerable.Range(first, count).Select(pin => $$"""{"pin":{{pin}},"mode":1,"state":0}""")) + "]");
}
