using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Net.Http.Headers;

namespace MqttDeviceCluster.Silo.FleetPage;

/// <summary>The files of the page, which live in this assembly.</summary>
internal static class FleetPageAssets
{
    public const string Page = "index.html";
    public const string LoginPage = "login.html";

    private const string Prefix = "FleetPage/";

    private static readonly Dictionary<string, Asset> Assets = typeof(FleetPageAssets).Assembly.GetManifestResourceNames()
        .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal))
        .Select(Read)
        .ToDictionary(asset => asset.Name, StringComparer.Ordinal);

    /// <summary>Gets the names of the files that pages ask for.</summary>
    public static IEnumerable<string> Names => Assets.Keys.Where(name => name is not (Page or LoginPage));

    /// <summary>Returns a file. A browser keeps it, and asks each time whether it is still the same: a new version of the silo brings all of them at once.</summary>
    public static IResult Get(HttpContext context, string name)
    {
        var asset = Assets[name];
        context.Response.Headers.CacheControl = "no-cache";
        return TypedResults.Bytes(asset.Content, asset.ContentType, entityTag: asset.Tag);
    }

    /// <summary>Returns the form that asks for the token.</summary>
    /// <param name="problem">Why it is asked for again.</param>
    /// <param name="status">The status of the response.</param>
    /// <param name="root">The way from the requested path to the root: relative, so that it is right behind a proxy that adds a path too.</param>
    public static IResult Login(string? problem, int status, string root) => TypedResults.Text(
        Encoding.UTF8.GetString(Assets[LoginPage].Content)
            .Replace("{{problem}}", WebUtility.HtmlEncode(problem), StringComparison.Ordinal)
            .Replace("{{root}}", root, StringComparison.Ordinal),
        Assets[LoginPage].ContentType,
        statusCode: status);

    private static Asset Read(string resource)
    {
        using var stream = typeof(FleetPageAssets).Assembly.GetManifestResourceStream(resource)!;
        var content = new byte[stream.Length];
        stream.ReadExactly(content);
        var name = resource[Prefix.Length..];
        var type = Path.GetExtension(name) switch
        {
            ".html" => "text/html; charset=utf-8",
            ".css" => "text/css; charset=utf-8",
            ".js" => "text/javascript; charset=utf-8",
            ".svg" => "image/svg+xml",
            _ => throw new InvalidOperationException($"The type of {name} is not known."),
        };
        return new Asset(name, content, type, new EntityTagHeaderValue($"\"{Convert.ToHexString(SHA256.HashData(content).AsSpan(0, 12))}\""));
    }

    private sealed record Asset(string Name, byte[] Content, string ContentType, EntityTagHeaderValue Tag);
}
