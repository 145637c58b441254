using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;
using System.Threading.Channels;
using Microsoft.Extensions.Logging.Abstractions;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Link;
using MqttDeviceCluster.Streaming.Mqtt.Session;

namespace MqttDeviceCluster.IntegrationTests.Streaming.Mqtt;

/// <summary>Tests of sessions and publishers on a real mosquitto.</summary>
public abstract class MosquittoConnections : IAsyncDisposable
{
    private protected static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);
    private protected static readonly MqttReconnectTuning Quick = new() { FenceDelay = TimeSpan.FromSeconds(2) };

    private readonly List<MqttConnectionLoop> _started = [];

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var started in _started)
        {
            await started.DisposeAsync();
        }

        GC.SuppressFinalize(this);
    }

    private protected static MqttOutgoingMessage Message(int number) => new() { Payload = Encoding.UTF8.GetBytes(number.ToString(CultureInfo.InvariantCulture)) };

    private protected static int Number(MqttDelivery delivery) =>
        int.Parse(Encoding.UTF8.GetString(delivery.Message.Payload.Span), CultureInfo.InvariantCulture);

    private protected MqttSession StartSession(
        MosquittoBroker broker, IMqttDeliverySink sink, Action<MqttStreamOptions>? configure = null, MqttReconnectTuning? tuning = null, string filter = "in/+")
    {
        MqttSession session = new(
            Options(broker, configure), "session", [new MqttFilter(filter, MqttQualityOfService.AtLeastOnce)], sink, Metrics(), NullLogger.Instance,
            TimeProvider.System, tuning ?? Quick);
        _started.Add(session);
        session.Start();
        return session;
    }

    private protected MqttPublisher StartPublisher(MosquittoBroker broker, Action<MqttStreamOptions>? configure = null)
    {
        MqttPublisher publisher = new(Options(broker, configure), "test", Metrics(), NullLogger.Instance, TimeProvider.System, Quick);
        _started.Add(publisher);
        publisher.Start();
        return publisher;
    }

    private protected static MqttStreamOptions Options(MosquittoBroker broker, Action<MqttStreamOptions>? configure)
    {
        MqttStreamOptions options = new() { ConnectionString = broker.ConnectionString, MaxReconnectDelay = TimeSpan.FromSeconds(1) };
        configure?.Invoke(options);
        return options;
    }

    private protected static MqttStreamMetrics Metrics() => new(new MeterFactory(), "test");

    private protected static Task WaitForAsync(MqttConnectionLoop loop, MqttConnectionState state) => WaitForAsync(loop, () => loop.State == state, $"{state}");

    private protected static Task WaitForProblemAsync(MqttConnectionLoop loop) => WaitForAsync(loop, () => loop.Problem is not null, "a problem");

    private protected static async Task WaitForAsync(MqttConnectionLoop loop, Func<bool> condition, string what)
    {
        TaskCompletionSource reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
        void Check()
        {
            if (condition())
            {
                reached.TrySetResult();
            }
        }

        loop.StateChanged += Check;
        Check();
        try
        {
            await reached.Task.WaitAsync(Bound);
        }
        catch (TimeoutException)
        {
            Assert.Fail($"{loop.ClientId} did not reach {what}; it is {loop.State}: {loop.Problem}");
        }
        finally
        {
            loop.StateChanged -= Check;
        }
    }

    private protected sealed class Sink : IMqttDeliverySink
    {
        private readonly Channel<object> _events = Channel.CreateUnbounded<object>();

        public void OnConnected(long epoch, bool sessionPresent) => _events.Writer.TryWrite((epoch, sessionPresent));

        public void OnDelivery(MqttDelivery delivery) => _events.Writer.TryWrite(delivery);

        public void OnFenced(long epoch) => _events.Writer.TryWrite($"fenced {epoch}");

        public async Task<T> NextAsync<T>() => Assert.IsType<T>(await _events.Reader.ReadAsync().AsTask().WaitAsync(Bound), exactMatch: false);

        public async Task<MqttDelivery> NextDeliveryAsync()
        {
            while (true)
            {
                if (await _events.Reader.ReadAsync().AsTask().WaitAsync(Bound) is MqttDelivery delivery)
                {
                    return delivery;
                }
            }
        }
    }

    private sealed class MeterFactory : IMeterFactory
    {
        public Meter Create(MeterOptions options) => new(options);

        public void Dispose()
        {
        }
    }
}
