using System.Collections.Concurrent;
using System.Diagnostics.Tracing;
using System.Globalization;

namespace MqttDeviceCluster.Benchmarks.Machine;

/// <summary>Samples which types are allocated: one event for about every 100 KB. It costs some, so figures taken with it are for comparison only.</summary>
internal sealed class AllocationSampler : EventListener
{
    private const EventKeywords GarbageCollector = (EventKeywords)0x1;
    private const string Runtime = "Microsoft-Windows-DotNETRuntime";

    private readonly ConcurrentDictionary<string, long> _bytes = new(StringComparer.Ordinal);
    private volatile bool _on;

    /// <summary>Counts only while it is on.</summary>
    public void Switch(bool on) => _on = on;

    /// <summary>Returns the types that take the largest share, and begins anew.</summary>
    public IReadOnlyList<string> TakeTop(int count)
    {
        double all = Math.Max(1, _bytes.Values.Sum());
        var top = _bytes.OrderByDescending(type => type.Value).Take(count)
            .Select(type => string.Create(CultureInfo.InvariantCulture, $"{type.Value / all,6:0.0 %}  {type.Key}")).ToList();
        _bytes.Clear();
        return top;
    }

    protected override void OnEventSourceCreated(EventSource eventSource)
    {
        if (eventSource.Name == Runtime)
        {
            EnableEvents(eventSource, EventLevel.Verbose, GarbageCollector);
        }
    }

    protected override void OnEventWritten(EventWrittenEventArgs eventData)
    {
        if (_on && eventData.EventName?.StartsWith("GCAllocationTick", StringComparison.Ordinal) == true && eventData.PayloadNames is { } names)
        {
            var type = (string)eventData.Payload![names.IndexOf("TypeName")]!;
            var bytes = Convert.ToInt64(eventData.Payload[names.IndexOf("AllocationAmount64")], CultureInfo.InvariantCulture);
            _bytes.AddOrUpdate(type, bytes, (_, sum) => sum + bytes);
        }
    }
}
