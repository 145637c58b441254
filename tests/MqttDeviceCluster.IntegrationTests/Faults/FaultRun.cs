using System.Diagnostics;
using System.Globalization;
using MqttDeviceCluster.IntegrationTests.Infrastructure;

namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>A cluster that can be put under load.</summary>
internal interface ILoadableCluster : IAsyncDisposable
{
    MosquittoBroker Broker { get; }

    /// <summary>Gets where the updates are noted.</summary>
    UpdateLedger Updates { get; }

    /// <summary>Gets the facade of a service.</summary>
    IDeviceCluster Caller { get; }

    /// <summary>Reads which pins the store has of each updating device.</summary>
    Task<IReadOnlyDictionary<string, IReadOnlySet<int>>> ReadStoreAsync();
}

/// <summary>A cluster under load, while something happens to it; and the balance afterwards.</summary>
internal class LoadRun<TCluster> : IAsyncDisposable
    where TCluster : ILoadableCluster
{
    public const int UpdatesPerSecond = 500;
    public const int CommandsPerSecond = 20;

    /// <summary>Generous: the machine may be busy. Reaching it leaves updates unsettled, and fails.</summary>
    private static readonly TimeSpan SettleBound = TimeSpan.FromSeconds(90);

    private readonly UpdateLoad _updates;

    protected LoadRun(TCluster cluster, UpdateLoad updates, CommandLoad commands)
    {
        Cluster = cluster;
        _updates = updates;
        Commands = commands;
    }

    public TCluster Cluster { get; }

    public CommandLoad Commands { get; }

    /// <summary>Begins with the load on a cluster, whose owner this becomes; returns when both updates and commands get through.</summary>
    public static Task<LoadRun<TCluster>> StartAsync(TCluster cluster) => StartAsync(cluster, static (cluster, updates, commands) => new LoadRun<TCluster>(cluster, updates, commands));

    /// <summary>Waits until every device is served: what it sends from now on is stored.</summary>
    public Task WaitForServiceAsync() => Cluster.Updates.WaitForEveryDeviceAsync();

    /// <summary>Ends the load, waits until everything is settled, and draws the balance.</summary>
    public async Task<FaultBalance> FinishAsync(TimeSpan? settleBound = null)
    {
        await _updates.StopAsync();
        var commands = Commands.StopAsync();
        var unsettled = await Cluster.Updates.SettleAsync(settleBound ?? SettleBound);
        return new(Cluster.Updates.Balance(await Cluster.ReadStoreAsync()), unsettled, await commands);
    }

    public async ValueTask DisposeAsync()
    {
        await Commands.DisposeAsync();
        await _updates.DisposeAsync();
        await Cluster.DisposeAsync();
    }

    protected static async Task<TRun> StartAsync<TRun>(TCluster cluster, Func<TCluster, UpdateLoad, CommandLoad, TRun> create)
    {
        try
        {
            // The first command waits for the first connection to the broker, and says that the way to a device and back is open.
            var commands = await CommandLoad.StartAsync(cluster.Broker.ConnectionString, () => cluster.Caller, CommandsPerSecond);
            UpdateLoad updates = new(cluster.Broker.ConnectionString, cluster.Updates, UpdatesPerSecond);
            await cluster.Updates.WaitForEveryDeviceAsync();
            return create(cluster, updates, commands);
        }
        catch (Exception)
        {
            await cluster.DisposeAsync();
            throw;
        }
    }
}

/// <summary>A <see cref="FaultCluster"/> under load.</summary>
internal sealed class FaultRun : LoadRun<FaultCluster>
{
    private FaultRun(FaultCluster cluster, UpdateLoad updates, CommandLoad commands)
        : base(cluster, updates, commands)
    {
    }

    /// <summary>Starts a cluster and the load on it; returns when both updates and commands get through.</summary>
    public static async Task<FaultRun> StartAsync(FaultStore store, SiloNetwork? network = null, bool storesApart = false, params IReadOnlyList<string> settings) =>
        await StartAsync(await FaultCluster.StartAsync(store, network, storesApart, settings), static (cluster, updates, commands) => new FaultRun(cluster, updates, commands));
}

