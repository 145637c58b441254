using System.Text;
using System.Text.Unicode;
using Microsoft.Data.Sqlite;
using MqttDeviceCluster.Storage.GroupCommit;
using SQLitePCL;

namespace MqttDeviceCluster.Storage.Sqlite;

/// <summary>One connection with its prepared statements, used by one thread at a time. After an error it is thrown away.</summary>
internal sealed class SqliteSession : IDisposable
{
    private const string Where = "WHERE service_id = $service AND grain_type = $type AND grain_key = $key AND state_name = $name";

    /// <summary>A range of the primary key. The state name is its last column, and the records of other names are passed over.</summary>
    internal const string Scanning =
        "SELECT grain_key, state, modified_at FROM grain_state "
        + "WHERE service_id = $service AND grain_type = $type AND grain_key >= $from AND grain_key < $to AND state_name = $name ORDER BY grain_key LIMIT $limit";

    private readonly SqliteConnection _connection;
    private readonly Lazy<Statement> _insert;
    private readonly Lazy<Statement> _update;
    private readonly Lazy<Statement> _delete;
    private readonly Lazy<Statement> _selectETag;
    private readonly Lazy<Statement> _select;
    private readonly Lazy<Statement> _scan;

    private SqliteSession(SqliteConnection connection)
    {
        _connection = connection;
        _insert = Prepare(
            "INSERT INTO grain_state (service_id, grain_type, grain_key, state_name, etag, modified_at, state) "
            + "VALUES ($service, $type, $key, $name, $new, $now, $state) ON CONFLICT DO NOTHING");
        _update = Prepare($"UPDATE grain_state SET etag = $new, modified_at = $now, state = $state {Where} AND etag = $expected");
        _delete = Prepare($"DELETE FROM grain_state {Where} AND etag = $expected");
        _selectETag = Prepare($"SELECT etag FROM grain_state {Where}");
        _select = Prepare($"SELECT etag, state FROM grain_state {Where}");
        _scan = Prepare(Scanning);
    }

