using Microsoft.AspNetCore.Http.Features;

namespace MqttDeviceCluster.Silo.FleetPage;

/// <summary>Gives a session to a browser that knows the token, and takes it back.</summary>
internal static class LoginEndpoints
{
    private const long MaxBodyBytes = 4096;

    public static async Task<IResult> LoginAsync(HttpContext context, FleetPageToken token)
    {
        if (!context.Request.HasFormContentType)
        {
            return Again("Enter the token.", StatusCodes.Status415UnsupportedMediaType);
        }

        context.Features.Get<IHttpMaxRequestBodySizeFeature>()?.MaxRequestBodySize = MaxBodyBytes;
        var form = await context.Request.ReadFormAsync(context.RequestAborted);
        switch (token.Try(form["token"].ToString().Trim(), context.Connection.RemoteIpAddress))
        {
            case TokenAnswer.Right:
                context.Response.Cookies.Append(FleetPageToken.CookieName, token.CreateSession(), Cookie(context.Request));
                return Back();
            case TokenAnswer.Wrong:
                return Again("That is not the token.", StatusCodes.Status401Unauthorized);
            default:
                context.Response.Headers.RetryAfter = "60";
                return Again("Too many wrong tokens came from this address. Try again in a minute.", StatusCodes.Status429TooManyRequests);
        }
    }

    public static Task<IResult> LogoutAsync(HttpContext context)
    {
        context.Response.Cookies.Delete(FleetPageToken.CookieName, Cookie(context.Request));
        return Task.FromResult<IResult>(Back());
    }

    private static IResult Again(string problem, int status) => FleetPageAssets.Login(problem, status, root: "../");

    // Relative, so that it is right behind a proxy that adds a path too.
    private static SeeOther Back() => new SeeOther("../");

    private static CookieOptions Cookie(HttpRequest request) => new()
    {
        HttpOnly = true,
        SameSite = SameSiteMode.Strict,

        // Who lies about it in a header only keeps the cookie from being sent.
        Secure = request.IsHttps || request.Headers["X-Forwarded-Proto"] == "https",
        IsEssential = true,
    };

    private sealed class SeeOther(string location) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Response.StatusCode = StatusCodes.Status303SeeOther;
            httpContext.Response.Headers.Location = location;
            return Task.CompletedTask;
        }
    }
}
