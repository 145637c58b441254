using System.Diagnostics;

namespace MqttDeviceCluster.Benchmarks.Compare;

/// <summary>One of the two sides of a comparison.</summary>
internal interface IContender : IAsyncDisposable
{
    string Name { get; }

    /// <summary>Gets the first level of its topics.</summary>
    string Root { get; }

    /// <summary>Gets its own process, when it is not this one.</summary>
    Process? Process { get; }

    /// <summary>Gets whether it is the service, which stores what devices say.</summary>
    bool Stores { get; }

    /// <summary>Gets how many updates it has finished and acknowledged since it was started. Counts only between <see cref="CountUpdates"/> and its disposal.</summary>
    long UpdatesDone { get; }

    /// <summary>Sets the pin of a device, and ends when the device's update has confirmed it.</summary>
    Task SetAsync(int device, bool high);

    /// <summary>Says how many commands will be in flight.</summary>
    void Expect(int inFlight);

    /// <summary>Begins to count updates.</summary>
    IDisposable CountUpdates();
}

/// <summary>The service as a contender.</summary>
internal interface IService : IContender
{
    /// <summary>Gets the silo's data directory.</summary>
    string DataDirectory { get; }

    /// <summary>Stops the silo in order.</summary>
    Task StopAsync();
}
