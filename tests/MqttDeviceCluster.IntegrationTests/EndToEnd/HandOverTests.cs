using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Streaming.Mqtt;
using Orleans.Configuration;
using Orleans.Streams;
using Orleans.Streams.Core;
using Orleans.TestingHost;

namespace MqttDeviceCluster.IntegrationTests.EndToEnd;

/// <summary>Silos come, go and die while a real broker has 500 updates a second for them.</summary>
public sealed class HandOverTests(ITestOutputHelper output)
{
    private const string Provider = "counters";
    private const int Keys = 50;
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(60);

    public enum Change
    {
        Join,
        Leave,
        Kill,

        /// <summary>A silo joins while a grain of the old holder hangs, so that one of its agents cannot let go of its queue.</summary>
        JoinWhileAGrainHangs,
    }

    [Theory]
    [InlineData(Change.Join)]
    [InlineData(Change.Leave)]
    [InlineData(Change.Kill)]
    [InlineData(Change.JoinWhileAGrainHangs)]
    public async Task Silos_ChangeUnderLoad_NothingIsLost(Change change)
    {
        var run = $"{change}-{Guid.NewGuid():N}";
        await using var broker = await MosquittoBroker.StartAsync();
        await using var cluster = Build(broker.ConnectionString, run, silos: change is Change.Leave or Change.Kill ? (short)2 : (short)1);
        await cluster.DeployAsync(TestContext.Current.CancellationToken);
        await using TestPublisher publisher = new(broker);
        await WaitUntilAsync(() => Holder(cluster) is not null, "a silo to hold the connection");

        using CancellationTokenSource enough = new();
        var published = PublishAsync(publisher, run, enough.Token);
        await WaitUntilAsync(() => CounterGrain.Of(run).Count > 500, "the first updates");
        var holder = Holder(cluster)!;
        switch (change)
        {
            case Change.Join or Change.JoinWhileAGrainHangs:
                if (change == Change.JoinWhileAGrainHangs)
                {
                    await publisher.PublishAsync($"counter/{run}-hanging", $"{CounterGrain.Hang}");
                    await CounterGrain.Hanging(run).Begun.Task.WaitAsync(Bound, TestContext.Current.CancellationToken);
                }

                // Where in the ring a silo stands is chance: the first to come may take the connection over, or a later one.
                for (var i = 0; i < 6 && Holder(cluster) == holder; i++)
                {
                    await cluster.StartAdditionalSiloAsync();
                    await cluster.WaitForLivenessToStabilizeAsync();
                }

                break;
            case Change.Leave:
                await cluster.StopSiloAsync(holder, TestContext.Current.CancellationToken);
                break;
            default:
                await cluster.KillSiloAsync(holder, TestContext.Current.CancellationToken);
                break;
        }

        var before = CounterGrain.Of(run).Count;
        await WaitUntilAsync(() => CounterGrain.Of(run).Count > before + 1500, "updates after the change");

        // Until here the others got theirs. The hanging grain's own queue waits for it: Orleans reads no queue while one of its streams is being registered.
        var flow = CounterGrain.Of(run).OrderBy(entry => entry.At).ToList();
        var gap = flow.Zip(flow.Skip(1)).Max(pair => Stopwatch.GetElapsedTime(pair.First.At, pair.Second.At));
        CounterGrain.Hanging(run).MayEnd.SetResult();
        await enough.CancelAsync();
        var count = await published;
        await WaitUntilAsync(() => CounterGrain.Of(run).Select(entry => entry.Number).Distinct().Count() == count, $"all {count} updates");
        await WaitUntilAsync(() => cluster.GetActiveSilos().Sum(silo => Status(cluster, silo).Unacknowledged) == 0, "all acknowledgements");

        var received = CounterGrain.Of(run).OrderBy(entry => entry.At).ToList();
        output.WriteLine($"{change}: {count} published, {received.Count - count} duplicates, longest gap {gap.TotalMilliseconds:0} ms");

        // As long as it takes to notice a silo that died, and less than the time that a fenced one waits.
        Assert.InRange(gap, TimeSpan.Zero, TimeSpan.FromSeconds(4.5));
        Assert.All(received.GroupBy(entry => entry.Number % Keys), AssertOrder);
    }

    // Redelivery may go back, but never forward over what was not there yet: the first time that each update comes, they come in order.
    private static void AssertOrder(IEnumerable<(int Number, long At)> received)
    {
        HashSet<int> seen = [];
        var first = received.Where(entry => seen.Add(entry.Number)).Select(entry => entry.Number).ToList();
        Assert.Equal(first.Order(), first);
    }

