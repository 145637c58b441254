namespace MqttDeviceCluster;

/// <summary>
/// Reads the stored states of a grain type in bulk, past the grains. A host registers one as a singleton where its storage can do that; without one the directory has only the
/// devices that some silo has in memory.
/// </summary>
public interface IDeviceStateScan
{
    /// <summary>Reads the next states. A state that cannot be read is left out.</summary>
    /// <param name="grainType">The type of the grains.</param>
    /// <param name="stateName">The name of the state.</param>
    /// <param name="keyPrefix">How the grains' keys begin, compared byte by byte; <see langword="null"/> for all.</param>
    /// <param name="continuation">The continuation of the page before, or <see langword="null"/>.</param>
    /// <param name="maxStates">How many at most, more than zero. There may be fewer, also none, although more follow.</param>
    /// <param name="cancellationToken">Stops reading.</param>
    /// <exception cref="InvalidOperationException">The storage fails; the message says why.</exception>
    /// <exception cref="ArgumentException">The continuation is not one of this storage.</exception>
    Task<DeviceStatePage<T>> ScanAsync<T>(
        GrainType grainType, string stateName, string? keyPrefix, string? continuation, int maxStates, CancellationToken cancellationToken);
}

/// <summary>Some stored states.</summary>
/// <param name="States">The states by the keys of their grains.</param>
/// <param name="Continuation">Where to go on, or <see langword="null"/> at the end.</param>
public sealed record DeviceStatePage<T>(IReadOnlyList<StoredDeviceState<T>> States, string? Continuation);

/// <summary>A stored state.</summary>
/// <param name="Key">The grain's key.</param>
/// <param name="State">The state.</param>
/// <param name="StoredAt">When it was written (UTC), or read, where the storage keeps no time of a write.</param>
public readonly record struct StoredDeviceState<T>(string Key, T State, DateTimeOffset StoredAt);
