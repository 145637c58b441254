using System.Diagnostics;

namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>A small file system of its own, mounted for a test. Where the test may not mount one, it is skipped.</summary>
internal sealed class TestDisk : IAsyncDisposable
{
    private const string Reason = "Mounting a file system needs Linux and root.";

    private readonly string? _image;

    private TestDisk(string path, string? image) => (Path, _image) = (path, image);

    public string Path { get; }

    private string Ballast => System.IO.Path.Combine(Path, "ballast");

    /// <summary>Mounts what these arguments of <c>mount</c> say.</summary>
    public static async Task<TestDisk> MountAsync(params string[] arguments)
    {
        TestDisk disk = new(Directory.CreateTempSubdirectory("disk-").FullName, null);
        await disk.MountOrSkipAsync(arguments);
        return disk;
    }

    /// <summary>Mounts an ext4 in a file, which becomes read-only at its first error, as most are set up.</summary>
    public static async Task<TestDisk> MountImageAsync(int megabytes)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess, Reason);
        var image = System.IO.Path.GetTempFileName();
        TestDisk disk = new(Directory.CreateTempSubdirectory("disk-").FullName, image);
        await using (var file = File.OpenWrite(image))
        {
            file.SetLength(megabytes * 1024 * 1024);
        }

        if (await RunAsync("mkfs.ext4", "-q", "-F", image) != 0)
        {
            await disk.DisposeAsync();
            Assert.Skip("There is no mkfs.ext4 (Debian package: e2fsprogs).");
        }

        await disk.MountOrSkipAsync("-o", "loop,errors=remount-ro", image);
        return disk;
    }

    /// <summary>Takes all the room there is, to the last page. Again, when someone found some.</summary>
    public void Fill()
    {
        using FileStream file = new(Ballast, FileMode.Append, FileAccess.Write, FileShare.None, bufferSize: 0);
        try
        {
            while (true)
            {
                file.Write(new byte[4096]);
            }
        }
        catch (IOException)
        {
            // Full.
        }
    }

    /// <summary>Gives the room back.</summary>
    public void Empty() => File.Delete(Ballast);

    /// <summary>Has the kernel find an error in the file system.</summary>
    public void TriggerError()
    {
        var device = File.ReadLines("/proc/self/mounts").Select(line => line.Split(' ')).Last(mount => mount[1] == Path)[0];
        File.WriteAllText($"/sys/fs/ext4/{System.IO.Path.GetFileName(device)}/trigger_fs_error", "1");
    }

    /// <summary>Unmounts, repairs and mounts it again, as an operator would. Nobody may use it meanwhile.</summary>
    public async Task RepairAsync()
    {
        Assert.Equal(0, await RunAsync("umount", Path));
        Assert.InRange(await RunAsync("e2fsck", "-fy", _image!), 0, 1);
        Assert.Equal(0, await RunAsync("mount", "-o", "loop,errors=remount-ro", _image!, Path));
    }

    public async ValueTask DisposeAsync()
    {
        await RunAsync("umount", "-l", Path);
        Directory.Delete(Path);
        if (_image is not null)
        {
            File.Delete(_image);
        }
    }

    private async Task MountOrSkipAsync(params string[] arguments)
    {
        if (!OperatingSystem.IsLinux() || await RunAsync("mount", [.. arguments, Path]) != 0)
        {
            await DisposeAsync();
            Assert.Skip(Reason);
        }
    }

    private static async Task<int> RunAsync(string file, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(file, arguments) { RedirectStandardError = true, RedirectStandardOutput = true })!;
            var output = process.StandardOutput.ReadToEndAsync();
            await process.StandardError.ReadToEndAsync();
            await output;
            await process.WaitForExitAsync();
            return process.ExitCode;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            // Not installed.
            return -1;
        }
    }
}
