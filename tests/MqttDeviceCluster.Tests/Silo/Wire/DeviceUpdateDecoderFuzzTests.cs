using System.Text;
using MqttDeviceCluster.Silo.Wire;
using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster.Tests.Silo.Wire;

public sealed class DeviceUpdateDecoderFuzzTests
{
    private const int Payloads = 100_000;

    private static readonly string[] Fragments =
    [
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\ud800", "\"pin\":", "\"pins\":[", "\"mode\":", "\"state\":", "\"boot\":", "\"seq\":",
        "-1", "0", "1e9", "1e-9", "99999999999999999999", "null", "true", "1.0", "-0.0", "\0", "\ufeff", "{\"pin\":3,\"state\":1}", " ",
    ];

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
            var payload = Mutate(random, seeds[random.Next(seeds.Length)]);
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

    private static byte[] Mutate(Random random, byte[] seed)
    {
        var payload = seed.ToList();
        for (var times = random.Next(1, 3); times > 0; times--)
        {
            var at = random.Next(payload.Count + 1);
            if (random.Next(2) == 0 && payload.FindIndex(at, c => c is >= (byte)'0' and <= (byte)'9') is >= 0 and var digit)
            {
                at = digit;
            }

            switch (random.Next(5))
            {
                case 0 when at < payload.Count:
                    payload[at] = (byte)random.Next(256);
                    break;
                case 1 when at < payload.Count:
                    payload.RemoveRange(at, Math.Min(random.Next(1, 8), payload.Count - at));
                    break;
                case 2:
                    payload.InsertRange(at, Encoding.UTF8.GetBytes(Fragments[random.Next(Fragments.Length)]));
                    break;
                case 3 or 4 when at < payload.Count && payload[at] is >= (byte)'0' and <= (byte)'9':
                    payload.RemoveAt(at);
                    payload.InsertRange(at, Encoding.UTF8.GetBytes(random.NextInt64(-1L << 40, 1L << 40) + random.Next(3) switch
                    {
                        0 => "",
                        1 => ".5",
                        _ => "e3",
                    }));
                    break;
                default:
                    payload.InsertRange(at, payload.GetRange(0, random.Next(payload.Count + 1)));
                    break;
            }
        }

        return [.. payload];
    }
}
