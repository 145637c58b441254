namespace MqttDeviceCluster.Streaming.Mqtt.Provider;

/// <summary>What the cache needs of the connection that its messages came on. Thread-safe.</summary>
internal interface IMqttIntake
{
    MqttStreamOptions Options { get; }

    TimeProvider TimeProvider { get; }

    /// <summary>Gets for how long a consumer may do nothing but fail and its messages are delivered again rather than given up; zero when failures are not held.</summary>
    TimeSpan HoldFailuresFor { get; }

    /// <summary>Returns whether the broker will send <paramref name="message"/> again, so that this copy is not to be delivered.</summary>
    bool IsObsolete(MqttStreamMessage message);

    /// <summary>The grain is done with <paramref name="message"/>: it may be acknowledged.</summary>
    void Finish(MqttStreamMessage message);

    /// <summary>Gives <paramref name="message"/> up: counts and logs it, publishes it as a dead letter if there is a topic for it, then acknowledges it.</summary>
    void DeadLetter(MqttStreamMessage message, string reason);
}
