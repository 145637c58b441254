using System.Collections.Concurrent;
using Orleans.Concurrency;
using Orleans.Placement;
using Orleans.Streams;
using Orleans.Streams.Core;

namespace MqttDeviceCluster.Tests.Streaming.Mqtt.Provider;

/// <summary>An event type of a stranger: nothing of devices in it.</summary>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.Tests.Reading")]
public sealed record Reading([property: Id(0)] string Text);

[Alias("MqttDeviceCluster.Tests.IReadingGrain")]
public interface IReadingGrain : IGrainWithStringKey
{
    /// <summary>Publishes to the stream of this grain's key.</summary>
    [Alias("PublishAsync"), AlwaysInterleave]
    Task PublishAsync(string text);

    /// <summary>Returns the silo that the grain is on.</summary>
    [Alias("WhereAsync"), AlwaysInterleave]
    Task<string> WhereAsync();
}

/// <summary>What the grains of a test do and have seen, by key. In-process clusters share it.</summary>
public static class ReadingGrains
{
    private static readonly ConcurrentDictionary<string, Behavior> Behaviors = new();

    public static Behavior Of(string key) => Behaviors.GetOrAdd(key, _ => new());

    public sealed class Behavior
    {
        /// <summary>Gets what was received, in order, at the time the handler began.</summary>
        public ConcurrentQueue<string> Received { get; } = new();

        /// <summary>Gets or sets what the grain does with an event.</summary>
        public Func<Reading, Task> OnReading { get; set; } = _ => Task.CompletedTask;

        /// <summary>Gets or sets what happens on activation.</summary>
        public Func<Task> OnActivate { get; set; } = () => Task.CompletedTask;
    }
}

// On any silo alike: the default goes by how busy they are, which for a while may be one and the same.
[ImplicitStreamSubscription(Namespace), RandomPlacement]
public sealed class ReadingGrain : Grain, IReadingGrain, IAsyncObserver<Reading>, IStreamSubscriptionObserver
{
    public const string Namespace = "stranger.in";
    public const string OutNamespace = "stranger.out";
    public const string Provider = "strangers";

    public override Task OnActivateAsync(CancellationToken cancellationToken) =>
        ReadingGrains.Of(this.GetPrimaryKeyString()).OnActivate();

    public Task OnSubscribed(IStreamSubscriptionHandleFactory handleFactory) => handleFactory.Create<Reading>().ResumeAsync(this);

    public Task OnNextAsync(Reading item, StreamSequenceToken? token = null)
    {
        var behavior = ReadingGrains.Of(this.GetPrimaryKeyString());
        behavior.Received.Enqueue(item.Text);
        return behavior.OnReading(item);
    }

    public Task OnErrorAsync(Exception ex) => Task.CompletedTask;

    public Task PublishAsync(string text) => this.GetStreamProvider(Provider)
        .GetStream<Reading>(StreamId.Create(OutNamespace, this.GetPrimaryKeyString())).OnNextAsync(new(text));

    public Task<string> WhereAsync() => Task.FromResult(RuntimeIdentity);
}
