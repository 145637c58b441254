using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using MqttDeviceCluster.Silo.FleetPage;

namespace MqttDeviceCluster.Silo.Health;

/// <summary>Which probe asks which checks.</summary>
internal static class HealthTags
{
    /// <summary>The process runs its timers, and its memory never ran out. Asks no one else: a restart would not mend them.</summary>
    public const string Live = "live";

    /// <summary>The silo takes calls. A broker or store that is away shows in the body and never takes the pods out of service.</summary>
    public const string Ready = "ready";

    /// <summary>The silo is up, and was once connected to the broker: a rollout with a wrong URL stops here.</summary>
    public const string Startup = "startup";
}

/// <summary>Adds and maps the health endpoints.</summary>
internal static class HealthExtensions
{
    public static IServiceCollection AddSiloHealth(this IServiceCollection services)
    {
        services.AddSingleton<DrainService>();
        services.AddHostedService(provider => provider.GetRequiredService<DrainService>());
        services.AddSingleton<HeartbeatService>();
        services.AddHostedService(provider => provider.GetRequiredService<HeartbeatService>());
        services.AddSingleton<MemoryService>();
        services.AddHostedService(provider => provider.GetRequiredService<MemoryService>());
        services.AddHealthChecks()
            .AddCheck<HeartbeatHealthCheck>("process", tags: [HealthTags.Live])
            .AddCheck<MemoryHealthCheck>("memory", tags: [HealthTags.Live])
            .AddCheck<SiloHealthCheck>("silo", tags: [HealthTags.Ready, HealthTags.Startup])
            .AddCheck<BrokerHealthCheck>("broker", tags: [HealthTags.Ready])
            .AddCheck<BrokerOnceHealthCheck>("broker_reached", tags: [HealthTags.Startup])
            .AddCheck<StoreHealthCheck>("store", tags: [HealthTags.Ready]);
        return services;
    }

    /// <summary>Maps an endpoint. What is degraded anybody may know; why, which names the broker and the store, only who is on this machine or knows the token.</summary>
    public static void MapHealth(this WebApplication app, string path, string tag)
    {
        var guard = app.Services.GetRequiredService<FleetPageGuard>();
        var isDevelopment = app.Environment.IsDevelopment();
        app.MapHealthChecks(path, new HealthCheckOptions
        {
            Predicate = check => check.Tags.Contains(tag),
            ResponseWriter = (context, report) => HealthResponse.WriteAsync(context, report, withProblems: isDevelopment || guard.IsTrusted(context)),
            ResultStatusCodes =
            {
                [HealthStatus.Healthy] = StatusCodes.Status200OK,
                [HealthStatus.Degraded] = StatusCodes.Status200OK,
                [HealthStatus.Unhealthy] = StatusCodes.Status503ServiceUnavailable,
            },
        });
    }
}
