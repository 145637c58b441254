using Caller;
using MqttDeviceCluster;
using Orleans.Configuration;

var builder = WebApplication.CreateBuilder(args);
if (builder.Configuration["SettingsDirectory"] is { } directory)
{
    // The connection string is a mounted secret.
    builder.Configuration.AddKeyPerFile(directory);
}

// Which cluster, and where its members stand, is configuration (Orleans:ClusterId, ServiceId, Clustering): see kustomization.yaml beside this file, and in base.
builder.UseOrleansClient(client =>
{
    // Silos come and go with each rollout: a new one is found within seconds, not within Orleans' minute.
    client.Configure<GatewayOptions>(static options => options.GatewayListRefreshPeriod = TimeSpan.FromSeconds(5));
    client.UseConnectionRetryFilter<GatewayRetry>();
});
builder.Services.AddDeviceCluster();
Readiness readiness = new();
builder.Services.AddHostedService(_ => readiness);
builder.Services.AddHealthChecks().AddCheck("draining", readiness);

var app = builder.Build();
app.MapHealthChecks("/health/live", new() { Predicate = static _ => false });
app.MapHealthChecks("/health/ready");

app.MapGet("/devices/{device}", (string device, IDeviceCluster cluster, CancellationToken cancellationToken) => AnswerAsync(async () =>
    Results.Ok((await cluster.GetSnapshotAsync(device, cancellationToken)).Pins.Select(static pin => new { pin.Pin, State = pin.State.ToString() }))));

app.MapPut("/devices/{device}/pins/{pin:int}/{state}", (string device, int pin, PinState state, IDeviceCluster cluster, CancellationToken cancellationToken) => AnswerAsync(async () =>
{
    await cluster.SetPinsAsync(device, [new(pin, state)], cancellationToken: cancellationToken);
    return Results.NoContent();
}));

await app.RunAsync();

static async Task<IResult> AnswerAsync(Func<Task<IResult>> call)
{
    try
    {
        return await call();
    }
    catch (Exception e) when (e is DeviceTimeoutException or DeviceInterruptedException { Published: true })
    {
        // It may have acted. Setting a pin twice is harmless: the caller may ask again.
        return Results.Problem(e.Message, statusCode: StatusCodes.Status504GatewayTimeout);
    }
    catch (Exception e) when (e is DeviceClusterException or OrleansException)
    {
        // Orleans' own: no silo is there.
        return Results.Problem(e.Message, statusCode: StatusCodes.Status503ServiceUnavailable);
    }
}
