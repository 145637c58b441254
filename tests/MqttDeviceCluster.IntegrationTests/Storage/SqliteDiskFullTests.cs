using System.Diagnostics;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using MqttDeviceCluster.Storage;
using Orleans.Configuration;
using Orleans.Serialization;
using Orleans.Storage;

namespace MqttDeviceCluster.IntegrationTests.Storage;

/// <summary>A disk that is really full: a small file system in memory, mounted for the test.</summary>
public sealed class SqliteDiskFullTests
{
    [Fact]
    public async Task WriteStateAsync_DiskFull_FailsUntilThereIsRoomAndKeepsWhatWasReported()
    {
        var directory = Directory.CreateTempSubdirectory("storage-full-").FullName;
        Assert.SkipUnless(OperatingSystem.IsLinux() && await RunAsync("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", directory) == 0, "Mounting a file system needs Linux and root.");
        try
        {
            await FillAndHealAsync(directory);
        }
        finally
        {
            await RunAsync("umount", "-l", directory);
            Directory.Delete(directory);
        }
    }

    private static async Task FillAndHealAsync(string directory)
    {
        SiloBuilder builder = new();
        builder.Services.AddLogging().AddSerializer().Configure<ClusterOptions>(options => options.ServiceId = "service");
        builder.AddSqliteGrainStorage("devices", options => options.DataSource = Path.Combine(directory, "cluster.db"));
        await using var services = builder.Services.BuildServiceProvider();
        var storage = (GroupCommitGrainStorage)services.GetRequiredKeyedService<IGrainStorage>("devices");
        await storage.OpenAsync(TestContext.Current.CancellationToken);
        var ballast = Path.Combine(directory, "ballast");
        File.WriteAllBytes(ballast, new byte[5 * 1024 * 1024]);

        var stored = 0;
        var exception = await Assert.ThrowsAsync<GrainStorageUnavailableException>(async () =>
        {
            for (; stored < 1000; stored++)
            {
                await storage.WriteStateAsync("state", Id(stored), new GrainState<Text>(new Text { Value = new string('x', 20_000) }));
            }
        });

        Assert.Equal($"Grain storage 'devices' could not write to {directory}/cluster.db: the disk is full.", exception.Message);
        Assert.True(storage.IsFailing);

        // The probe writes one page, for which there may still be room: from here on the status may say either.
        await AssertStoredAsync(storage, stored);

        File.Delete(ballast);
        var started = TimeProvider.System.GetTimestamp();
        while (storage.IsFailing)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(15), "The store did not recover.");

            // The status is a property that a health endpoint polls; so does the test.
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }

        await storage.WriteStateAsync("state", Id(stored), new GrainState<Text>(new Text { Value = new string('x', 20_000) }));
        await AssertStoredAsync(storage, stored + 1);
    }

    private static async Task AssertStoredAsync(GroupCommitGrainStorage storage, int count)
    {
        Assert.InRange(count, 1, 999);
        for (var i = 0; i <= count; i++)
        {
            GrainState<Text> state = new(new Text());
            await storage.ReadStateAsync("state", Id(i), state);
            Assert.Equal(i < count, state.RecordExists);
        }
    }

    private static GrainId Id(int i) => GrainId.Create("device", $"{i}");

    private static async Task<int> RunAsync(string file, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(file, arguments) { RedirectStandardError = true })!;
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return process.ExitCode;
    }

    public sealed class Text
    {
        public string Value { get; set; } = "";
    }

    private sealed class SiloBuilder : ISiloBuilder
    {
        public IServiceCollection Services { get; } = new ServiceCollection();

        public IConfiguration Configuration { get; } = new ConfigurationBuilder().Build();
    }
}
