using System.Diagnostics;
using System.Globalization;
using MqttDeviceCluster.Benchmarks.Machine;

namespace MqttDeviceCluster.Benchmarks.Devices;

/// <summary>The devices, in a process of their own: what they cost is counted apart, and their garbage is not ours.</summary>
internal sealed class DeviceProcess : IAsyncDisposable
{
    private readonly LineProcess _process;

    private DeviceProcess(LineProcess process) => _process = process;

    public Process Process => _process.Process;

    public static async Task<DeviceProcess> StartAsync(Uri broker, CancellationToken cancellationToken)
    {
        var (self, arguments) = OwnProgram.With("devices", "--broker", broker.OriginalString);
        return new(await LineProcess.StartAsync("The simulated devices", self, arguments, [], cancellationToken));
    }

    /// <summary>Prepares updates of <paramref name="devices"/> devices under a root, from number <paramref name="first"/> on, each with so many pins. None is sent before <see cref="Allow"/>.</summary>
    public async Task PrepareUpdatesAsync(string root, int devices, CancellationToken cancellationToken, int pins = 1, int first = 0)
    {
        _process.Say(string.Create(CultureInfo.InvariantCulture, $"flood {root} {devices} {pins} {first}"));
        await _process.ExpectAsync("prepared", cancellationToken);
    }

    /// <summary>Lets the devices send this many updates in all.</summary>
    public void Allow(long updates) => _process.Say(string.Create(CultureInfo.InvariantCulture, $"limit {updates}"));

    /// <summary>Returns how many updates were sent.</summary>
    public async Task<long> CountSentAsync(CancellationToken cancellationToken)
    {
        _process.Say("sent");
        return long.Parse(await _process.ReadAsync(cancellationToken), CultureInfo.InvariantCulture);
    }

    public ValueTask DisposeAsync() => _process.DisposeAsync();
}