    /// <summary>Opens a connection to a file that is there and has our schema; with <paramref name="create"/> it makes both.</summary>
    /// <remarks>
    /// Only the start creates. A file that vanished later must not come back empty, or every grain would start from nothing.
    /// </remarks>
    public static SqliteSession Open(string connectionString, TimeSpan busyTimeout, bool create)
    {
        SqliteConnection connection = new(new SqliteConnectionStringBuilder(connectionString)
        {
            Mode = create ? SqliteOpenMode.ReadWriteCreate : SqliteOpenMode.ReadWrite,
            Pooling = false,
            DefaultTimeout = 1,
        }.ConnectionString);
        try
        {
            connection.Open();
            Execute(connection, $"PRAGMA busy_timeout = {(int)busyTimeout.TotalMilliseconds}");
            if (create)
            {
                SqliteSchema.Ensure(connection);
            }
            else if (!SqliteSchema.Check(connection))
            {
                throw new SqliteStoreException("its table is gone: the file was replaced by an empty one");
            }

            UseWriteAheadLog(connection);

            // FULL syncs the log at every commit: what was reported survives a power cut and not only a killed process.
            Execute(connection, "PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864");
            return new SqliteSession(connection);
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>Runs statements without results, and without the driver's own wait on a locked file (150 ms steps, at least a second).</summary>
    public static void Execute(SqliteConnection connection, string sql)
    {
        var code = raw.sqlite3_exec(connection.Handle, sql);
        if (code != raw.SQLITE_OK)
        {
            throw new SqliteException(raw.sqlite3_errmsg(connection.Handle).utf8_to_string(), code & 0xFF, raw.sqlite3_extended_errcode(connection.Handle));
        }
    }

    public StoredGrainState? Read(GrainStateKey key)
    {
        using var reader = _select.Value.Bind(key).Command.ExecuteReader();
        return reader.Read() ? new StoredGrainState(reader.GetString(0), reader.GetFieldValue<byte[]>(1)) : null;
    }

    public StoredGrainStatePage Scan(GrainStateRange range, GrainStatePageLimits limits)
    {
        // The least text after a key is the key and a NUL; a BLOB, also an empty one, comes after all text. One statement serves every kind of range.
        using var reader = _scan.Value
            .Set("$service", range.ServiceId)
            .Set("$type", range.GrainType)
            .Set("$name", range.StateName)
            .Set("$from", range.After is null ? range.KeyPrefix : range.After + '\0')
            .Set("$to", range.UpperBound is { } bound ? bound : Array.Empty<byte>())
            .Set("$limit", (long)limits.MaxRecords + 1)
            .Command.ExecuteReader();
        List<ScannedGrainState> records = [];
        var bytes = 0L;
        while (reader.Read())
        {
            if (records.Count == limits.MaxRecords || bytes >= limits.MaxBytes)
            {
                return new(records, HasMore: true);
            }

            var payload = reader.GetFieldValue<byte[]>(1);
            records.Add(new(reader.GetString(0), payload, DateTimeOffset.FromUnixTimeMilliseconds(reader.GetInt64(2))));
            bytes += payload.Length;
        }

        return new(records, HasMore: false);
    }

    public GrainStateChangeResult[] Commit(IReadOnlyList<GrainStateChange> changes, long now)
    {
        var results = new GrainStateChangeResult[changes.Count];
        Execute(_connection, "BEGIN IMMEDIATE");
        for (var i = 0; i < results.Length; i++)
        {
            try
            {
                results[i] = Apply(changes[i], now);
            }
            catch (SqliteException exception) when (exception.SqliteErrorCode is SqliteReasons.TooBig or SqliteReasons.Constraint or SqliteReasons.Mismatch)
            {
                // SQLite has undone this one statement and the transaction goes on; if it does not, the rest must not be committed one by one.
                if (raw.sqlite3_get_autocommit(_connection.Handle) != 0)
                {
                    throw;
                }

                results[i] = new(GrainStateChangeOutcome.Refused, Reason: SqliteReasons.Explain(exception));
            }
        }

        Execute(_connection, "COMMIT");
        return results;
    }

    public void ProbeRead() => Execute(_connection, "SELECT etag FROM grain_state LIMIT 1");

    public void ProbeWrite()
    {
        // Setting the version to what it is writes a page and syncs it, and needs no table of its own.
        Execute(_connection, $"BEGIN IMMEDIATE; SELECT etag FROM grain_state LIMIT 1; PRAGMA user_version = {SqliteSchema.Version}");
        Execute(_connection, "COMMIT");
    }

    public void Dispose()
    {
        foreach (var statement in (Lazy<Statement>[])[_insert, _update, _delete, _selectETag, _select, _scan])
        {
            if (statement.IsValueCreated)
            {
                statement.Value.Command.Dispose();
            }
        }

        // An open transaction is rolled back by closing.
        _connection.Dispose();
    }

    private static void UseWriteAheadLog(SqliteConnection connection)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "PRAGMA journal_mode = WAL";
        if ((string)command.ExecuteScalar()! is not "wal")
        {
            throw new SqliteStoreException("its file system cannot do write-ahead logging (a network share?)");
        }
    }

    private GrainStateChangeResult Apply(GrainStateChange change, long now)
    {
        var statement = (change.IsClear, change.ExpectedETag) switch
        {
            (true, null) => null,
            (true, _) => _delete.Value.Bind(change.Key).Set("$expected", change.ExpectedETag),
            (false, null) => _insert.Value.Bind(change.Key),
            (false, _) => _update.Value.Bind(change.Key).Set("$expected", change.ExpectedETag),
        };
        if (!change.IsClear)
        {
            statement!.Set("$new", change.NewETag!).Set("$now", now).Set("$state", ToValue(change.Payload.Span));
        }

        if (statement?.Command.ExecuteNonQuery() == 1)
        {
            return new(GrainStateChangeOutcome.Applied);
        }

        var stored = (string?)_selectETag.Value.Bind(change.Key).Command.ExecuteScalar();
        return statement is null && stored is null ? new(GrainStateChangeOutcome.NothingToClear) : new(GrainStateChangeOutcome.Conflict, stored);
    }

    private static object ToValue(ReadOnlySpan<byte> payload) =>
        Utf8.IsValid(payload) && !payload.Contains((byte)0) ? Encoding.UTF8.GetString(payload) : payload.ToArray();

    private Lazy<Statement> Prepare(string sql) => new(() => new Statement(_connection, sql), LazyThreadSafetyMode.None);

    private sealed class Statement
    {
        public Statement(SqliteConnection connection, string sql)
        {
            Command = connection.CreateCommand();
            Command.CommandText = sql;
            Command.CommandTimeout = 1;
            foreach (var name in (string[])["$service", "$type", "$key", "$name", "$expected", "$new", "$now", "$state", "$from", "$to", "$limit"])
            {
                if (sql.Contains(name, StringComparison.Ordinal))
                {
                    Command.Parameters.Add(new SqliteParameter(name, null));
                }
            }

            Command.Prepare();
        }

        public SqliteCommand Command { get; }

        public Statement Bind(GrainStateKey key) =>
            Set("$service", key.ServiceId).Set("$type", key.GrainType).Set("$key", key.GrainKey).Set("$name", key.StateName);

        public Statement Set(string name, object value)
        {
            Command.Parameters[name].Value = value;
            return this;
        }
    }
}
