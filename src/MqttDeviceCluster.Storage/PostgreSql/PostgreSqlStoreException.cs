using System.Net.Sockets;
using Npgsql;

namespace MqttDeviceCluster.Storage.PostgreSql;

/// <summary>The store cannot be used, for a reason that PostgreSQL itself does not know. It stays inside this assembly.</summary>
internal sealed class PostgreSqlStoreException(string reason) : Exception(reason);

/// <summary>Says in plain words, without secrets, what errors of the driver and the server mean to an operator.</summary>
internal static class PostgreSqlReasons
{
    public static string Explain(Exception cause) => cause switch
    {
        PostgresException exception => Explain(exception),
        NpgsqlException { InnerException: TimeoutException } or TimeoutException => "it does not answer in time",
        NpgsqlException { InnerException: SocketException inner } => Explain(inner),
        NpgsqlException { InnerException: IOException or EndOfStreamException } => "the connection was lost",
        NpgsqlException { InnerException: AggregateException { InnerExceptions: [var first, ..] } } => Explain(first),
        SocketException exception => Explain(exception),
        ObjectDisposedException => "the storage is stopped",
        _ => FirstLine(cause.Message),
    };

    /// <summary>Gets whether the server refused the data of the statement: the same statement without them could succeed.</summary>
    public static bool RefusesData(PostgresException exception) =>
        // Data exception; integrity constraint violation; program limit exceeded (a key too long for an index row); raised by a trigger.
        exception.SqlState[..2] is "22" or "23" or "54" || exception.SqlState == PostgresErrorCodes.RaiseException;

    /// <summary>Gets whether the server undid the transaction because of another one: doing it again is safe.</summary>
    public static bool MayRepeat(PostgresException exception) =>
        exception.SqlState is PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.SerializationFailure;

    /// <summary>Gets whether the server does not answer, or says that it is not ready: that may be over soon by itself. A host that is not known yet may be soon.</summary>
    public static bool IsAway(Exception cause) => cause switch
    {
        // A standby that is about to become the primary; connection exceptions, with which poolers answer as well.
        PostgresException exception => exception.SqlState is
            PostgresErrorCodes.CannotConnectNow or PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown or PostgresErrorCodes.TooManyConnections
            or PostgresErrorCodes.ReadOnlySqlTransaction || exception.SqlState.StartsWith("08", StringComparison.Ordinal),
        NpgsqlException { InnerException: { } inner } => IsAway(inner),
        NpgsqlException => NamesNoHost(cause),

        // Of several hosts.
        AggregateException { InnerExceptions: var inner } => inner.Any(IsAway),
        _ => cause is SocketException or IOException or TimeoutException,
    };

    // The driver remembers for a while that no host of several could be used.
    private static bool NamesNoHost(Exception cause) => cause.Message.StartsWith("No suitable host", StringComparison.Ordinal);

    private static string Explain(PostgresException exception) => exception.SqlState switch
    {
        PostgresErrorCodes.InvalidPassword or PostgresErrorCodes.InvalidAuthorizationSpecification => $"the server lets this user not in ({exception.MessageText})",
        PostgresErrorCodes.InvalidCatalogName => $"there is no such database ({exception.MessageText})",
        PostgresErrorCodes.InsufficientPrivilege => $"{exception.MessageText}: this role lacks a grant",
        PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.UndefinedColumn => $"its tables are gone or not ours ({exception.MessageText})",
        PostgresErrorCodes.DiskFull => "the server's disk is full",
        PostgresErrorCodes.TooManyConnections => "the server has too many connections",
        PostgresErrorCodes.ReadOnlySqlTransaction => "the server is read-only (a standby?)",
        PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown or PostgresErrorCodes.CannotConnectNow => $"the server is stopping or starting ({exception.MessageText})",
        _ => $"PostgreSQL error {exception.SqlState}, {FirstLine(exception.MessageText)}",
    };

    private static string Explain(SocketException exception) => exception.SocketErrorCode switch
    {
        SocketError.ConnectionRefused => "nothing listens there",
        SocketError.HostNotFound or SocketError.TryAgain or SocketError.NoData => "there is no such host",
        SocketError.TimedOut => "it does not answer in time",
        _ => $"the connection failed ({FirstLine(exception.Message)})",
    };

    private static string FirstLine(string message) => message.Split('\n')[0].TrimEnd('.', '\r', ' ');
}
