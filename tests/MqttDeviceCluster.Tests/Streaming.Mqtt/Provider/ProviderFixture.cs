using System.Text;
using Microsoft.Extensions.DependencyInjection;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Session;
using Orleans.TestingHost;

namespace MqttDeviceCluster.Tests.Streaming.Mqtt.Provider;

/// <summary>A silo with an MQTT stream provider over a <see cref="FakeBroker"/>, and grains that know nothing of devices.</summary>
public class ProviderFixture : IAsyncLifetime
{
    internal FakeBroker Broker { get; } = new();

    internal SwitchGate Gate { get; } = new();

    public InProcessTestCluster Cluster { get; private set; } = null!;

    protected virtual short Silos => 1;

    public virtual async ValueTask InitializeAsync()
    {
        var builder = new InProcessTestClusterBuilder(Silos);
        builder.ConfigureSilo((_, silo) =>
        {
            silo.Services.AddKeyedSingleton<IMqttConnectionFactory>(ReadingGrain.Provider, Broker);
            silo.Services.AddKeyedSingleton<IMqttDeliveryGate>(ReadingGrain.Provider, Gate);
            silo.AddMqttStreams(ReadingGrain.Provider, Configure);
        });
        Cluster = builder.Build();
        await Cluster.DeployAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Cluster.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    protected virtual void Configure(MqttStreamOptions options)
    {
        options.ConnectionString = "mqtt://nowhere";
        options.QueuesPerConnection = 4;
        options.MaxDeliveryTime = TimeSpan.FromSeconds(1);
        options.DeadLetterTopic = "dead/letters";
        options.MaxPayloadBytes = 100;
        options.MaxPendingAtMostOnce = 3;
        options.Routes.Add(MqttRoute.FromTopic("sensor/{key}/reading", ReadingGrain.Namespace, new ReadingCodec()));
        options.Routes.Add(MqttRoute.FromTopic("orphan/{key}", "stranger.nobody", new ReadingCodec()));
        options.Routes.Add(MqttRoute.ToTopic(ReadingGrain.OutNamespace, "sensor/{key}/do", new ReadingCodec()));
    }

    internal sealed class SwitchGate : IMqttDeliveryGate
    {
        private volatile bool _holdFailures;

        public bool HoldFailures
        {
            get => _holdFailures;
            set => _holdFailures = value;
        }

        public TimeSpan HoldFailuresFor => HoldFailures ? TimeSpan.MaxValue : TimeSpan.Zero;
    }

    internal sealed class ReadingCodec : IMqttEventDecoder<Reading>, IMqttEventEncoder<Reading>
    {
        public MqttDecoded<Reading> Decode(MqttIncomingMessage message)
        {
            var text = Encoding.UTF8.GetString(message.Payload.Span);
            return text switch
            {
                "bad" => MqttDecoded.Refuse<Reading>("bad_text", "it says so"),
                "nothing" => MqttDecoded.Ignore<Reading>(),
                "throw" => throw new InvalidOperationException("A decoder with a fault."),
                _ => MqttDecoded.Accept(new Reading(text)),
            };
        }

        public MqttOutgoingMessage Encode(string key, Reading value) => new() { Payload = Encoding.UTF8.GetBytes(value.Text) };

        public Exception? ToException(string key, Reading value, MqttPublishResult result) => result.Outcome switch
        {
            MqttPublishOutcome.NoMatchingSubscribers => new TimeoutException($"Nobody listens to {key}."),
            _ => result.IsAccepted ? null : new MqttPublishException(result),
        };
    }
}
