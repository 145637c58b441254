using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;

namespace MqttDeviceCluster.Silo.FleetPage;

/// <summary>
/// What a browser is told: <c>hello</c> once, <c>devices</c> (see <see cref="FleetRowWriter"/>) at most four times a second once it has them all, <c>status</c>
/// when it changes (<c>live</c> only after every device was told), <c>heartbeat</c> when there was nothing else for a while.
/// </summary>
internal static class FleetEvents
{
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(15);

    public static async IAsyncEnumerable<SseItem<string>> StreamAsync(
        FleetReader reader, bool hasLogin, TimeProvider time, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(Pace, time);
        var hello = JsonSerializer.Serialize(new { now = time.GetUtcNow().ToUnixTimeMilliseconds(), login = hasLogin });
        yield return new SseItem<string>(hello, "hello") { ReconnectionInterval = TimeSpan.FromSeconds(2) };

        FleetStatus? told = null;
        var last = time.GetTimestamp();
        while (!cancellationToken.IsCancellationRequested)
        {
            // Read first: what is live now has been told when there is nothing more to read.
            var status = reader.Status;
            if (status.State != FleetStatus.Live.State && status != told)
            {
                yield return Item(told = status);
                last = time.GetTimestamp();
            }

            var more = true;
            while (more && !cancellationToken.IsCancellationRequested)
            {
                if (reader.Read(out more) is { } rows)
                {
                    yield return new SseItem<string>(rows, "devices");
                    last = time.GetTimestamp();
                }
            }

            if (status != told)
            {
                yield return Item(told = status);
                last = time.GetTimestamp();
            }

            if (time.GetElapsedTime(last) >= Heartbeat)
            {
                yield return new SseItem<string>("{}", "heartbeat");
                last = time.GetTimestamp();
            }

            // The browser is gone or the host stops: an end like any other.
            Task tick = timer.WaitForNextTickAsync(cancellationToken).AsTask();
            await tick.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static SseItem<string> Item(FleetStatus status) =>
        new(JsonSerializer.Serialize(new { state = status.State, problem = status.Problem }), "status");
}
