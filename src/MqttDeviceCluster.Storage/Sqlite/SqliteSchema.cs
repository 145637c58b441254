using Microsoft.Data.Sqlite;

namespace MqttDeviceCluster.Storage.Sqlite;

/// <summary>The tables of the database file, and the marks that tell it from other SQLite files.</summary>
internal static class SqliteSchema
{
    /// <summary>The schema version (<c>user_version</c>) that this code reads and writes.</summary>
    public const long Version = 1;

    /// <summary>The mark of our files (<c>application_id</c>): "MDCS".</summary>
    public const long ApplicationId = 0x4D444353;

    // Every key column compares byte by byte (BINARY is the default; it is named because the records depend on it). Without a rowid there is one B-tree, and a commit
    // writes each record to one place. The state is text when it is valid UTF-8, so that any SQLite tool shows it, and bytes otherwise.
    private const string Create = """
        CREATE TABLE grain_state (
          service_id  TEXT    NOT NULL COLLATE BINARY,
          grain_type  TEXT    NOT NULL COLLATE BINARY,
          grain_key   TEXT    NOT NULL COLLATE BINARY,
          state_name  TEXT    NOT NULL COLLATE BINARY,
          etag        TEXT    NOT NULL COLLATE BINARY,
          modified_at INTEGER NOT NULL, -- Unix time in milliseconds
          state       ANY     NOT NULL,
          PRIMARY KEY (service_id, grain_type, grain_key, state_name)
        ) STRICT, WITHOUT ROWID;
        """;

    /// <summary>Creates the schema in an empty file and checks it in any other.</summary>
    public static void Ensure(SqliteConnection connection)
    {
        if (Check(connection))
        {
            return;
        }

        // Another process may be creating it at the same moment: the lock decides, then look again.
        SqliteSession.Execute(connection, "BEGIN IMMEDIATE");
        if (!Check(connection))
        {
            SqliteSession.Execute(connection, $"{Create} PRAGMA application_id = {ApplicationId}; PRAGMA user_version = {Version};");
        }

        SqliteSession.Execute(connection, "COMMIT");
    }

    /// <summary>Gets whether the schema is there; throws when the file is not ours or newer.</summary>
    public static bool Check(SqliteConnection connection)
    {
        var applicationId = Scalar(connection, "PRAGMA application_id");
        var version = Scalar(connection, "PRAGMA user_version");
        if (applicationId == ApplicationId)
        {
            return version == Version
                ? true
                : throw new SqliteStoreException(
                    $"it was written by a newer version (its schema is {version}, this version knows {Version}); run that version, or give another file");
        }

        return applicationId == 0 && version == 0 && Scalar(connection, "SELECT count(*) FROM sqlite_schema") == 0
            ? false
            : throw new SqliteStoreException("it is a SQLite database of another application");
    }

    private static long Scalar(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return (long)command.ExecuteScalar()!;
    }
}
