namespace MqttDeviceCluster.Cli.Commands;

/// <summary>A command whose help ends with examples.</summary>
internal interface IHasExamples
{
    /// <summary>Gets the examples, one a line.</summary>
    string Examples { get; }
}
