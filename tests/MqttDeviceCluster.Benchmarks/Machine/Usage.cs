using System.Diagnostics;
using System.Globalization;

namespace MqttDeviceCluster.Benchmarks.Machine;

/// <summary>What was used between two moments: by the processes that take part, and by everything else on the machine.</summary>
/// <param name="Self">This process, in which the contenders run or are called from, and the contender's own if it has one.</param>
/// <param name="Broker">The broker, when it is ours.</param>
/// <param name="Devices">The simulated devices.</param>
/// <param name="Machine">Everything on the machine, these included; zero where the system does not say.</param>
/// <param name="Allocated">Bytes allocated in this process.</param>
/// <param name="Collections">How often its garbage collector ran.</param>
/// <param name="Paused">How long this process stood still for its garbage collector.</param>
internal readonly record struct Usage(TimeSpan Self, TimeSpan Broker, TimeSpan Devices, TimeSpan Machine, long Allocated, TimeSpan Paused, Collections Collections)
{
    // USER_HZ, in which Linux reports to programs whatever its kernel counts in.
    private const double TicksPerSecond = 100;

    /// <summary>Gets what programs that have no part in the measurement used.</summary>
    public TimeSpan Others => Machine - Self - Broker - Devices is { Ticks: > 0 } others ? others : TimeSpan.Zero;

    public static Usage operator -(Usage to, Usage from) => new(
        to.Self - from.Self, to.Broker - from.Broker, to.Devices - from.Devices, to.Machine - from.Machine, to.Allocated - from.Allocated, to.Paused - from.Paused,
        to.Collections - from.Collections);

    public static Usage operator +(Usage x, Usage y) => new(
        x.Self + y.Self, x.Broker + y.Broker, x.Devices + y.Devices, x.Machine + y.Machine, x.Allocated + y.Allocated, x.Paused + y.Paused, x.Collections + y.Collections);

    /// <param name="contender">The process of the contender, when it is not this one.</param>
    /// <param name="broker">The broker, when it is ours.</param>
    /// <param name="devices">The simulated devices.</param>
    public static Usage Now(Process? contender, Process? broker, Process devices) => new(
        Environment.CpuUsage.TotalTime + Of(contender), Of(broker), Of(devices), OfMachine(), GC.GetTotalAllocatedBytes(), GC.GetTotalPauseDuration(),
        Collections.Now);

    private static TimeSpan Of(Process? process)
    {
        process?.Refresh();
        return process?.TotalProcessorTime ?? TimeSpan.Zero;
    }

    private static TimeSpan OfMachine()
    {
        if (!OperatingSystem.IsLinux())
        {
            return TimeSpan.Zero;
        }

        // cpu  user nice system idle iowait irq softirq steal ...
        var fields = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var busy = new[] { 1, 2, 3, 6, 7, 8 }.Sum(i => long.Parse(fields[i], CultureInfo.InvariantCulture));
        return TimeSpan.FromSeconds(busy / TicksPerSecond);
    }
}

/// <summary>Garbage collections by their generation.</summary>
internal readonly record struct Collections(int Gen0, int Gen1, int Gen2)
{
    public static Collections Now => new(GC.CollectionCount(0) - GC.CollectionCount(1), GC.CollectionCount(1) - GC.CollectionCount(2), GC.CollectionCount(2));

    public static Collections operator -(Collections to, Collections from) => new(to.Gen0 - from.Gen0, to.Gen1 - from.Gen1, to.Gen2 - from.Gen2);

    public static Collections operator +(Collections x, Collections y) => new(x.Gen0 + y.Gen0, x.Gen1 + y.Gen1, x.Gen2 + y.Gen2);
}
