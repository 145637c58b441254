using System.Diagnostics;
using MqttDeviceCluster.Benchmarks.Devices;
using MqttDeviceCluster.Benchmarks.Machine;

namespace MqttDeviceCluster.Benchmarks.Compare;

/// <summary>The measured loops: the same for both contenders.</summary>
internal sealed class Turns(DeviceProcess devices, Mosquitto? broker, CancellationToken cancellationToken)
{
    // How far the devices may be ahead of what is acknowledged: enough that the broker always has some to deliver.
    private const int MaxAhead = 8192;
    private static readonly TimeSpan Stall = TimeSpan.FromSeconds(15);

    private readonly Dictionary<int, bool> _said = [];

    /// <summary>Gets the state that each device of the service was last set to, or said on its own.</summary>
    public IReadOnlyDictionary<int, bool> Said => _said;

    /// <summary>Keeps commands in flight, each to another device, for a while.</summary>
    public async Task CommandsAsync(IContender contender, int inFlight, int deviceCount, TimeSpan duration, Measurement? into)
    {
        contender.Expect(inFlight);

        // Goes on from where each device is: every command changes something, so every one is stored.
        var high = new bool[deviceCount];
        var told = new bool[deviceCount];
        for (var device = 0; device < deviceCount; device++)
        {
            high[device] = _said.GetValueOrDefault(device);
        }

        List<double>[] times = [.. Enumerable.Range(0, inFlight).Select(_ => new List<double>())];
        var before = Used(contender);
        var start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, inFlight).Select(worker => Task.Run(() => WorkAsync(worker), cancellationToken)));
        var elapsed = Stopwatch.GetElapsedTime(start);
        into?.Add(times.Sum(list => (long)list.Count), elapsed, Used(contender) - before, times.SelectMany(list => list));
        if (contender.Stores)
        {
            for (var device = 0; device < deviceCount; device++)
            {
                if (told[device])
                {
                    _said[device] = high[device];
                }
            }
        }

        async Task WorkAsync(int worker)
        {
            for (var device = worker; Stopwatch.GetElapsedTime(start) < duration && !cancellationToken.IsCancellationRequested; device = Next(device))
            {
                told[device] = true;
                var sent = Stopwatch.GetTimestamp();
                await contender.SetAsync(device, high[device] ^= true).WaitAsync(Stall, cancellationToken).ConfigureAwait(false);
                times[worker].Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
            }

            int Next(int device) => device + inFlight < deviceCount ? device + inFlight : worker;
        }
    }

    /// <summary>Lets each of so many devices send one update, all at once or at a steady pace, and returns how long it took until all were acknowledged.</summary>
    /// <param name="contender">Who receives them.</param>
    /// <param name="deviceCount">How many devices.</param>
    /// <param name="pins">How many pins each names.</param>
    /// <param name="others">Counts the updates that the contender acknowledges meanwhile and that are not among these.</param>
    /// <param name="slack">How many of the others are on their way when the counts are read.</param>
    /// <param name="from">The number of the first device.</param>
    /// <param name="perSecond">How many devices send in a second; all at once without it.</param>
    public async Task<TimeSpan> IntroduceAsync(
        IContender contender, int deviceCount, int pins = 1, Func<long>? others = null, int slack = 0, int from = 0, int? perSecond = null)
    {
        await devices.PrepareUpdatesAsync(contender.Root, deviceCount, cancellationToken, pins, from);
        using var counting = contender.CountUpdates();
        var first = contender.UpdatesDone - (others?.Invoke() ?? 0);
        var start = Stopwatch.GetTimestamp();
        devices.Allow(perSecond is null ? deviceCount : 0);
        var progressed = start;
        for (long done = 0, last = 0; (done = contender.UpdatesDone - first - (others?.Invoke() ?? 0)) < deviceCount - slack; await Task.Delay(1, cancellationToken))
        {
            if (perSecond is { } pace)
            {
                devices.Allow(Math.Min(deviceCount, (long)(Stopwatch.GetElapsedTime(start).TotalSeconds * pace)));
            }

            (last, progressed) = done > last ? (done, Stopwatch.GetTimestamp()) : (last, progressed);
            if (Stopwatch.GetElapsedTime(progressed) > Stall)
            {
                throw new BenchmarkException($"The {contender.Name} acknowledged {done} of {deviceCount} first updates, and no more.");
            }
        }

        var elapsed = Stopwatch.GetElapsedTime(start);
        await devices.CountSentAsync(cancellationToken);
        if (contender.Stores)
        {
            for (var device = from; device < from + deviceCount; device++)
            {
                _said[device] = true;
            }
        }

        return elapsed;
    }

    /// <summary>Lets the devices send updates as fast as the contender acknowledges them, for a while, and waits for the last one.</summary>
    public async Task UpdatesAsync(IContender contender, int deviceCount, TimeSpan duration, Measurement? into)
    {
        await devices.PrepareUpdatesAsync(contender.Root, deviceCount, cancellationToken);
        using var counting = contender.CountUpdates();
        var first = contender.UpdatesDone;
        var before = Used(contender);
        var start = Stopwatch.GetTimestamp();
        var done = 0L;
        while (Stopwatch.GetElapsedTime(start) < duration)
        {
            devices.Allow(done + MaxAhead);
            await Task.Delay(1, cancellationToken);
            done = contender.UpdatesDone - first;
        }

        var elapsed = Stopwatch.GetElapsedTime(start);
        into?.Add(done, elapsed, Used(contender) - before, []);

        // Not measured: what is on its way when the time is over.
        devices.Allow(0);
        var sent = await devices.CountSentAsync(cancellationToken);
        var progressed = Stopwatch.GetTimestamp();
        for (var last = done; (done = contender.UpdatesDone - first) < sent; await Task.Delay(5, cancellationToken))
        {
            (last, progressed) = done > last ? (done, Stopwatch.GetTimestamp()) : (last, progressed);
            if (Stopwatch.GetElapsedTime(progressed) > Stall)
            {
                throw new BenchmarkException($"The {contender.Name} acknowledged {done} of {sent} updates, and no more.");
            }
        }

        if (contender.Stores)
        {
            for (var i = Math.Max(0, sent - deviceCount); i < sent; i++)
            {
                _said[(int)(i % deviceCount)] = i / deviceCount % 2 == 0;
            }
        }
    }

    private Usage Used(IContender contender) => Usage.Now(contender.Process, broker?.Process, devices.Process);
}
