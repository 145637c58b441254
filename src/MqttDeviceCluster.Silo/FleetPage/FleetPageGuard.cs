using System.Net;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Net.Http.Headers;

namespace MqttDeviceCluster.Silo.FleetPage;

/// <summary>How a request must be to get through <see cref="FleetPageGuard"/>.</summary>
[Flags]
internal enum Demand
{
    /// <summary>A page or an asset: nothing in it is secret, and a link from elsewhere may lead to it.</summary>
    None = 0,

    /// <summary>From a page of ours, or from no page at all.</summary>
    SameOrigin = 1,

    /// <summary>With the token or a session, if there is a token.</summary>
    Token = 2,
}

/// <summary>Lets requests through to the page, or answers in their place.</summary>
/// <remarks>
/// <para>Without a token the page answers to loopback names alone: a web site whose name was made to point to 127.0.0.1 (DNS rebinding) asks under its own. What a
/// proxy sent on is refused too: the page is then on more than loopback.</para>
/// <para>With a token that is not needed: a session belongs to the name under which the token was given.</para>
/// </remarks>
internal sealed class FleetPageGuard(FleetPageToken? token)
{
    // With ASPNETCORE_FORWARDEDHEADERS_ENABLED, what was in X-Forwarded-For is taken away, and leaves X-Original-For.
    private static readonly string[] ProxyHeaders = ["Forwarded", "X-Forwarded-For", "X-Original-For", "X-Forwarded-Host", "Via"];

    public bool HasToken => token is not null;

    /// <summary>Returns a handler that runs <paramref name="handler"/> for requests that are as demanded.</summary>
    public RequestDelegate Protect(Demand demand, Func<HttpContext, Task<IResult>> handler) => async context =>
    {
        WriteHeaders(context.Response.Headers);
        var result = Refuse(context, demand) ?? await handler(context);
        await result.ExecuteAsync(context);
    };

    /// <summary>Returns <paramref name="handler"/> for requests that are as demanded. What it answers, and with which headers, is its own matter.</summary>
    public RequestDelegate Protect(Demand demand, RequestDelegate handler) => async context =>
    {
        if (Refuse(context, demand) is { } refusal)
        {
            WriteHeaders(context.Response.Headers);
            await refusal.ExecuteAsync(context);
        }
        else
        {
            await handler(context);
        }
    };

    /// <summary>
    /// Returns whether whoever asks may know where the broker and the store are: he asks from this machine, or knows the token.
    /// </summary>
    public bool IsTrusted(HttpContext context) =>
        (context.Connection.RemoteIpAddress is { } address && IPAddress.IsLoopback(address) && IsLoopback(context.Request.Host.Host) && !IsForwarded(context.Request))
        || (token is not null
            && (token.IsSession(context.Request.Cookies[FleetPageToken.CookieName])
                || (TryReadBearer(context.Request, out var given) && token.Try(given, context.Connection.RemoteIpAddress) == TokenAnswer.Right)));

    private static bool IsForwarded(HttpRequest request) => ProxyHeaders.Any(request.Headers.ContainsKey);

    private static bool TryReadBearer(HttpRequest request, out string given)
    {
        const string Bearer = "Bearer ";
        var authorization = request.Headers.Authorization.ToString();
        var isBearer = authorization.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase);
        given = isBearer ? authorization[Bearer.Length..].Trim() : "";
        return isBearer;
    }

    private static void WriteHeaders(IHeaderDictionary headers)
    {
        headers.ContentSecurityPolicy =
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
            + "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";
        headers.XContentTypeOptions = "nosniff";
        headers.XFrameOptions = "DENY";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";

        // What may be kept says so itself.
        headers.CacheControl = "no-store";
    }

    private IResult? Refuse(HttpContext context, Demand demand)
    {
        var request = context.Request;
        if (token is null && !IsLoopback(request.Host.Host))
        {
            return Problem(StatusCodes.Status403Forbidden, "This page answers only to localhost and loopback addresses as long as FleetPage:Token is not set.");
        }

        if (token is null && IsForwarded(request))
        {
            return Problem(StatusCodes.Status403Forbidden, "This page answers only to direct requests, not to those of a proxy, as long as FleetPage:Token is not set.");
        }

        if (demand.HasFlag(Demand.SameOrigin) && !IsSameOrigin(request))
        {
            return Problem(StatusCodes.Status403Forbidden, "This was asked from another web site.");
        }

        if (!demand.HasFlag(Demand.Token) || token is null || token.IsSession(request.Cookies[FleetPageToken.CookieName]))
        {
            return null;
        }

        if (!TryReadBearer(request, out var given))
        {
            return Unauthorized(context, "This needs the token.");
        }

        return token.Try(given, context.Connection.RemoteIpAddress) switch
        {
            TokenAnswer.Right => null,
            TokenAnswer.Wrong => Unauthorized(context, "That is not the token."),
            _ => TooMany(context),
        };
    }

    private static ProblemHttpResult TooMany(HttpContext context)
    {
        context.Response.Headers.RetryAfter = "60";
        return Problem(StatusCodes.Status429TooManyRequests, "Too many wrong tokens came from this address. Try again in a minute.");
    }

    // A browser that asks for the page is shown where to enter the token.
    private static IResult Unauthorized(HttpContext context, string detail)
    {
        var root = context.Request.Path.Value switch
        {
            "/" => "",
            $"{SiloComposition.DashboardPath}/" => "../",
            _ => null,
        };
        if (root is not null
            && context.Request.GetTypedHeaders().Accept.Any(type => type.MediaType.Equals("text/html", StringComparison.OrdinalIgnoreCase)))
        {
            return FleetPageAssets.Login(null, StatusCodes.Status401Unauthorized, root);
        }

        context.Response.Headers.WWWAuthenticate = "Bearer";
        return Problem(StatusCodes.Status401Unauthorized, detail);
    }

    private static ProblemHttpResult Problem(int status, string detail) => TypedResults.Problem(detail, statusCode: status);

    private static bool IsLoopback(string host) =>
        string.Equals(host, "localhost", StringComparison.OrdinalIgnoreCase)
        || (IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));

    // A tool sends neither header; every browser sends the second one with a POST, and those of today the first one wherever it can be trusted.
    private static bool IsSameOrigin(HttpRequest request)
    {
        if (request.Headers.TryGetValue("Sec-Fetch-Site", out var site))
        {
            return site == "same-origin" || (site == "none" && HttpMethods.IsGet(request.Method));
        }

        return !request.Headers.TryGetValue(HeaderNames.Origin, out var origin)
            || (Uri.TryCreate(origin, UriKind.Absolute, out var from)
                && string.Equals(from.Authority, request.Host.Value, StringComparison.OrdinalIgnoreCase));
    }
}
