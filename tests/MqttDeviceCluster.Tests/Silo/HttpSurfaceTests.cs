using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using MqttDeviceCluster.Silo;
using MqttDeviceCluster.Silo.Hosting;

namespace MqttDeviceCluster.Tests.Silo;

/// <summary>
/// Every endpoint that the silo maps, whoever added it: what reveals or switches anything is off, or asks for the token, as soon as HTTP listens on more than
/// loopback; and on loopback it answers to loopback names alone.
/// </summary>
public sealed class HttpSurfaceTests
{
    private const string Token = "correct-horse-battery";

    /// <summary>What a load balancer asks.</summary>
    private static readonly string[] Health = ["/health/live", "/health/ready", "/health/startup"];

    /// <summary>What a browser needs to show where the token is entered, and the entering itself.</summary>
    private static readonly string[] Login =
    [
        "/fleet/devices.js", "/fleet/fleet.css", "/fleet/fleet.js", "/fleet/icon.svg", "/fleet/list.js", "/fleet/login", "/fleet/logout", "/fleet/setpin.js",
        "/fleet/stream.js", "/fleet/words.js",
    ];

    [Theory]
    [InlineData("http://0.0.0.0:8080")]
    [InlineData("http://127.0.0.1:8080;http://[::]:8081")]
    public async Task BeyondLoopback_NothingElseSet_IsHealthAlone(string urls)
    {
        await using var app = Build($"--Urls={urls}");

        Assert.Equal(Health, Endpoints(app).Select(Path).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task BeyondLoopback_AllOfIt_AsksForTheToken()
    {
        await using var app = Build("--Urls=http://0.0.0.0:8080", "--FleetPage:Enabled=true", $"--FleetPage:Token={Token}", "--Dashboard:Enabled=true");
        var guarded = Endpoints(app).Where(endpoint => !Health.Concat(Login).Contains(Path(endpoint))).ToList();

        Assert.Superset(new HashSet<string> { "/", "/fleet/events", "/fleet/pins" }, guarded.Select(Path).ToHashSet());
        Assert.True(guarded.Count(IsDashboard) > 3, "The dashboard is missing.");
        foreach (var endpoint in guarded)
        {
            Assert.True(await AskAsync(app, endpoint, "silo.example") == HttpStatusCode.Unauthorized, $"{Path(endpoint)} answers without the token.");

            // After some wrong ones from an address the answer is that there were too many.
            var wrong = await AskAsync(app, endpoint, "silo.example", ("Authorization", "Bearer wrong-horse-battery"));
            Assert.True(wrong is HttpStatusCode.Unauthorized or HttpStatusCode.TooManyRequests, $"{Path(endpoint)} answers to a wrong token.");
        }
    }

    [Theory]
    [InlineData("rebound.example")]
    [InlineData("192.168.1.7:8080")]
    public async Task Loopback_AskedUnderAnotherName_IsHealthAlone(string host)
    {
        await using var app = Build();
        var guarded = Endpoints(app).Where(endpoint => !Health.Contains(Path(endpoint))).ToList();

        Assert.True(guarded.Count(IsDashboard) > 3, "The dashboard is missing.");
        foreach (var endpoint in guarded)
        {
            Assert.True(await AskAsync(app, endpoint, host) == HttpStatusCode.Forbidden, $"{Path(endpoint)} answers to {host}.");
        }
    }

    [Fact]
    public async Task Loopback_WithoutThePage_GuardsTheDashboardToo()
    {
        await using var app = Build("--FleetPage:Enabled=false");
        var dashboard = Endpoints(app).Where(IsDashboard).ToList();

        Assert.NotEmpty(dashboard);
        foreach (var endpoint in dashboard)
        {
            Assert.Equal(HttpStatusCode.Forbidden, await AskAsync(app, endpoint, "rebound.example"));
        }
    }

    private static WebApplication Build(params string[] arguments)
    {
        var builder = SiloHost.CreateBuilder(SiloCommandLine.Parse([.. arguments, "--Environment=Production"]));
        var settings = SiloSettings.From(builder.Configuration, System.IO.Path.GetTempPath());
        SiloComposition.AddSilo(builder, settings);
        var app = builder.Build();
        SiloComposition.MapEndpoints(app, settings);
        return app;
    }

    private static IEnumerable<RouteEndpoint> Endpoints(WebApplication app) =>
        ((IEndpointRouteBuilder)app).DataSources.SelectMany(source => source.Endpoints).Cast<RouteEndpoint>();

    private static string Path(RouteEndpoint endpoint) => "/" + endpoint.RoutePattern.RawText!.TrimStart('/');

    private static bool IsDashboard(RouteEndpoint endpoint) => Path(endpoint).StartsWith("/dashboard", StringComparison.Ordinal);

    private static async Task<HttpStatusCode> AskAsync(WebApplication app, RouteEndpoint endpoint, string host, params (string Name, string Value)[] headers)
    {
        DefaultHttpContext context = new() { RequestServices = app.Services };
        context.Request.Method = endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods[0] ?? "GET";
        context.Request.Scheme = "http";
        context.Request.Host = new HostString(host);
        context.Request.Path = Path(endpoint);
        context.Connection.RemoteIpAddress = IPAddress.Parse("192.0.2.1");
        foreach (var (name, value) in headers)
        {
            context.Request.Headers[name] = value;
        }

        await endpoint.RequestDelegate!(context);
        return (HttpStatusCode)context.Response.StatusCode;
    }
}
