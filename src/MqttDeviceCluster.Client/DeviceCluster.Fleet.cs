namespace MqttDeviceCluster;

internal sealed partial class DeviceCluster
{
    public IAsyncEnumerable<DeviceEvent> WatchAsync(string deviceId, PinFilter? filter = null, CancellationToken cancellationToken = default) =>
        throw new NotImplementedException();

    public IAsyncEnumerable<DeviceEvent> WatchAsync(PinFilter filter, CancellationToken cancellationToken = default) =>
        throw new NotImplementedException();

    public IAsyncEnumerable<DeviceEvent> WatchAsync(WatchOptions? options = null, CancellationToken cancellationToken = default) =>
        throw new NotImplementedException();

    public IUpdateSubscription OnUpdate(PinFilter filter, Func<PinEvent, CancellationToken, Task> callback) => throw new NotImplementedException();

    public IUpdateSubscription OnUpdate(WatchOptions options, Func<DeviceEvent, CancellationToken, Task> callback) => throw new NotImplementedException();

    public IAsyncEnumerable<DeviceSnapshot> ListDevicesAsync(DeviceFilter? filter = null, CancellationToken cancellationToken = default) =>
        throw new NotImplementedException();

    public Task<bool> ForgetAsync(string deviceId, CancellationToken cancellationToken = default) => Device(deviceId).ForgetAsync(cancellationToken);
}
