using System.Collections.Concurrent;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace MqttDeviceCluster.Tests.Grains.Fleet;

public sealed class SilenceSweepTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(100);

    private readonly FakeTimeProvider _time = new(TestClock.Noon);
    private readonly ActiveDevices _active = new();
    private readonly FakeSilos _silos = new();
    private readonly FakeScan _scan = new();
    private readonly ConcurrentQueue<string> _noted = new();
    private Func<string, Task> _note = static _ => Task.CompletedTask;

    public SilenceSweepTests() => _silos.Add(1, new FakeFleetService(_time));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>A device that is online by its traffic.</summary>
    private static DeviceState Seen(DateTimeOffset at) =>
        new() { Presence = (int)Presence.Online, PresenceReason = (int)PresenceReason.Traffic, FirstSeen = at, LastSeen = at };

    private SilenceSweep Sweep(TimeSpan? limit, IDeviceIntake? intake = null, bool scans = false) => new(
        _active,
        new(_time, intake),
        FakeGrains.Create((_, key) => new Upkeep((string)key, this)),
        _silos,
        _silos,
        Options.Create(new DeviceOptions { OfflineAfterSilence = limit }),
        _time,
        NullLogger<SilenceSweep>.Instance,
        scans ? _scan : null);

    private void Activate(string deviceId, DeviceState state) => _active.Add(deviceId, new() { State = state });

    private async Task<string> RunAsync(SilenceSweep sweep, double afterSeconds)
    {
        _time.Advance(TimeSpan.FromSeconds(afterSeconds));
        _noted.Clear();
        await sweep.RunAsync(Token).WaitAsync(TestClock.Bound, Token);
        return string.Join(' ', _noted.Order());
    }

    [Fact]
    public async Task RunAsync_ActiveDevices_NotesThoseThatAreSilentForTooLong()
    {
        var sweep = Sweep(Limit);
        Activate("silent", Seen(TestClock.Noon.AddHours(-1))); // Nobody listened then: it counts from the start.
        Activate("fresh", Seen(TestClock.Noon.AddSeconds(50)));
        Activate("will", Seen(TestClock.Noon) with { OffersStatus = true });
        Activate("unknown", new() { LastSeen = TestClock.Noon });

        Assert.Equal("", await RunAsync(sweep, 99));
        Assert.Equal("", await RunAsync(sweep, 4)); // It looked just now.
        Assert.Equal("silent", await RunAsync(sweep, 1));
        Assert.Equal("fresh silent", await RunAsync(sweep, 50)); // The grain of the first did nothing; it is found again.
    }

    [Fact]
    public async Task RunAsync_NoLimitOrNobodyListens_NotesNothing()
    {
        Activate("silent", Seen(TestClock.Noon));
        _scan.Add("stored", Seen(TestClock.Noon));

        Assert.Equal("", await RunAsync(Sweep(null, scans: true), 1_000));
        Assert.Equal("", await RunAsync(Sweep(Limit, new Deaf(), scans: true), 1_000));
        Assert.Empty(_scan.Reads);
    }

    [Fact]
    public async Task RunAsync_StoredDevices_AreReadInPagesFourTimesWithinTheLimit()
    {
        for (var i = 0; i < 1_500; i++)
        {
            _scan.Add($"{i:0000}", Seen(TestClock.Noon.AddDays(1)));
        }

        _scan.Add("0007", Seen(TestClock.Noon));
        _scan.Add("1400", Seen(TestClock.Noon));
        _scan.Add("1401", Seen(TestClock.Noon)); // In memory it is known better.
        Activate("1401", Seen(TestClock.Noon.AddDays(1)));
        var sweep = Sweep(Limit, scans: true);

        Assert.Equal("", await RunAsync(sweep, 24));
        Assert.Empty(_scan.Reads);
        Assert.Equal("", await RunAsync(sweep, 1));
        Assert.Equal(2, _scan.Reads.Count);
        Assert.Equal("0007 1400", await RunAsync(sweep, 75));
    }

    [Fact]
    public async Task RunAsync_NotTheFirstSilo_LeavesTheStoreToTheFirst()
    {
        _silos.Add(0, new FakeFleetService(_time));
        _scan.Add("stored", Seen(TestClock.Noon));
        Activate("silent", Seen(TestClock.Noon));
        var sweep = Sweep(Limit, scans: true);
        Assert.Equal("silent", await RunAsync(sweep, 200));
        Assert.Empty(_scan.Reads);

        _silos.Add(0, new FakeFleetService(_time), SiloStatus.Dead);

        Assert.Equal("silent stored", await RunAsync(sweep, 10));
    }

    [Fact]
    public async Task RunAsync_StoreFails_IsTriedAgainNextTime()
    {
        _scan.Add("stored", Seen(TestClock.Noon));
        _scan.Failure = new InvalidOperationException("away");
        var sweep = Sweep(Limit, scans: true);
        Assert.Equal("", await RunAsync(sweep, 100));

        _scan.Failure = null;

        Assert.Equal("stored", await RunAsync(sweep, 25));
    }

    [Fact]
    public async Task RunAsync_OneGrainFails_TheOthersAreNotedAllTheSame()
    {
        foreach (var id in new[] { "a", "b", "c", "d" })
        {
            Activate(id, Seen(TestClock.Noon));
        }

        _note = static id => id switch
        {
            "a" => throw new TimeoutException(),
            "b" => Task.FromException(new OrleansException("moved")),
            "c" => Task.FromException(new InvalidOperationException("not stored")),
            _ => Task.CompletedTask,
        };

        Assert.Equal("a b c d", await RunAsync(Sweep(Limit), 100));
    }

    [Fact]
    public async Task RunAsync_WholeFleetIsSilent_AsksAFewGrainsAtATime()
    {
        for (var i = 0; i < 200; i++)
        {
            Activate($"{i}", Seen(TestClock.Noon));
        }

        var (now, most) = (0, 0);
        _note = async _ =>
        {
            var running = Interlocked.Increment(ref now);
            InterlockedMax(ref most, running);
            await Task.Yield();
            Interlocked.Decrement(ref now);
        };

        await RunAsync(Sweep(Limit), 100);

        Assert.Equal(200, _noted.Count);
        Assert.InRange(most, 1, 32);

        static void InterlockedMax(ref int target, int value)
        {
            for (var known = Volatile.Read(ref target); known < value;)
            {
                known = Interlocked.CompareExchange(ref target, value, known);
            }
        }
    }

    private sealed class Upkeep(string deviceId, SilenceSweepTests test) : IDeviceUpkeepGrain
    {
        public Task NoteSilenceAsync()
        {
            test._noted.Enqueue(deviceId);
            return test._note(deviceId);
        }
    }

    private sealed class Deaf : IDeviceIntake
    {
        public TimeSpan OutageDetectionTime { get; init; }

        public bool IsHere => true;

        public DateTimeOffset? ListeningSince => null;
    }
}
