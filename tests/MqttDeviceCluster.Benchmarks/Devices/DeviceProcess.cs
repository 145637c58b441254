using System.Diagnostics;
using System.Globalization;
using MqttDeviceCluster.Benchmarks.Machine;

namespace MqttDeviceCluster.Benchmarks.Devices;

/// <summary>The devices, in a process of their own: what they cost is counted apart, and their garbage is not ours.</summary>
internal sealed class DeviceProcess : IAsyncDisposable
{
    private DeviceProcess(Process process) => Process = process;

    public Process Process { get; }

    public static async Task<DeviceProcess> StartAsync(Uri broker, CancellationToken cancellationToken)
    {
        var (self, arguments) = OwnProgram.With("devices", "--broker", broker.OriginalString);
        ProcessStartInfo start = new(self, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        DeviceProcess devices = new(Process.Start(start) ?? throw new BenchmarkException("The simulated devices did not start."));
        await devices.ExpectAsync("ready", cancellationToken);
        return devices;
    }

    /// <summary>Prepares updates of <paramref name="devices"/> devices under a root, each with so many pins. None is sent before <see cref="Allow"/>.</summary>
    public async Task PrepareUpdatesAsync(string root, int devices, CancellationToken cancellationToken, int pins = 1)
    {
        Say($"flood {root} {devices} {pins}");
        await ExpectAsync("prepared", cancellationToken);
    }

    /// <summary>Lets the devices send this many updates in all.</summary>
    public void Allow(long updates) => Say(string.Create(CultureInfo.InvariantCulture, $"limit {updates}"));

    /// <summary>Returns how many updates were sent.</summary>
    public async Task<long> CountSentAsync(CancellationToken cancellationToken)
    {
        Say("sent");
        return long.Parse(await ReadAsync(cancellationToken), CultureInfo.InvariantCulture);
    }

    public async ValueTask DisposeAsync()
    {
        Process.StandardInput.Close();
        await Process.WaitForExitAsync();
        Process.Dispose();
    }

    private void Say(string line)
    {
        Process.StandardInput.Write(line + "\n");
        Process.StandardInput.Flush();
    }

    private async Task ExpectAsync(string expected, CancellationToken cancellationToken)
    {
        if (await ReadAsync(cancellationToken) is var line && line != expected)
        {
            throw new BenchmarkException($"The simulated devices said '{line}', not '{expected}'.");
        }
    }

    private async Task<string> ReadAsync(CancellationToken cancellationToken) =>
        await Process.StandardOutput.ReadLineAsync(cancellationToken) ?? throw new BenchmarkException("The simulated devices ended; what they wrote stands above.");
}
