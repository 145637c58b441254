using System.Collections.Immutable;
using System.Text;
using MqttDeviceCluster.Silo.Wire;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster.Tests.Silo.Wire;

public sealed class DeviceCommandEncoderTests
{
    private static readonly Guid Id = Guid.Parse("00112233-4455-6677-8899-aabbccddeeff");
    private static readonly DateTimeOffset Deadline = DateTimeOffset.FromUnixTimeMilliseconds(1_767_323_045_678);

    private static readonly Dictionary<string, DeviceCommand> Commands = new()
    {
        ["config"] = Config(new(13, PinMode.Output, PinState.High), new(14, PinMode.Output, PinState.Low)),
        ["config-without-state"] = Config(new ConfigPin(13, PinMode.Output)),
        ["config-every-mode"] = Config(
            new(0, PinMode.Disabled), new(1, PinMode.Input), new(2, PinMode.Output), new(3, PinMode.InputPullUp), new(4, PinMode.InputPullDown),
            new(5, PinMode.PullUp), new(6, PinMode.PullDown), new(7, PinMode.OpenDrain), new(8, PinMode.OutputOpenDrain), new(9, PinMode.Analog)),
        ["set"] = Set(new(13, PinState.Low, TimeSpan.FromMilliseconds(500)), new(14, PinState.High)),
        ["set-pulse-of-a-day"] = Set(new SetPin(13, PinState.High, TimeSpan.FromDays(1))),
        ["get"] = new UpdateCommand(Id, Deadline, [13, 14]),
        ["get-all"] = new UpdateCommand(Id, Deadline, []),
    };

    public static TheoryData<string> GoldenFiles => [.. Golden.Names("out")];

    [Theory, MemberData(nameof(GoldenFiles))]
    public void Encode_Command_WritesTheGoldenBytes(string file) =>
        Assert.Equal(
            Encoding.UTF8.GetString(Golden.Read("out", file)),
            Encoding.UTF8.GetString(new DeviceCommandEncoder().Encode("d", Commands[file]).Payload.Span));

    [Fact]
    public void Encode_EveryCommandOfThisTest_HasAGoldenFile() =>
        Assert.Equal(Commands.Keys.Order(StringComparer.Ordinal), Golden.Names("out"));

    [Fact]
    public void Encode_Command_IsNeverRetainedAndExpiresWithItsCaller()
    {
        var message = new DeviceCommandEncoder().Encode("0a", Commands["set"]);
        Assert.False(message.Retain);
        Assert.Equal(MqttQualityOfService.AtLeastOnce, message.QualityOfService);
        Assert.Equal(Deadline, message.ExpiresAt);
        Assert.Equal("application/json", message.ContentType);
        Assert.Equal("device/0a/pin/update", message.ResponseTopic);
        Assert.Equal("00112233445566778899AABBCCDDEEFF", Convert.ToHexString(message.CorrelationData.Span));
        Assert.Equal([new("deadline", "1767323045678")], message.UserProperties);
    }

    [Fact]
    public void Encode_QualityOfServiceZero_IsUsed() =>
        Assert.Equal(
            MqttQualityOfService.AtMostOnce, new DeviceCommandEncoder(MqttQualityOfService.AtMostOnce).Encode("d", Commands["get"]).QualityOfService);

    [Fact]
    public void Encode_OneAfterAnother_KeepsTheirBytesApart()
    {
        var encoder = new DeviceCommandEncoder();
        var first = encoder.Encode("d", Commands["set"]).Payload;
        _ = encoder.Encode("d", Commands["config-every-mode"]);
        Assert.Equal(Golden.Read("out", "set"), first.ToArray());
    }

    [Fact]
    public void Encode_ManyThreads_WriteWholePayloads()
    {
        var encoder = new DeviceCommandEncoder();
        Parallel.For(0, 2_000, i =>
        {
            var file = i % 2 == 0 ? "set" : "config";
            Assert.Equal(Golden.Read("out", file), encoder.Encode("d", Commands[file]).Payload.ToArray());
        });
    }

    [Fact]
    public void ToException_Outcome_SaysWhatIsKnown()
    {
        Assert.Null(For(MqttPublishOutcome.Accepted));
        Assert.Equal("d", Assert.IsType<DeviceOfflineException>(For(MqttPublishOutcome.NoMatchingSubscribers)).DeviceId);
        Assert.True(Assert.IsType<BrokerUnavailableException>(For(MqttPublishOutcome.Refused)).Refused);
        Assert.False(Assert.IsType<BrokerUnavailableException>(For(MqttPublishOutcome.NotSent)).Refused);
        Assert.True(Assert.IsType<DeviceInterruptedException>(For(MqttPublishOutcome.Unknown)).Published);

        static Exception? For(MqttPublishOutcome outcome) =>
            new DeviceCommandEncoder().ToException("d", Commands["get"], new MqttPublishResult(outcome, 0, "why"));
    }

    [Fact]
    public void WireGuid_AnyId_ComesBack()
    {
        for (var i = 0; i < 100; i++)
        {
            var id = Guid.NewGuid();
            Assert.Equal(id.ToString("N"), Convert.ToHexStringLower(WireGuid.ToBytes(id)));
            Assert.Equal(id, WireGuid.FromBytes(WireGuid.ToBytes(id)));
        }
    }

    private static ConfigPinsCommand Config(params ImmutableArray<ConfigPin> pins) => new(Id, Deadline, pins);

    private static SetPinsCommand Set(params ImmutableArray<SetPin> pins) => new(Id, Deadline, pins);
}
