using System.Diagnostics;

namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>Waits for what has no event: state of another process, or of a component that tells nobody.</summary>
internal static class Until
{
    /// <summary>Generous: the machine may be busy with other tests. Reaching it is a failure.</summary>
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(90);

    public static Task TrueAsync(Func<bool> condition, string what, TimeSpan? bound = null) =>
        TrueAsync(() => Task.FromResult(condition()), what, bound);

    public static async Task TrueAsync(Func<Task<bool>> condition, string what, TimeSpan? bound = null)
    {
        var watch = Stopwatch.StartNew();
        while (!await condition())
        {
            if (watch.Elapsed > (bound ?? Bound))
            {
                throw new TimeoutException($"Waited {watch.Elapsed.TotalSeconds:0} s for {what}.");
            }

            // It is asked again.
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }
    }
}
