namespace MqttDeviceCluster.Tests.Storage;

/// <summary>What an activation holds of its record.</summary>
internal sealed class TestState<T>(T state, string? etag = null) : IGrainState<T>
    where T : class
{
    public T State { get; set; } = state;

    public string? ETag { get; set; } = etag;

    public bool RecordExists { get; set; }

    T? IGrainState<T>.State
    {
        get => State;
        set => State = value ?? throw new InvalidOperationException("The storage gave a null state.");
    }
}