/// <summary>What became of everything.</summary>
/// <param name="Updates">The updates.</param>
/// <param name="Unsettled">How many updates the broker took and no silo had acknowledged in the end.</param>
/// <param name="Commands">The commands.</param>
internal sealed record FaultBalance(UpdateBalance Updates, int Unsettled, CommandBalance Commands)
{
    /// <summary>Orleans' words for a failure would push the numbers out of sight.</summary>
    private const int LongestName = 72;

    /// <summary>A caller whose silo is gone has his answer five seconds after his time, and everybody here may be late to his work.</summary>
    private static readonly TimeSpan LongestOverrun = TimeSpan.FromSeconds(10);

    /// <summary>Gets the ledger, as an operator reads it.</summary>
    public override string ToString()
    {
        List<(string Name, string Value)> rows =
        [
            ("updates published", Count(Updates.Published)),
            ("  acknowledged by the broker", Count(Updates.Taken)),
            ("  taken without a session for them", Count(Updates.Unheard)),
            ("  stored", Count(Updates.Stored)),
            ("  duplicates", Count(Updates.Duplicates)),
            ("  lost by the service", Count(Updates.Lost)),
            ("  lost by the broker", Count(Updates.LostByBroker.Length)),
            ("  unsettled", Count(Unsettled)),
            ("  wait until stored and acknowledged", $"median {Seconds(Updates.MedianWait)}, p99 {Seconds(Updates.P99Wait)}"),
            ("  longest gap for one device", Seconds(Updates.LongestWait)),
            ("commands sent", Count(Commands.Sent)),
            ("  confirmed", Count(Commands.Confirmed)),
            .. Commands.Failed.Select(static kind => ($"  {Short(kind.Key)}", Count(kind.Value))),
            ("  acted late", Count(Commands.ActedLate.Length)),
            ("  acted twice", Count(Commands.ActedTwice)),
            ("  falsely confirmed", Count(Commands.FalselyConfirmed)),
            ("  falsely denied", Count(Commands.FalselyDenied)),
            ("  longest gap for one device", Seconds(Commands.LongestGap)),
            ("  longest call", Seconds(Commands.LongestCall)),
            .. Commands.Examples.Select(static example => ("  for example", example)),
        ];
        var width = rows.Max(static row => row.Name.Length) + 2;
        return string.Join('\n', rows.Select(row => row.Name.PadRight(width) + row.Value));

        static string Short(string text) => text.Length <= LongestName ? text : $"{text[..(LongestName - 1)]}…";
        static string Count(int value) => value.ToString("N0", CultureInfo.InvariantCulture);
        static string Seconds(TimeSpan value) => string.Create(CultureInfo.InvariantCulture, $"{value.TotalSeconds:0.00} s");
    }

    /// <summary>Fails when anything of what is promised under any fault did not hold.</summary>
    /// <param name="brokerKilledAt">When the broker was killed, if it was: it saves itself every second, and loses what it took in the two before.</param>
    /// <param name="brokersFrozenAt">When the broker was frozen, if it was: what is in its socket by then acts when it goes on. It is noticed within a second, or two.</param>
    public void AssertPromises(long? brokerKilledAt = null, params IReadOnlyCollection<long> brokersFrozenAt)
    {
        var lostWithBroker = Updates.LostByBroker.Count(takenAt => brokerKilledAt is { } killedAt && IsWithin(killedAt - takenAt, TimeSpan.FromSeconds(2)));
        var inTheSocket = Commands.ActedLate.Count(calledAt => brokersFrozenAt.Any(frozenAt => IsWithin(calledAt - frozenAt, TimeSpan.FromSeconds(2))));
        Assert.True(
            this is { Updates.Lost: 0, Commands: { ActedTwice: 0, FalselyConfirmed: 0, FalselyDenied: 0, Confirmed: > 0 } }
            && Commands.LongestCall < CommandLoad.Timeout + LongestOverrun
            && Updates.LostByBroker.Length == lostWithBroker
            && Commands.ActedLate.Length == inTheSocket
            && (brokerKilledAt is not null || (Unsettled, Updates.Unheard) == (0, 0)),
            ToString());

        // A little before counts too: what was called then may be written after.
        static bool IsWithin(long ticks, TimeSpan bound) => ticks >= -Stopwatch.Frequency / 10 && Stopwatch.GetElapsedTime(0, ticks) < bound;
    }
}
