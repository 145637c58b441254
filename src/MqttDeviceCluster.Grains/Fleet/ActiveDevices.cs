using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace MqttDeviceCluster;

/// <summary>
/// The devices that this silo has in memory, readable without a grain call. A state is an immutable value that is replaced, so any thread may read it.
/// </summary>
internal sealed class ActiveDevices : IEnumerable<KeyValuePair<string, ActiveDevice>>
{
    private readonly ConcurrentDictionary<string, ActiveDevice> _devices = new();

    public bool IsEmpty => _devices.IsEmpty;

    /// <summary>Gets how many there are. It stops those who come and go for a moment.</summary>
    public int Count => _devices.Count;

    public void Add(string deviceId, ActiveDevice device) => _devices[deviceId] = device;

    /// <summary>Removes a device, unless a newer activation has taken its place.</summary>
    public void Remove(string deviceId, ActiveDevice device) => _devices.TryRemove(new(deviceId, device));

    public bool TryGet(string deviceId, [NotNullWhen(true)] out DeviceState? state)
    {
        state = _devices.TryGetValue(deviceId, out var device) ? device.State : null;
        return state is not null;
    }

    public IEnumerator<KeyValuePair<string, ActiveDevice>> GetEnumerator() => _devices.GetEnumerator();

    System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
}

/// <summary>What one activation knows, for all to read.</summary>
internal sealed class ActiveDevice
{
    private DeviceState _state = new();

    public DeviceState State
    {
        get => Volatile.Read(ref _state);
        set => Volatile.Write(ref _state, value);
    }
}
