namespace MqttDeviceCluster.Simulator;

/// <summary>What a command asks for: the last level of its topic.</summary>
public enum CommandKind
{
    /// <summary><c>device/{id}/pin/config</c>: put pins into modes.</summary>
    Config = 0,

    /// <summary><c>device/{id}/pin/set</c>: put pins into states.</summary>
    Set = 1,

    /// <summary><c>device/{id}/pin/get</c>: report pins.</summary>
    Get = 2,
}
