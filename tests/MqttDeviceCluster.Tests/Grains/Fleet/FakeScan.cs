namespace MqttDeviceCluster.Tests.Grains.Fleet;

/// <summary>A store that can be read in pages, in the order of the keys.</summary>
internal sealed class FakeScan : IDeviceStateScan
{
    private readonly SortedDictionary<string, DeviceState> _states = new(StringComparer.Ordinal);

    public static DateTimeOffset StoredAt => TestClock.Noon.AddHours(-2);

    public Exception? Failure { get; set; }

    /// <summary>Gets how many states were asked for, read by read.</summary>
    public List<int> Reads { get; } = [];

    public void Add(string deviceId, DeviceState state) => _states[deviceId] = state;

    public Task<DeviceStatePage<T>> ScanAsync<T>(
        GrainType grainType, string stateName, string? keyPrefix, string? continuation, int maxStates, CancellationToken cancellationToken)
    {
        Assert.Equal(("device", "MqttDeviceCluster.Device"), (grainType.ToString(), stateName));
        Reads.Add(maxStates);
        if (Failure is not null)
        {
            return Task.FromException<DeviceStatePage<T>>(Failure);
        }

        var page = _states
            .Where(state => state.Key.StartsWith(keyPrefix ?? "", StringComparison.Ordinal) && (continuation is null || string.CompareOrdinal(state.Key, continuation) > 0))
            .Take(maxStates + 1)
            .Select(static state => new StoredDeviceState<T>(state.Key, (T)(object)state.Value, StoredAt))
            .ToList();
        return Task.FromResult(
            page.Count > maxStates ? new DeviceStatePage<T>(page[..maxStates], page[maxStates - 1].Key) : new DeviceStatePage<T>(page, null));
    }
}