    private static async Task<int> PublishAsync(TestPublisher publisher, string run, CancellationToken cancellationToken)
    {
        // 500 a second: five every ten milliseconds.
        using PeriodicTimer timer = new(TimeSpan.FromMilliseconds(10));
        List<Task> under = [];
        var count = 0;
        while (!cancellationToken.IsCancellationRequested)
        {
            for (var i = 0; i < 5; i++, count++)
            {
                under.Add(publisher.PublishAsync($"counter/{run}-{count % Keys}", count.ToString(CultureInfo.InvariantCulture)));
            }

            await timer.WaitForNextTickAsync(CancellationToken.None);
        }

        await Task.WhenAll(under);
        return count;
    }

    private static InProcessTestCluster Build(string broker, string run, short silos)
    {
        var builder = new InProcessTestClusterBuilder(silos);
        builder.ConfigureSilo((_, silo) =>
        {
            silo.Configure<ClusterMembershipOptions>(options =>
            {
                options.ProbeTimeout = TimeSpan.FromSeconds(1);
                options.NumMissedProbesLimit = 2;
            });
            silo.AddMqttStreams(Provider, options =>
            {
                options.ConnectionString = broker;
                options.ClientId = run;
                options.Routes.Add(MqttRoute.FromTopic("counter/{key}", CounterGrain.Namespace, CounterGrain.Codec));
            });
        });
        return builder.Build();
    }

    private static InProcessSiloHandle? Holder(InProcessTestCluster cluster) => cluster.GetActiveSilos()
        .FirstOrDefault(silo => Status(cluster, silo).Receiving == MqttConnectionState.Online);

    private static IMqttStreamStatus Status(InProcessTestCluster cluster, InProcessSiloHandle silo) =>
        cluster.GetSiloServiceProvider(silo.SiloAddress).GetRequiredKeyedService<IMqttStreamStatus>(Provider);

    private static async Task WaitUntilAsync(Func<bool> condition, string what)
    {
        using CancellationTokenSource bound = new(Bound);
        while (!condition())
        {
            if (bound.IsCancellationRequested)
            {
                throw new TimeoutException($"Waited {Bound} for {what}.");
            }

            // State on the other side of a real broker: it is asked again.
            await Task.Delay(50, CancellationToken.None);
        }
    }
}

[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.IntegrationTests.Count")]
public sealed record Count([property: Id(0)] int Number);

[Alias("MqttDeviceCluster.IntegrationTests.ICounterGrain")]
public interface ICounterGrain : IGrainWithStringKey;

/// <summary>Notes what it gets, when it has taken it in: as far as the provider can see, that is a store.</summary>
[ImplicitStreamSubscription(Namespace)]
public sealed class CounterGrain : Grain, ICounterGrain, IAsyncObserver<Count>, IStreamSubscriptionObserver
{
    public const string Namespace = "counters.in";

    /// <summary>A number that is not noted: the grain does not come back from it.</summary>
    public const int Hang = int.MaxValue;

    private static readonly ConcurrentDictionary<string, ConcurrentQueue<(int Number, long At)>> Runs = new();
    private static readonly ConcurrentDictionary<string, (TaskCompletionSource Begun, TaskCompletionSource MayEnd)> Hangs = new();

    internal static IMqttEventDecoder<Count> Codec { get; } = new Decoder();

    public static ConcurrentQueue<(int Number, long At)> Of(string run) => Runs.GetOrAdd(run, _ => new());

    internal static (TaskCompletionSource Begun, TaskCompletionSource MayEnd) Hanging(string run) => Hangs.GetOrAdd(
        run, _ => (new(TaskCreationOptions.RunContinuationsAsynchronously), new(TaskCreationOptions.RunContinuationsAsynchronously)));

    public Task OnSubscribed(IStreamSubscriptionHandleFactory handleFactory) => handleFactory.Create<Count>().ResumeAsync(this);

    public async Task OnNextAsync(Count item, StreamSequenceToken? token = null)
    {
        var key = this.GetPrimaryKeyString();
        var run = key[..key.LastIndexOf('-')];
        if (item.Number == Hang)
        {
            Hanging(run).Begun.TrySetResult();
            await Hanging(run).MayEnd.Task;
            return;
        }

        // As long as a store takes, so that there is always something in delivery.
        await Task.Delay(2);
        Of(run).Enqueue((item.Number, Stopwatch.GetTimestamp()));
    }

    public Task OnErrorAsync(Exception ex) => Task.CompletedTask;

    private sealed class Decoder : IMqttEventDecoder<Count>
    {
        public MqttDecoded<Count> Decode(MqttIncomingMessage message) =>
            MqttDecoded.Accept(new Count(int.Parse(message.Payload.Span, NumberStyles.None, CultureInfo.InvariantCulture)));
    }
}
