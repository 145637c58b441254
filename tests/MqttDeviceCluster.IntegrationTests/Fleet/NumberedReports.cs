using System.Globalization;
using MqttDeviceCluster.IntegrationTests.Infrastructure;

namespace MqttDeviceCluster.IntegrationTests.Fleet;

/// <summary>Devices that send numbers, one after the other: pin 1 has the number as its mode, so that every report is a change that is like no other.</summary>
internal sealed class NumberedReports : IAsyncDisposable
{
    private const int FirstMode = 1000;

    private readonly TestPublisher _publisher;
    private readonly CancellationTokenSource _enough = new();
    private readonly Task _run;
    private int _count;

    /// <param name="broker">Where.</param>
    /// <param name="deviceIds">Which devices; they take turns.</param>
    /// <param name="perSecond">How many reports they send together.</param>
    public NumberedReports(MosquittoBroker broker, IReadOnlyList<string> deviceIds, int perSecond)
    {
        _publisher = new(broker);
        DeviceIds = deviceIds;
        _run = Task.Run(() => PublishAsync(perSecond));
    }

    public IReadOnlyList<string> DeviceIds { get; }

    /// <summary>Gets how many reports each device has sent at least.</summary>
    public int Round => Volatile.Read(ref _count) / DeviceIds.Count;

    /// <summary>Returns the number in an event or a snapshot's pin.</summary>
    public static int NumberOf(PinUpdate update) => (int)update.Mode!.Value - FirstMode;

    /// <summary>Ends the reports when every device has sent as many as the others; returns the number of the last ones.</summary>
    public async Task<int> StopAsync()
    {
        await _enough.CancelAsync();
        await _run;
        return Round - 1;
    }

    public async ValueTask DisposeAsync()
    {
        await _enough.CancelAsync();
        await _run.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _publisher.DisposeAsync();
        _enough.Dispose();
    }

    private async Task PublishAsync(int perSecond)
    {
        using PeriodicTimer timer = new(TimeSpan.FromMilliseconds(20));
        List<Task> published = [];
        while (!_enough.IsCancellationRequested || _count % DeviceIds.Count != 0)
        {
            for (var i = 0; i < perSecond / 50; i++)
            {
                var payload = string.Create(CultureInfo.InvariantCulture, $$"""[{"pin":1,"mode":{{FirstMode + Round}},"state":1}]""");
                published.Add(_publisher.PublishAsync($"device/{DeviceIds[_count % DeviceIds.Count]}/pin/update", payload));
                Volatile.Write(ref _count, _count + 1);
                if (_enough.IsCancellationRequested && _count % DeviceIds.Count == 0)
                {
                    break;
                }
            }

            await timer.WaitForNextTickAsync();
        }

        await Task.WhenAll(published);
    }
}
