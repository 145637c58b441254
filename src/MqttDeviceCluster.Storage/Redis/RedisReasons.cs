using StackExchange.Redis;

namespace MqttDeviceCluster.Storage.Redis;

/// <summary>Says in plain words, without secrets, what errors of the driver and the server mean to an operator.</summary>
internal static class RedisReasons
{
    public static string Describe(ConfigurationOptions? options) =>
        options is null ? "Redis" : $"Redis at {string.Join(", ", options.EndPoints.Select(Describe))}";

    public static string Explain(Exception cause) => cause switch
    {
        RedisConnectionException { FailureType: ConnectionFailureType.AuthenticationFailure } => "the server does not take this user or password",
        RedisConnectionException { FailureType: ConnectionFailureType.UnableToConnect or ConnectionFailureType.UnableToResolvePhysicalConnection } exception =>
            Contains(exception, "WRONGPASS") || Contains(exception, "NOAUTH") || Contains(exception, "AuthenticationFailure")
                ? "the server does not take this user or password" : "it cannot be reached",
        RedisConnectionException => "the connection was lost",
        RedisTimeoutException or TimeoutException => "it does not answer in time",
        RedisServerException exception when Contains(exception, "NOAUTH") || Contains(exception, "WRONGPASS") => "the server does not take this user or password",
        RedisServerException exception => $"it answered {exception.Message.TrimEnd('.')}",
        ObjectDisposedException => "the storage is stopped",
        _ => cause.Message.Split('\n')[0].TrimEnd('.', '\r'),
    };

    private static bool Contains(Exception exception, string text) =>
        exception.Message.Contains(text, StringComparison.Ordinal) || (exception.InnerException is { } inner && Contains(inner, text));

    private static string Describe(System.Net.EndPoint endpoint) => endpoint switch
    {
        System.Net.DnsEndPoint dns => $"{dns.Host}:{dns.Port}",
        _ => endpoint.ToString() ?? "?",
    };
}
