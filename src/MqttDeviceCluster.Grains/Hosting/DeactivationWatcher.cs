
namespace MqttDeviceCluster;

/// <summary>
/// Tells a device grain that its deactivation was asked for. A grain's own <c>OnDeactivateAsync</c> is too late: Orleans calls it only
/// after the pending calls have ended, and they wait for updates that are no longer delivered.
/// </summary>
internal sealed class DeactivationWatcher : IActivationWorkingSetObserver
{
    // Called under the activation's lock, from any thread.
    public void OnDeactivating(IActivationWorkingSetMember member)
    {
        if (member is IGrainContext { GrainInstance: DeviceGrain grain })
        {
            grain.Interrupt();
        }
    }
}
