namespace MqttDeviceCluster.Benchmarks.Machine;

/// <summary>A measurement could not be made, or would not be worth anything. The message is a sentence for people.</summary>
internal sealed class BenchmarkException(string message) : Exception(message);
