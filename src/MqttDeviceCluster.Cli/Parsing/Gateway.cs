using System.Globalization;

namespace MqttDeviceCluster.Cli.Parsing;

/// <summary>The address of an Orleans gateway.</summary>
internal sealed record Gateway(string Host, int Port)
{
    public const int DefaultPort = 30000;

    public static Gateway Default { get; } = new("127.0.0.1", DefaultPort);

    public static Gateway Parse(string text)
    {
        if (Uri.TryCreate($"tcp://{text}", UriKind.Absolute, out var uri)
            && uri is { UserInfo: "", AbsolutePath: "/" or "", Query: "", Fragment: "", Host.Length: > 0 }
            && uri.Port is -1 or > 0)
        {
            return new Gateway(uri.DnsSafeHost, uri.Port < 0 ? DefaultPort : uri.Port);
        }

        throw new BadInputException($"'{PinSpecs.Shorten(text)}' is not a gateway: give HOST or HOST:PORT, such as 127.0.0.1:30000");
    }

    public override string ToString() => Host.Contains(':', StringComparison.Ordinal)
        ? $"[{Host}]:{Port.ToString(CultureInfo.InvariantCulture)}"
        : $"{Host}:{Port.ToString(CultureInfo.InvariantCulture)}";
}
