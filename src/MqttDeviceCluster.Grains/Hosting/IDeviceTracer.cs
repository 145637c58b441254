using System.Diagnostics;
using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster;

/// <summary>
/// Makes the spans of what devices send. The grain knows what a message belongs to, the host how it travelled: a host that traces registers one as a singleton, and without one
/// nothing of it is traced.
/// </summary>
public interface IDeviceTracer
{
    /// <summary>Begins the span of a message, or returns <see langword="null"/> when it gets none. The grain ends it when the message is stored.</summary>
    /// <param name="deviceId">The device.</param>
    /// <param name="message">The message.</param>
    /// <param name="command">
    /// The context of the publish of the command that the message answers: the span belongs to that trace. Default for what the device said on its own: that is a trace of its
    /// own, and the tracer decides which of them are worth it.
    /// </param>
    Activity? Start(string deviceId, DeviceMessage message, ActivityContext command);

    /// <summary>Keeps what is done until the result is disposed out of all traces: what has no span must have no children.</summary>
    IDisposable Suppress();
}
