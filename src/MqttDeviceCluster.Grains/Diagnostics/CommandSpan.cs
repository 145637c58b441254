using System.Diagnostics;

namespace MqttDeviceCluster;

/// <summary>Says on the span of a call to a device how it ended.</summary>
internal static class CommandSpan
{
    /// <summary>Gets the span of the present call, if it is recorded.</summary>
    public static Activity? Current => Activity.Current is { IsAllDataRequested: true } span ? span : null;

    /// <summary>Follows a command, or a wait: <paramref name="succeed"/> says on the span what it came to.</summary>
    public static Task<T> FollowAsync<T>(string kind, string deviceId, Action<Activity, T> succeed, Task<T> call) =>
        Current is { } span ? TellAsync(span, kind, deviceId, succeed, call) : call;

    /// <summary>Says what command it is.</summary>
    public static void Name(Activity span, Guid commandId) => span.SetTag(DeviceSpans.CommandTag, commandId.ToString());

    /// <summary>Says that it is confirmed, and how that is known.</summary>
    public static void Confirm(Activity span, Evidence evidence)
    {
        var word = DeviceMetrics.OutcomeOf(evidence);
        span.SetTag(DeviceInstruments.OutcomeTag, word);
        span.SetTag(DeviceSpans.EvidenceTag, word);
    }

    private static async Task<T> TellAsync<T>(Activity span, string kind, string deviceId, Action<Activity, T> succeed, Task<T> call)
    {
        span.SetTag(DeviceInstruments.KindTag, kind);
        span.SetTag(DeviceSpans.DeviceTag, deviceId);
        try
        {
            var result = await call;
            succeed(span, result);
            return result;
        }
        catch (Exception exception)
        {
            // Its status is set with the exception, where the call ends.
            var outcome = DeviceMetrics.OutcomeOf(exception);
            span.SetTag(DeviceInstruments.OutcomeTag, outcome);
            span.SetTag(DeviceSpans.ErrorTag, outcome);
            throw;
        }
    }
}
