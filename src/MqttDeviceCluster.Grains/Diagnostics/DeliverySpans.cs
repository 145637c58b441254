using System.Diagnostics;
using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster;

/// <summary>The spans of the messages of one delivery: each from when it was applied until it is stored. Used in a grain's turns; deliveries do not overlap before they are stored.</summary>
internal sealed class DeliverySpans(IDeviceTracer tracer, string deviceId)
{
    private List<Activity>? _open;

    /// <summary>Begins the span of a message that was applied, if it gets one.</summary>
    /// <param name="message">The message.</param>
    /// <param name="answered">The command that it is evidence for, if it is.</param>
    public void Begin(DeviceMessage message, CommandMatch? answered)
    {
        var current = Activity.Current;
        if (tracer.Start(deviceId, message, answered?.Publishing?.Context ?? default) is not { } span)
        {
            return;
        }

        // It is not the rest of the delivery that belongs to it.
        Activity.Current = current;
        (_open ??= []).Add(span);
        if (!span.IsAllDataRequested)
        {
            return;
        }

        span.SetTag(DeviceSpans.DeviceTag, deviceId);
        if (answered is not null)
        {
            CommandSpan.Name(span, answered.CommandId);
            if (answered.IsSatisfied)
            {
                CommandSpan.Confirm(span, answered.Evidence);
            }
        }
    }

    /// <summary>Ends the spans: nothing was to be stored.</summary>
    public void End()
    {
        foreach (var span in Take() ?? [])
        {
            span.Dispose();
        }
    }

    /// <summary>Stores what was applied, as a part of the first span, and ends all. Without spans the write has none either.</summary>
    public async Task StoreAsync(Func<Task> store)
    {
        if (Take() is not { } spans)
        {
            using (tracer.Suppress())
            {
                await store();
            }

            return;
        }

        Activity.Current = spans[0];
        try
        {
            await store();
        }
        catch (Exception exception)
        {
            foreach (var span in spans)
            {
                span.SetTag(DeviceSpans.ErrorTag, DeviceSpans.NotStored);
                span.SetStatus(ActivityStatusCode.Error, exception.Message);
            }

            throw;
        }
        finally
        {
            foreach (var span in spans)
            {
                span.Dispose();
            }
        }
    }

    private List<Activity>? Take()
    {
        var open = _open;
        _open = null;
        return open;
    }
}
