using System.Diagnostics.CodeAnalysis;

namespace MqttDeviceCluster.Silo.Hosting;

/// <summary>The broker's URL, and how to speak of it without its secrets.</summary>
internal static class BrokerUrl
{
    private static readonly string[] Schemes = ["mqtt", "mqtts", "ws", "wss"];

    /// <param name="text">The connection string.</param>
    /// <param name="url">The URL.</param>
    /// <param name="problem">What is wrong, without the text: it may hold a password anywhere.</param>
    public static bool TryParse(string text, [NotNullWhen(true)] out Uri? url, [NotNullWhen(false)] out string? problem)
    {
        problem = null;
        if (!Uri.TryCreate(text, UriKind.Absolute, out url) || text.Any(char.IsWhiteSpace))
        {
            problem = "it is not a URL";
        }
        else if (!Schemes.Contains(url.Scheme))
        {
            problem = $"its scheme is '{url.Scheme}'";
        }
        else if (url.Host.Length == 0)
        {
            problem = "it names no host";
        }
        else if (url.Port == 0)
        {
            problem = "its port is 0";
        }
        else if (url.Scheme is "mqtt" or "mqtts" && (url.AbsolutePath is not ("" or "/") || url.Query.Length > 0))
        {
            problem = $"'{url.Scheme}' has neither path nor query";
        }

        return problem is null;
    }

    /// <summary>Returns the URL with user and password, and a query that may hold one, left out.</summary>
    public static string Redact(Uri url)
    {
        var port = url.IsDefaultPort || url.Port < 0 ? "" : $":{url.Port}";
        var path = url.AbsolutePath == "/" ? "" : url.AbsolutePath;
        return $"{url.Scheme}://{url.Host}{port}{path}";
    }
}
