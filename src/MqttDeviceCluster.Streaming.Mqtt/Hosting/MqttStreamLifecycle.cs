using MqttDeviceCluster.Streaming.Mqtt.Provider;
using Orleans.Configuration;

namespace MqttDeviceCluster.Streaming.Mqtt.Hosting;

/// <summary>
/// Stops a provider in the right order: first it receives no more, while the agents still deliver and acknowledge what is here; last it publishes no
/// more, when no grain does.
/// </summary>
internal sealed class MqttStreamLifecycle(string name, MqttQueueAdapterFactory factory, StreamLifecycleOptions options)
    : ILifecycleParticipant<ISiloLifecycle>, ILifecycleParticipant<IClusterClientLifecycle>
{
    public void Participate(ISiloLifecycle lifecycle)
    {
        lifecycle.Subscribe(
            $"{nameof(MqttStreamLifecycle)}.{name}.Receive", options.StartStage + 1, _ => Task.CompletedTask, factory.StopReceivingAsync);
        StopPublishingLast(lifecycle);
    }

    public void Participate(IClusterClientLifecycle lifecycle) => StopPublishingLast(lifecycle);

    private void StopPublishingLast(ILifecycleObservable lifecycle) => lifecycle.Subscribe(
        $"{nameof(MqttStreamLifecycle)}.{name}.Publish", ServiceLifecycleStage.RuntimeStorageServices, _ => Task.CompletedTask, factory.StopPublishingAsync);
}
