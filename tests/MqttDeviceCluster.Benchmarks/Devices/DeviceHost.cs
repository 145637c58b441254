using System.Globalization;
using MqttDeviceCluster.Benchmarks.Machine;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Link;

namespace MqttDeviceCluster.Benchmarks.Devices;

/// <summary>
/// Any number of devices on one connection: each answers a set with an update, and all together send updates when told to. Does no more than that, so
/// that it is not what is measured.
/// </summary>
internal sealed class DeviceHost : IMqttLinkReceiver, IMqttPublishSource
{
    // As few answers under way: whoever received the command writes the answer himself, which is the quickest.
    private const int InlineLimit = 2;

    private readonly Queue<MqttLinkPublish> _answers = new();
    private readonly Lock _lock = new();
    private MqttLink? _link;
    private int _nextId;
    private int _underWay;
    private string[] _topics = [];
    private ReadOnlyMemory<byte> _low;
    private ReadOnlyMemory<byte> _high;
    private long _sent;
    private long _limit;

    /// <summary>
    /// Runs until the input ends. Lines: <c>flood ROOT DEVICES PINS FIRST</c> prepares updates of devices from number FIRST on, <c>limit N</c> lets N of them in all be sent, <c>sent</c> asks for the number
    /// sent and begins anew.
    /// </summary>
    public static async Task<int> RunAsync(string broker, TextReader input, TextWriter output, CancellationToken cancellationToken)
    {
        DeviceHost host = new();
        await using var link = await MqttLink.ConnectAsync(
            new MqttLinkSettings { Broker = MqttConnectionString.Parse(broker), ClientId = $"bench-devices-{Guid.NewGuid():N}", CleanStart = true },
            TimeProvider.System,
            cancellationToken);
        host._link = link;
        link.Start(host, host);
        await link.SubscribeAsync(
            [new($"{Wire.ServiceRoot}/+/pin/set", MqttQualityOfService.AtLeastOnce), new($"{Wire.FloorRoot}/+/pin/set", MqttQualityOfService.AtLeastOnce)],
            TimeSpan.FromSeconds(10));
        await LineProcess.AnswerAsync(output, "ready");
        while (await input.ReadLineAsync(cancellationToken) is { } line)
        {
            var words = line.Split(' ');
            switch (words[0])
            {
                case "flood":
                    host._topics = [.. Enumerable.Range(Number(words[4]), Number(words[2])).Select(number => Wire.Update(words[1], number))];
                    host._sent = host._limit = 0;
                    (host._low, host._high) = (Wire.Pins(Number(words[3]), 0), Wire.Pins(Number(words[3]), 1));
                    await LineProcess.AnswerAsync(output, "prepared");
                    break;
                case "limit":
                    Volatile.Write(ref host._limit, Number(words[1]));
                    link.Kick(inline: true);
                    break;
                case "sent":
                    await LineProcess.AnswerAsync(output, Volatile.Read(ref host._sent).ToString(CultureInfo.InvariantCulture));
                    break;
            }
        }

        await link.CloseAsync();
        return 0;

        static int Number(string word) => int.Parse(word, CultureInfo.InvariantCulture);
    }

    public void OnPublish(MqttIncomingMessage message, ushort packetId)
    {
        var topic = message.Topic;
        var answer = new MqttOutgoingMessage { Payload = Wire.IsHighCommand(message.Payload.Span) ? Wire.IsHigh : Wire.IsLow };
        bool inline;
        lock (_lock)
        {
            _answers.Enqueue(new(string.Concat(topic.AsSpan(0, topic.Length - "set".Length), "update"), answer, 0, 0, null, null));
            inline = ++_underWay <= InlineLimit;
        }

        _link!.Acknowledge(packetId);
        _link.Kick(inline);
    }

    public void OnPublishAcknowledged(ushort packetId, byte reasonCode, string? reason)
    {
        lock (_lock)
        {
            _underWay--;
        }
    }

    public bool TryTake(out MqttLinkPublish publish)
    {
        lock (_lock)
        {
            if (_answers.TryDequeue(out publish))
            {
                publish = publish with { PacketId = NextId() };
                return true;
            }

            if (_sent >= Volatile.Read(ref _limit))
            {
                return false;
            }

            // Each pass over the devices turns the state over, so that every update changes something.
            var high = _sent / _topics.Length % 2 == 0;
            publish = new(_topics[_sent % _topics.Length], new MqttOutgoingMessage { Payload = high ? _high : _low }, NextId(), 0, null, null);
            _sent++;
            _underWay++;
            return true;
        }
    }

    public void OnWritten()
    {
        // QoS 0 only.
    }

    // Far more than are ever under way.
    private ushort NextId() => (ushort)((_nextId++ % ushort.MaxValue) + 1);
}
