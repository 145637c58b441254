namespace MqttDeviceCluster.Simulator;

/// <summary>A simulated device could not connect or subscribe. The message is one sentence that names the broker and the cause.</summary>
public sealed class SimulatorConnectionException : Exception
{
    /// <summary>Creates the exception.</summary>
    public SimulatorConnectionException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}
