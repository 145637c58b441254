using BenchmarkDotNet.Attributes;
using MqttDeviceCluster.Silo.Wire;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster.Benchmarks.Micro;

/// <summary>A command to bytes, and bytes to an update.</summary>
public class WireBenchmarks
{
    private readonly DeviceCommandEncoder _encoder = new();
    private readonly DeviceUpdateDecoder _decoder = new();
    private readonly SetPinsCommand _command = new(Guid.NewGuid(), DateTimeOffset.UnixEpoch, [new(13, PinState.Low, TimeSpan.FromMilliseconds(500)), new(14, PinState.High)]);
    private readonly MqttIncomingMessage _update = new()
    {
        Topic = "device/544B3B144B8C/pin/update",
        Key = "544B3B144B8C",
        Payload = "[{\"pin\":13,\"mode\":3,\"state\":0},{\"pin\":14,\"mode\":3,\"state\":1}]"u8.ToArray(),
    };

    [Benchmark]
    public object EncodeSet() => _encoder.Encode("544B3B144B8C", _command);

    [Benchmark]
    public object DecodeUpdate() => _decoder.Decode(_update).Event!;
}
