using System.Globalization;

namespace MqttDeviceCluster.Streaming.Mqtt.Link;

/// <summary>Where a broker is, and who we are to it. Its text form holds no secret.</summary>
internal sealed class MqttConnectionString
{
    private MqttConnectionString(string scheme, string host, int port, string pathAndQuery, string? userName, string? password)
    {
        Scheme = scheme;
        Host = host;
        Port = port;
        PathAndQuery = pathAndQuery;
        UserName = userName;
        Password = password;
    }

    /// <summary>Gets <c>mqtt</c>, <c>mqtts</c>, <c>ws</c> or <c>wss</c>.</summary>
    public string Scheme { get; }

    /// <summary>Gets the host name or address; an IPv6 address without brackets.</summary>
    public string Host { get; }

    /// <summary>Gets the port: 1883, 8883, 80 or 443 unless one was given.</summary>
    public int Port { get; }

    /// <summary>Gets path and query, for <c>ws</c> and <c>wss</c>.</summary>
    public string PathAndQuery { get; }

    /// <summary>Gets the user name, decoded.</summary>
    public string? UserName { get; }

    /// <summary>Gets the password, decoded.</summary>
    public string? Password { get; }

    public bool UseTls => Scheme is "mqtts" or "wss";

    public bool UseWebSocket => Scheme is "ws" or "wss";

    /// <summary>Parses a connection string.</summary>
    /// <exception cref="FormatException">It is not valid. The message says why, and repeats no part that could hold a secret.</exception>
    public static MqttConnectionString Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var separator = text.IndexOf("://", StringComparison.Ordinal);
        var scheme = separator < 0 ? "" : text[..separator].Trim().ToLowerInvariant();
        if (scheme is not ("mqtt" or "mqtts" or "ws" or "wss"))
        {
            throw Invalid("it must start with mqtt://, mqtts://, ws:// or wss://");
        }

        // A secret with an unescaped / ? or # would end up as path, and be shown or sent to the wrong place.
        const string Hint = "; special characters in a user name or password are written percent-encoded, such as %2F for /";
        if (!Uri.TryCreate(text.Trim(), UriKind.Absolute, out var uri))
        {
            throw Invalid("it is not a URL" + Hint);
        }

        if (uri.Host.Length == 0)
        {
            throw Invalid("it names no host" + Hint);
        }

        if (uri.Fragment.Length > 0 || uri.PathAndQuery.Contains('@', StringComparison.Ordinal))
        {
            throw Invalid("it has a '#' or '@' behind the host" + Hint);
        }

        var isWebSocket = scheme is "ws" or "wss";
        if (!isWebSocket && uri.PathAndQuery is not ("" or "/"))
        {
            throw Invalid($"{scheme}:// takes no path" + Hint);
        }

        var port = uri.Port > 0
            ? uri.Port
            : scheme switch { "mqtt" => 1883, "mqtts" => 8883, "ws" => 80, _ => 443 };
        var colon = uri.UserInfo.IndexOf(':', StringComparison.Ordinal);
        var user = colon < 0 ? uri.UserInfo : uri.UserInfo[..colon];
        var password = colon < 0 ? null : uri.UserInfo[(colon + 1)..];
        return new MqttConnectionString(
            scheme,
            uri.HostNameType == UriHostNameType.IPv6 ? uri.Host.Trim('[', ']') : uri.IdnHost,
            port,
            isWebSocket ? uri.PathAndQuery : "",
            user.Length == 0 ? null : Uri.UnescapeDataString(user),
            string.IsNullOrEmpty(password) ? null : Uri.UnescapeDataString(password));
    }

    /// <summary>Returns scheme, host and port.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Scheme}://{(Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]" : Host)}:{Port}");

    private static FormatException Invalid(string why) => new($"The MQTT connection string is not valid: {why}.");
}
