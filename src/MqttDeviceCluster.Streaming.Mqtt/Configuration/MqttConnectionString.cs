using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace MqttDeviceCluster.Streaming.Mqtt;

/// <summary>Where a broker is, and who we are to it. Its text form holds no secret.</summary>
public sealed class MqttConnectionString
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

    /// <summary>Gets whether the connection is encrypted.</summary>
    public bool UseTls => Scheme is "mqtts" or "wss";

    /// <summary>Gets whether it goes over WebSocket.</summary>
    public bool UseWebSocket => Scheme is "ws" or "wss";

    /// <summary>Parses a connection string.</summary>
    /// <exception cref="FormatException">It is not valid. The message says why, and repeats no part that could hold a secret.</exception>
    public static MqttConnectionString Parse(string text) =>
        TryParse(text, out var result, out var problem) ? result : throw new FormatException($"The MQTT connection string is not valid: {problem}.");

    /// <summary>Parses a connection string: <c>mqtt://[user[:password]@]host[:port]</c>, or <c>mqtts</c>, or <c>ws</c> and <c>wss</c>, which may have a path and a query.</summary>
    /// <param name="text">The connection string. Blanks around it are left out.</param>
    /// <param name="result">What it says.</param>
    /// <param name="problem">What is wrong with it, as a clause that repeats no part that could hold a secret.</param>
    public static bool TryParse(string text, [NotNullWhen(true)] out MqttConnectionString? result, [NotNullWhen(false)] out string? problem)
    {
        ArgumentNullException.ThrowIfNull(text);
        (result, problem) = Read(text.Trim());
        return result is not null;
    }

    /// <summary>Returns scheme, host and port.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Scheme}://{(Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]" : Host)}:{Port}");

    private static (MqttConnectionString? Result, string? Problem) Read(string text)
    {
        var separator = text.IndexOf("://", StringComparison.Ordinal);
        var scheme = separator < 0 ? "" : text[..separator].ToLowerInvariant();
        if (scheme is not ("mqtt" or "mqtts" or "ws" or "wss"))
        {
            return (null, "it must start with mqtt://, mqtts://, ws:// or wss://");
        }

        // A secret with an unescaped / ? or # would end up as path, and be shown or sent to the wrong place.
        const string Hint = "; special characters in a user name or password are written percent-encoded, such as %2F for /";
        if (text.Any(char.IsWhiteSpace) || !Uri.TryCreate(text, UriKind.Absolute, out var uri))
        {
            return (null, "it is not a URL" + Hint);
        }

        if (uri.Host.Length == 0)
        {
            return (null, "it names no host" + Hint);
        }

        if (uri.Fragment.Length > 0 || uri.PathAndQuery.Contains('@', StringComparison.Ordinal))
        {
            return (null, "it has a '#' or '@' behind the host" + Hint);
        }

        if (uri.Port == 0)
        {
            return (null, "its port is 0");
        }

        var isWebSocket = scheme is "ws" or "wss";
        if (!isWebSocket && uri.PathAndQuery is not ("" or "/"))
        {
            return (null, $"{scheme}:// takes no path" + Hint);
        }

        var port = uri.Port > 0
            ? uri.Port
            : scheme switch { "mqtt" => 1883, "mqtts" => 8883, "ws" => 80, _ => 443 };
        var colon = uri.UserInfo.IndexOf(':', StringComparison.Ordinal);
        var user = colon < 0 ? uri.UserInfo : uri.UserInfo[..colon];
        var password = colon < 0 ? null : uri.UserInfo[(colon + 1)..];
        MqttConnectionString result = new(
            scheme,
            uri.HostNameType == UriHostNameType.IPv6 ? uri.Host.Trim('[', ']') : uri.IdnHost,
            port,
            isWebSocket ? uri.PathAndQuery : "",
            user.Length == 0 ? null : Uri.UnescapeDataString(user),
            string.IsNullOrEmpty(password) ? null : Uri.UnescapeDataString(password));
        return (result, null);
    }
}
