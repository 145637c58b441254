using Orleans.Runtime.Messaging;

namespace MqttDeviceCluster;

/// <summary>What Orleans itself says of a call: that it did not get to its grain, or that it may or may not have.</summary>
internal static class OrleansFailure
{
    /// <summary>Whether a call failed in Orleans and not in the grain. A cancellation that the caller has not asked for is one of the directory's, which asked a silo that left.</summary>
    public static bool Is(Exception exception, CancellationToken caller) =>
        exception is OrleansException || (exception is OperationCanceledException && !caller.IsCancellationRequested);

    /// <summary>
    /// Whether Orleans turned the call away instead of letting it begin. Of a silo that stops or was lost it says with one and the same type that calls to it cannot be handed over any more, and that those
    /// under way may or may not have been served: only its words tell which. They may hold the names of devices and callers, so they are compared whole or from their beginning; what they do not tell is unknown.
    /// </summary>
    public static bool DidNotBegin(Exception? exception) => exception switch
    {
        SiloUnavailableException { Message: var said } => said == "Silo unavailable"
            || said.StartsWith("Silo '", StringComparison.Ordinal)
            || said.StartsWith("Cannot place grain '", StringComparison.Ordinal)
            || said.StartsWith("Unable to select a candidate because there are no compatible silos", StringComparison.Ordinal),

        // Thrown while a silo was still looking for the grain's place.
        OperationCanceledException { StackTrace: { } at } => at.Contains("at Orleans.Runtime.Placement.PlacementService.", StringComparison.Ordinal),
        OrleansMessageRejectionException or ConnectionFailedException or GatewayTooBusyException => true,
        _ => false,
    };
}
