namespace MqttDeviceCluster.Streaming.Mqtt.Provider;

/// <summary>What the cache needs of the connection that its messages came on. Thread-safe.</summary>
internal interface IMqttIntake
{
    MqttStreamOptions Options { get; }

    TimeProvider TimeProvider { get; }

    /// <summary>Gets whether failed messages are to be delivered again rather than given up.</summary>
    bool HoldFailures { get; }

    /// <summary>Returns whether the broker will send <paramref name="message"/> again, so that this copy is not to be delivered.</summary>
    bool IsObsolete(MqttStreamMessage message);

    /// <summary>The grain is done with <paramref name="message"/>: it may be acknowledged.</summary>
    void Finish(MqttStreamMessage message);

    /// <summary>Gives <paramref name="message"/> up: counts and logs it, publishes it as a dead letter if there is a topic for it, then acknowledges it.</summary>
    void DeadLetter(MqttStreamMessage message, string reason);
}
