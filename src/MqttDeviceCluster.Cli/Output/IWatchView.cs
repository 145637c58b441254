namespace MqttDeviceCluster.Cli.Output;

/// <summary>Shows what a watch is told, as it is told. Disposing leaves the terminal in order.</summary>
internal interface IWatchView : IAsyncDisposable
{
    void Show(DeviceEvent told);
}

/// <summary>A line of JSON for each event, out at once: what reads it may act on it.</summary>
internal sealed class JsonWatchView(CliEnvironment environment) : IWatchView
{
    public void Show(DeviceEvent told)
    {
        environment.Output.WriteLine(JsonDocuments.Event(told));
        environment.Output.Flush();
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
