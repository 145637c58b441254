using System.Text;

namespace MqttDeviceCluster.Tests.Silo.Wire;

/// <summary>Payloads that are nearly good, the same ones for the same seed.</summary>
internal static class PayloadMutator
{
    private static readonly string[] Fragments =
    [
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\ud800", "\"pin\":", "\"pins\":[", "\"mode\":", "\"state\":", "\"boot\":", "\"seq\":",
        "\"online\":", "\"fw\":", "true", "online", "\\u001b",
        "-1", "0", "1e9", "1e-9", "99999999999999999999", "null", "true", "1.0", "-0.0", "\0", "\ufeff", "{\"pin\":3,\"state\":1}", " ",
    ];

    public static byte[] Mutate(Random random, byte[] seed)
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
