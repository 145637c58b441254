using System.Diagnostics;
using MqttDeviceCluster.IntegrationTests.Fleet;
using MqttDeviceCluster.IntegrationTests.Infrastructure;

namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>The disk under the embedded store fails while updates come. What the store does not have, the broker must keep.</summary>
public sealed class FullDiskTests
{
    private const int Devices = 50;
    private const int PinsBefore = 20;
    private const int Pins = 120;
    private const int PerSecond = 500;

    private static readonly string[] Ids = [.. Enumerable.Range(0, Devices).Select(i => $"d{i}")];

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Disk_FullUnderLoad_NothingIsAcknowledgedUnstoredAndAllIsThereOnceThereIsRoom()
    {
        await using var disk = await TestDisk.MountAsync("-t", "tmpfs", "-o", "size=8m", "tmpfs");
        await using var broker = await MosquittoBroker.StartAsync();
        await using var tap = MqttTap.Start(broker.Port);
        await using var silo = await StartAsync(tap, disk);
        await using TestPublisher devices = new(broker);
        await PublishAsync(devices, 0, PinsBefore);
        await tap.WaitAsync(Devices * PinsBefore, Devices * PinsBefore);

        var load = PublishAsync(devices, PinsBefore, Pins);
        disk.Fill();
        var degraded = await silo.WaitForHealthAsync("/health/ready", body => body.Contains("the disk is full", StringComparison.Ordinal));
        Assert.StartsWith("""{"status":"degraded",""", degraded, StringComparison.Ordinal);
        Assert.Contains(disk.Path, degraded, StringComparison.Ordinal);
        disk.Fill();
        await load;

        // It stays so for longer than a message may keep failing: that alone must not make them dead letters.
        await Task.Delay(TimeSpan.FromSeconds(3), Cancelled);
        Assert.True(tap.Acknowledged < Devices * Pins, "All was stored: the disk was not full.");
        await AssertStoredIfAcknowledgedAsync(tap, silo, disk);

        disk.Empty();
        await tap.WaitAsync(Devices * Pins, Devices * Pins);
        await silo.WaitForHealthAsync("/health/ready", body => body.StartsWith("""{"status":"healthy",""", StringComparison.Ordinal));
        await silo.KillAsync();
        Assert.Equal(0, await MissingAsync(StoreOf(disk.Path)));
    }

    [Fact]
    public async Task Disk_ReadOnlyUnderLoad_NothingIsAcknowledgedUnstoredAndAllIsThereAfterItsRepair()
    {
        // Nobody can remount a file system read-only while a database is open on it. The kernel does when it meets an error, and then not back: it must be
        // repaired, and so the silo started again.
        await using var disk = await TestDisk.MountImageAsync(megabytes: 32);
        await using var broker = await MosquittoBroker.StartAsync();
        await using var tap = MqttTap.Start(broker.Port);
        await using var silo = await StartAsync(tap, disk);
        await using TestPublisher devices = new(broker);
        await PublishAsync(devices, 0, PinsBefore);
        await tap.WaitAsync(Devices * PinsBefore, Devices * PinsBefore);

        var load = PublishAsync(devices, PinsBefore, Pins);
        disk.TriggerError();
        var degraded = await silo.WaitForHealthAsync("/health/ready", body => body.Contains("degraded", StringComparison.Ordinal));
        Assert.True(degraded.Contains($"could not write to {disk.Path}/data/devices.db: ", StringComparison.Ordinal), degraded);
        Assert.Contains("read-only", degraded, StringComparison.Ordinal);
        await load;
        await Task.Delay(TimeSpan.FromSeconds(3), Cancelled);
        Assert.True(tap.Acknowledged < Devices * Pins, "All was stored: the disk was not read-only.");
        await AssertStoredIfAcknowledgedAsync(tap, silo, disk);

        silo.Terminate();
        Assert.Equal(0, await silo.WaitForExitAsync());
        await disk.RepairAsync();
        var watch = Stopwatch.StartNew();
        do
        {
            // A message whose PUBACK the broker missed is acknowledged twice: so many PUBACKs may be for fewer messages. Then the broker has the others, for the next silo.
            Assert.True(watch.Elapsed < TimeSpan.FromSeconds(120), "Not all is stored.");
            await using var next = await StartAsync(tap, disk);
            while (tap.Acknowledged < Devices * Pins)
            {
                Assert.True(watch.Elapsed < TimeSpan.FromSeconds(60), $"{tap.Acknowledged} of {Devices * Pins} are acknowledged.");

                // Without a connection to the silo there is no exact count to wait for.
                await Task.Delay(50, Cancelled);
            }

            await next.WaitForHealthAsync("/health/ready", body => body.StartsWith("""{"status":"healthy",""", StringComparison.Ordinal));
            next.Terminate();
            Assert.Equal(0, await next.WaitForExitAsync());
        }
        while (await MissingAsync(StoreOf(disk.Path)) > 0);
    }

    private static Task<SiloProcess> StartAsync(MqttTap tap, TestDisk disk) => SiloProcess.StartAsync(new()
    {
        Broker = tap.ConnectionString,
        DataDirectory = Path.Combine(disk.Path, "data"),
        Arguments = ["--Mqtt:MaxDeliveryTime=00:00:02"],
    });

    private static string StoreOf(string directory) => Path.Combine(directory, "data", "devices.db");

    // Each update sets a pin of its own, so that a lost one shows in the end, whatever came after it.
    private static async Task PublishAsync(TestPublisher publisher, int from, int to)
    {
        using PeriodicTimer timer = new(TimeSpan.FromMilliseconds(20));
        List<Task> published = [];
        for (var pin = from; pin < to; pin++)
        {
            foreach (var id in Ids)
            {
                published.Add(publisher.PublishAsync($"device/{id}/pin/update", $$"""[{"pin":{{pin}},"mode":3,"state":1}]"""));
                if (published.Count % (PerSecond / 50) == 0)
                {
                    await timer.WaitForNextTickAsync(Cancelled);
                }
            }
        }

        await Task.WhenAll(published);
    }

    // A frozen silo writes and acknowledges nothing: its files are as they would be had it been killed.
    private static async Task AssertStoredIfAcknowledgedAsync(MqttTap tap, SiloProcess silo, TestDisk disk)
    {
        var copy = Directory.CreateTempSubdirectory("store-copy-").FullName;
        silo.Signal("STOP");
        try
        {
            var acknowledged = tap.AcknowledgedTopics.CountBy(topic => topic.Split('/')[1]).ToDictionary();
            Directory.CreateDirectory(Path.Combine(copy, "data"));
            foreach (var suffix in (string[])["", "-wal"])
            {
                File.Copy(StoreOf(disk.Path) + suffix, StoreOf(copy) + suffix);
            }

            foreach (var (id, state) in await StoredFleet.ReadAsync(StoreOf(copy), Ids))
            {
                // They come in order: so many PUBACKs are for the first so many pins.
                var stored = state.Pins.Select(pin => pin.Pin).ToHashSet();
                var unstored = Enumerable.Range(0, acknowledged.GetValueOrDefault(id)).Where(pin => !stored.Contains(pin));
                Assert.True(!unstored.Any(), $"{id}: acknowledged and not stored: {string.Join(',', unstored)}.");
            }
        }
        finally
        {
            silo.Signal("CONT");
            Directory.Delete(copy, recursive: true);
        }
    }

    private static async Task<int> MissingAsync(string store) =>
        (Devices * Pins) - (await StoredFleet.ReadAsync(store, Ids)).Values.Sum(state => state.Pins.Length);
}
