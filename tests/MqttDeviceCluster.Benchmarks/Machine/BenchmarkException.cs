namespace MqttDeviceCluster.Benchmarks.Machine;

/// <summary>A measurement could not be made, or would not be worth anything. The message is a sentence for people.</summary>
internal sealed class BenchmarkException(string message) : Exception(message)
{
    /// <summary>Runs a verb, and says what went wrong if something did: 0 or 1.</summary>
    public static async Task<int> ToExitCodeAsync(Func<Task> run)
    {
        try
        {
            await run();
            return 0;
        }
        catch (BenchmarkException exception)
        {
            await Console.Error.WriteLineAsync($"error: {exception.Message}");
            return 1;
        }
    }
}
