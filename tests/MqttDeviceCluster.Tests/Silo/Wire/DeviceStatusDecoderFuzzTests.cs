using System.Text;
using MqttDeviceCluster.Silo.Wire;
using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster.Tests.Silo.Wire;

public sealed class DeviceStatusDecoderFuzzTests
{
    private const int Payloads = 100_000;

    [Theory]
    [InlineData(20261)]
    [InlineData(7)]
    public void Decode_MutatedPayloads_NeverThrowsNorKeepsFirmwareThatCannotBeShown(int seed)
    {
        var random = new Random(seed);
        var seeds = Golden.Names("status").Select(name => Golden.Read("status", name)).ToArray();
        var accepted = 0;
        var refused = 0;
        for (var i = 0; i < Payloads / 2; i++)
        {
            var payload = PayloadMutator.Mutate(random, seeds[random.Next(seeds.Length)]);
            var decoded = DeviceStatusDecoderTests.Decode(payload);
            if (!decoded.HasEvent)
            {
                Assert.Equal(payload.Length == 0, decoded.IsIgnored);
                refused += decoded.IsIgnored ? 0 : 1;
                Assert.Equal(decoded.IsIgnored, decoded.Refusal is null);
                Assert.Equal(decoded.IsIgnored, decoded.Detail is null);
                continue;
            }

            accepted++;
            if (Assert.IsType<DeviceStatus>(decoded.Event).Firmware is { } firmware)
            {
                Assert.True(
                    firmware.Length > 0 && Encoding.UTF8.GetByteCount(firmware) <= WireLimits.MaxFirmwareBytes && !firmware.Any(char.IsControl),
                    $"{firmware} from {Convert.ToHexString(payload)} (seed {seed})");
            }
        }

        // Both paths were walked: mutations that all end in the same refusal would prove nothing.
        Assert.True(accepted > Payloads / 20, $"{accepted} of {Payloads / 2} were accepted");
        Assert.True(refused > Payloads / 20, $"{refused} of {Payloads / 2} were refused");
    }
}
