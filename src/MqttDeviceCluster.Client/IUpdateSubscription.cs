namespace MqttDeviceCluster;

/// <summary>Callbacks that go on until this is disposed. Disposing awaits the callback in flight; from within a callback it must not be awaited.</summary>
public interface IUpdateSubscription : IAsyncDisposable
{
    /// <summary>Gets a task that ends when every silo has heard of the subscription: what happens from then on is told.</summary>
    /// <remarks>It is cancelled when the subscription is disposed before that.</remarks>
    Task Started { get; }
}
