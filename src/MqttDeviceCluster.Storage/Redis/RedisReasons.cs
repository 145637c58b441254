using StackExchange.Redis;

namespace MqttDeviceCluster.Storage.Redis;

/// <summary>Says in plain words, without secrets, what errors of the driver and the server mean to an operator.</summary>
internal static class RedisReasons
{
    public static string Describe(ConfigurationOptions? options) =>
        options is null ? "Redis" : $"Redis at {string.Join(", ", options.EndPoints.Select(Describe))}";

    public static string Explain(Exception cause) => cause switch
    {
        _ when IsRefused(cause) => "the server does not take this user or password",
        RedisConnectionException { FailureType: ConnectionFailureType.UnableToConnect or ConnectionFailureType.UnableToResolvePhysicalConnection } => "it cannot be reached",
        RedisConnectionException => "the connection was lost",
        RedisTimeoutException or TimeoutException => "it does not answer in time",
        RedisServerException exception => $"it answered {exception.Message.TrimEnd('.')}",
        ObjectDisposedException => "the storage is stopped",
        _ => cause.Message.Split('\n')[0].TrimEnd('.', '\r'),
    };

    // It loads its data; parts of the cluster are away; it is not the primary, or not any more.
    private static readonly string[] NotReady = ["LOADING", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "READONLY"];

    /// <summary>Gets whether the server does not answer, or says that it is not ready: that may be over soon by itself.</summary>
    public static bool IsAway(Exception cause) =>
        (cause is RedisConnectionException or RedisTimeoutException or TimeoutException && !IsRefused(cause)) || (cause is RedisServerException && NotReady.Any(word => cause.Message.StartsWith(word, StringComparison.Ordinal)));

    private static bool IsRefused(Exception cause) =>
        cause is RedisConnectionException { FailureType: ConnectionFailureType.AuthenticationFailure }
        || (cause is RedisConnectionException { FailureType: ConnectionFailureType.UnableToConnect or ConnectionFailureType.UnableToResolvePhysicalConnection } or RedisServerException
            && (Contains(cause, "WRONGPASS") || Contains(cause, "NOAUTH") || Contains(cause, "AuthenticationFailure")));

    private static bool Contains(Exception exception, string text) =>
        exception.Message.Contains(text, StringComparison.Ordinal) || (exception.InnerException is { } inner && Contains(inner, text));

    private static string Describe(System.Net.EndPoint endpoint) => endpoint switch
    {
        System.Net.DnsEndPoint dns => $"{dns.Host}:{dns.Port}",
        _ => endpoint.ToString() ?? "?",
    };
}
