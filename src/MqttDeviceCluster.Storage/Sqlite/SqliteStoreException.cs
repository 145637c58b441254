using Microsoft.Data.Sqlite;

namespace MqttDeviceCluster.Storage.Sqlite;

/// <summary>The store cannot be used, for a reason that SQLite itself does not know. It stays inside this assembly.</summary>
internal sealed class SqliteStoreException(string reason) : Exception(reason);

/// <summary>Says in plain words what SQLite's result codes mean to an operator.</summary>
internal static class SqliteReasons
{
    public const int Busy = 5;
    public const int InputOutput = 10;
    public const int TooBig = 18;
    public const int Constraint = 19;
    public const int Mismatch = 20;

    public static string Explain(Exception cause) => cause switch
    {
        SqliteStoreException => cause.Message,
        SqliteException exception => Explain(exception),
        UnauthorizedAccessException => "access is denied",
        ObjectDisposedException => "the storage is stopped",
        _ => cause.Message.TrimEnd('.'),
    };

    private static string Explain(SqliteException exception) => exception.SqliteErrorCode switch
    {
        Busy or 6 => "another process holds the file locked",
        8 => "the file or its directory is read-only",
        InputOutput => $"disk I/O error (SQLite {exception.SqliteExtendedErrorCode})",
        11 => "the file is damaged",
        13 => "the disk is full",
        14 => "the file cannot be opened or created (is its path a directory, or may this user not write there?)",
        26 => "the file is not a SQLite database",
        _ => $"SQLite error {exception.SqliteExtendedErrorCode}, {exception.Message.TrimEnd('.')}",
    };
}
