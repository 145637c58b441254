using System.Globalization;

namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>Samples the resident memory of another process, in MB.</summary>
internal sealed class ResidentMemory : IDisposable
{
    private readonly int _processId;
    private readonly Timer _timer;
    private int _most;

    private ResidentMemory(int processId)
    {
        _processId = processId;
        _timer = new(_ => Sample(), null, TimeSpan.Zero, TimeSpan.FromMilliseconds(100));
    }

    public int Now => Read();

    /// <summary>Gets the most that was seen.</summary>
    public int Most
    {
        get
        {
            Sample();
            return Volatile.Read(ref _most);
        }
    }

    /// <summary>Begins; skips the test where the system does not tell.</summary>
    public static ResidentMemory Watch(int processId)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Resident memory is read from /proc.");
        return new(processId);
    }

    public void Dispose() => _timer.Dispose();

    private void Sample() => Volatile.Write(ref _most, Math.Max(Volatile.Read(ref _most), Read()));

    private int Read()
    {
        try
        {
            var line = File.ReadLines($"/proc/{_processId}/status").FirstOrDefault(text => text.StartsWith("VmRSS:", StringComparison.Ordinal));
            return line is null ? 0 : int.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024;
        }
        catch (IOException)
        {
            // It has ended.
            return 0;
        }
    }
}
