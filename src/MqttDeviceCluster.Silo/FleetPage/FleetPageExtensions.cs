using MqttDeviceCluster.Silo.Hosting;

namespace MqttDeviceCluster.Silo.FleetPage;

/// <summary>Adds and maps the page at <c>/</c> that shows the fleet and switches its outputs.</summary>
internal static class FleetPageExtensions
{
    private static readonly string[] Reading = [HttpMethods.Get, HttpMethods.Head];

    /// <summary>Adds what the page needs, if there is one.</summary>
    public static IServiceCollection AddFleetPage(this IServiceCollection services, SiloSettings settings)
    {
        // The dashboard has the same guard, also without the page.
        services.AddSingleton(provider => new FleetPageGuard(provider.GetService<FleetPageToken>()));
        if (settings.FleetPage is not { } page)
        {
            return services;
        }

        if (page.Token is { } token)
        {
            services.AddSingleton(provider => new FleetPageToken(token, provider.GetRequiredService<TimeProvider>()));
        }

        services.AddSingleton<FleetPageHub>();
        services.AddSingleton<SetPinEndpoint>();
        return services;
    }

    /// <summary>Maps the page, if there is one.</summary>
    public static void MapFleetPage(this WebApplication app, SiloSettings settings)
    {
        if (settings.FleetPage is null)
        {
            return;
        }

        var guard = app.Services.GetRequiredService<FleetPageGuard>();
        app.MapMethods("/", Reading, guard.Protect(Demand.Token, context => Task.FromResult(FleetPageAssets.Get(context, FleetPageAssets.Page))));
        foreach (var name in FleetPageAssets.Names)
        {
            app.MapMethods($"/fleet/{name}", Reading, guard.Protect(Demand.None, context => Task.FromResult(FleetPageAssets.Get(context, name))));
        }

        app.MapGet("/fleet/events", guard.Protect(Demand.Token | Demand.SameOrigin, Events(app)));
        app.MapPost("/fleet/pins", guard.Protect(Demand.Token | Demand.SameOrigin, app.Services.GetRequiredService<SetPinEndpoint>().HandleAsync));
        if (app.Services.GetService<FleetPageToken>() is { } token)
        {
            app.MapPost("/fleet/login", guard.Protect(Demand.SameOrigin, context => LoginEndpoints.LoginAsync(context, token)));
            app.MapPost("/fleet/logout", guard.Protect(Demand.SameOrigin, LoginEndpoints.LogoutAsync));
        }
    }

    private static Func<HttpContext, Task<IResult>> Events(WebApplication app)
    {
        var hub = app.Services.GetRequiredService<FleetPageHub>();
        var time = app.Services.GetRequiredService<TimeProvider>();
        var hasLogin = app.Services.GetRequiredService<FleetPageGuard>().HasToken;
        var stopping = app.Lifetime.ApplicationStopping;
        return context =>
        {
            if (hub.TryJoin() is not { } reader)
            {
                context.Response.Headers.RetryAfter = "10";
                return Task.FromResult<IResult>(TypedResults.Problem(
                    stopping.IsCancellationRequested ? "The silo is stopping." : "Too many pages are open at this silo.",
                    statusCode: StatusCodes.Status503ServiceUnavailable));
            }

            // Ends with the host too: it would wait for the browser otherwise.
            var ended = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
            context.Response.RegisterForDispose(reader);
            context.Response.RegisterForDispose(ended);
            return Task.FromResult<IResult>(TypedResults.ServerSentEvents(FleetEvents.StreamAsync(reader, hasLogin, time, ended.Token)));
        };
    }
}
