using MqttDeviceCluster.Storage.GroupCommit;
using Orleans.Storage;

namespace MqttDeviceCluster.Tests.Storage;

/// <summary>Where a store keeps its records: a file, a database. It outlives the stores that are opened on it.</summary>
internal interface IStoreHome
{
    /// <summary>Gets the name of the table.</summary>
    string Table { get; }

    /// <summary>Opens a provider, registered as a silo registers it but without the silo.</summary>
    Task<OpenStore> OpenAsync(StoreOptions? options = null);

    /// <summary>Opens the bare store, below the group commit.</summary>
    Task<IGrainStateStore> OpenBareAsync();

    /// <summary>Runs a statement as another process would.</summary>
    void Execute(string sql);

    /// <summary>Reads one value as another process would.</summary>
    object? Scalar(string sql);
}

/// <summary>What tests set, whatever the database.</summary>
internal sealed record StoreOptions
{
    public string ServiceId { get; init; } = "service";

    public int? MaxPendingOperations { get; init; }

    public IGrainStorageSerializer? Serializer { get; init; }

    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;
}
