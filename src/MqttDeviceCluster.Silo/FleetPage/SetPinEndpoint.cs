using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.HttpResults;

namespace MqttDeviceCluster.Silo.FleetPage;

/// <summary>
/// <c>POST /fleet/pins</c> with <c>{"device":"…","pin":13,"state":"high"}</c>: sets an output and answers what the device confirmed, or a problem (RFC 9457) that says in
/// words what is known. Its <c>outcome</c> is <c>nothing</c> when nothing happened, <c>unknown</c> when the pin may have been set.
/// </summary>
/// <remarks>The device stands in the body: <c>..</c> is a valid id, and no path can hold it.</remarks>
internal sealed partial class SetPinEndpoint(IDeviceCluster cluster, ILogger<SetPinEndpoint> logger)
{
    private const string Nothing = "nothing";
    private const string Unknown = "unknown";
    private const long MaxBodyBytes = 4096;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        NumberHandling = JsonNumberHandling.Strict,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    };

    public async Task<IResult> HandleAsync(HttpContext context)
    {
        // A form of another site cannot send this type without asking first (CORS), and nobody answers there.
        if (!context.Request.HasJsonContentType())
        {
            return Problem(StatusCodes.Status415UnsupportedMediaType, "The body must be application/json.", Nothing);
        }

        context.Features.Get<IHttpMaxRequestBodySizeFeature>()?.MaxRequestBodySize = MaxBodyBytes;
        Request? request;
        try
        {
            request = await context.Request.ReadFromJsonAsync<Request>(Json, context.RequestAborted);
        }
        catch (JsonException)
        {
            request = null;
        }
        catch (BadHttpRequestException e)
        {
            // Too large, or cut off. Left to Kestrel it is an error with a stack trace in the log, of anyone's making.
            return Problem(e.StatusCode, e.Message, Nothing);
        }

        PinState? state = request?.State switch
        {
            "high" => PinState.High,
            "low" => PinState.Low,
            _ => null,
        };
        if (request is null || state is null)
        {
            return Problem(StatusCodes.Status400BadRequest, """The body must be like {"device":"544B3B144B8C","pin":13,"state":"high"}, the state "high" or "low".""", Nothing);
        }

        return await SetAsync(request.Device, request.Pin, state.Value, context);
    }

    private async Task<IResult> SetAsync(string device, int pin, PinState state, HttpContext context)
    {
        try
        {
            // A browser that goes away takes back what still stands in line.
            var result = await cluster.SetPinsAsync(device, [new SetPin(pin, state)], null, context.RequestAborted);
            LogSet(pin, device, state, context.Connection.RemoteIpAddress, result.Evidence);
            var update = result.Updates.IsDefaultOrEmpty ? null : result.Updates[0];
            return TypedResults.Json(new Answer(
                device,
                pin,
                (int?)update?.Mode,
                (int?)update?.State,
                update?.ReceivedAt.ToUnixTimeMilliseconds(),
                Words.Of(result.Evidence),
                result.CommandId));
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            return TypedResults.StatusCode(StatusCodes.Status499ClientClosedRequest);
        }
        catch (Exception e) when (Describe(e) is { } problem)
        {
            LogNotSet(pin, device, state, context.Connection.RemoteIpAddress, e.Message);
            return problem;
        }
    }

    private static ProblemHttpResult? Describe(Exception exception) => exception switch
    {
        DeviceTimeoutException { Published: false } => Problem(StatusCodes.Status504GatewayTimeout, exception.Message, Nothing),
        DeviceTimeoutException => Problem(
            StatusCodes.Status504GatewayTimeout, $"{exception.Message} The pin may or may not have been set. Setting it again is safe.", Unknown),
        DeviceOfflineException => Problem(StatusCodes.Status409Conflict, exception.Message, Nothing),
        DeviceBusyException => Problem(StatusCodes.Status503ServiceUnavailable, $"{exception.Message} Try again in a moment.", Nothing),
        BrokerUnavailableException => Problem(StatusCodes.Status502BadGateway, exception.Message, Nothing),
        DeviceInterruptedException { Published: var published } => Problem(
            StatusCodes.Status503ServiceUnavailable, $"{exception.Message} Try again.", published ? Unknown : Nothing),
        ArgumentException => Problem(StatusCodes.Status400BadRequest, exception.Message, Nothing),

        // No silo answered, or its answer was lost.
        TimeoutException or OrleansException => Problem(
            StatusCodes.Status503ServiceUnavailable, "The cluster did not answer. The pin may or may not have been set. Setting it again is safe.", Unknown),
        _ => null,
    };

    private static ProblemHttpResult Problem(int status, string detail, string outcome) =>
        TypedResults.Problem(detail, statusCode: status, extensions: [KeyValuePair.Create<string, object?>("outcome", outcome)]);

    // Rare, and whoever asks later who switched something looks for it here.
    [LoggerMessage(LogLevel.Information, "Pin {Pin} of device '{DeviceId}' was set to {State} from the fleet page ({Address}): {Evidence}.")]
    private partial void LogSet(int pin, string deviceId, PinState state, System.Net.IPAddress? address, Evidence evidence);

    [LoggerMessage(LogLevel.Information, "Pin {Pin} of device '{DeviceId}' was to be set to {State} from the fleet page ({Address}): {Problem}")]
    private partial void LogNotSet(int pin, string deviceId, PinState state, System.Net.IPAddress? address, string problem);

    private sealed record Request(string Device, int Pin, string State);

    private sealed record Answer(string Device, int Pin, int? Mode, int? State, long? At, string Evidence, Guid CommandId);
}
