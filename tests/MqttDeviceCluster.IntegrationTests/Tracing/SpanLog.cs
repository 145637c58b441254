using System.Collections.ObjectModel;
using System.Diagnostics;

namespace MqttDeviceCluster.IntegrationTests.Tracing;

/// <summary>Where the in-memory exporter puts the spans as they end.</summary>
internal sealed class SpanLog : Collection<Activity>
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Waits until as many spans of a trace have ended, and returns them in the order in which they began.</summary>
    public Task<IReadOnlyList<Activity>> WaitForAsync(ActivityTraceId trace, int count) =>
        WaitForAsync(span => span.TraceId == trace, count, $"{count} spans of trace {trace}");

    /// <summary>Waits until as many spans have ended.</summary>
    public async Task<IReadOnlyList<Activity>> WaitForAsync(Func<Activity, bool> match, int count, string what)
    {
        using CancellationTokenSource bound = new(Bound);
        while (true)
        {
            Task changed;
            List<Activity> found;
            lock (_lock)
            {
                found = [.. this.Where(match).OrderBy(span => span.StartTimeUtc)];
                changed = _changed.Task;
            }

            if (found.Count >= count)
            {
                return found;
            }

            try
            {
                await changed.WaitAsync(bound.Token);
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException($"Waited for {what}; there were: {string.Join(", ", found.Select(span => $"{span.Kind} {span.DisplayName}"))}.");
            }
        }
    }

    public IReadOnlyList<Activity> Find(Func<Activity, bool> match)
    {
        lock (_lock)
        {
            return [.. this.Where(match)];
        }
    }

    protected override void InsertItem(int index, Activity item)
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            base.InsertItem(index, item);
            (changed, _changed) = (_changed, new(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        changed.SetResult();
    }
}
