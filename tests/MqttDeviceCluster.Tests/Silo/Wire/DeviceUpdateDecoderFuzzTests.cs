using MqttDeviceCluster.Silo.Wire;
using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster.Tests.Silo.Wire;

public sealed class DeviceUpdateDecoderFuzzTests
{
    private const int Payloads = 100_000;

    [Theory]
    [InlineData(20261)]
    [InlineData(7)]
    public void Decode_MutatedPayloads_NeverThrowsNorNamesANegativePin(int seed)
    {
        var random = new Random(seed);
        var seeds = Golden.Names("in").Select(name => Golden.Read("in", name)).ToArray();
        var accepted = 0;
        var refused = 0;
        for (var i = 0; i < Payloads / 2; i++)
        {
            var payload = PayloadMutator.Mutate(random, seeds[random.Next(seeds.Length)]);
            var decoded = DeviceUpdateDecoderTests.Decode(payload);
            if (!decoded.HasEvent)
            {
                refused++;
                Assert.NotNull(decoded.Refusal);
                Assert.NotNull(decoded.Detail);
                continue;
            }

            accepted++;
            var update = Assert.IsType<DeviceUpdate>(decoded.Event);
            Assert.True(update.Pins.Length <= WireLimits.MaxElements);
            foreach (var pin in update.Pins)
            {
                Assert.True(
                    pin.Pin >= 0 && (pin.Mode is not null || pin.State is not null), $"{pin} from {Convert.ToHexString(payload)} (seed {seed})");
            }
        }

        // Both paths were walked: mutations that all end in the same refusal would prove nothing.
        Assert.True(accepted > Payloads / 20, $"{accepted} of {Payloads / 2} were accepted");
        Assert.True(refused > Payloads / 20, $"{refused} of {Payloads / 2} were refused");
    }
}
