using MqttDeviceCluster.Storage.GroupCommit;
using Npgsql;
using NpgsqlTypes;

namespace MqttDeviceCluster.Storage.PostgreSql;

/// <summary>Records in a table of PostgreSQL, shared by any number of silos: one statement per commit, and a few connections for reads beside it.</summary>
internal sealed class PostgreSqlGrainStateStore : IGrainStateStore
{
    // When none of the pool's connections was used for longer, one is tried before it is used: the server may have been restarted, and a commit should not be what finds out,
    // since it cannot be repeated.
    private static readonly TimeSpan TrustedIdleTime = TimeSpan.FromSeconds(1);

    private readonly TimeProvider _timeProvider;
    private readonly NpgsqlDataSource _dataSource;
    private readonly SemaphoreSlim _readers;

    // Of the whole pool: while some connection is in use, one that was idle is used untried.
    private long _lastUsed;

    public PostgreSqlGrainStateStore(PostgreSqlGrainStorageOptions options, TimeProvider timeProvider)
    {
        _timeProvider = timeProvider;
        NpgsqlDataSourceBuilder builder = new(options.ConnectionString);
        var connection = builder.ConnectionStringBuilder;
        PostgreSqlConnectionString.PreferNoKerberos(connection);
        connection.Pooling = true;
        connection.MinPoolSize = 0;
        connection.MaxPoolSize = options.ReadConnections + 2;
        connection.Multiplexing = false;
        connection.MaxAutoPrepare = 0;

        // Never part of a caller's transaction; and what WaitForTheDisk set stays.
        connection.Enlist = false;
        connection.NoResetOnClose = true;
        connection.ApplicationName ??= "MqttDeviceCluster";
        if (!connection.ShouldSerialize("Command Timeout"))
        {
            connection.CommandTimeout = 10;
        }

        Location = PostgreSqlConnectionString.Describe(connection);
        builder.UsePhysicalConnectionInitializer(WaitForTheDisk, WaitForTheDiskAsync);
        _dataSource = builder.Build();
        _readers = new SemaphoreSlim(options.ReadConnections);
        _lastUsed = timeProvider.GetTimestamp();
    }

    public string Location { get; }

    public async Task OpenAsync(CancellationToken cancellationToken)
    {
        await using (var connection = await _dataSource.OpenConnectionAsync(cancellationToken))
        {
            var encoding = connection.PostgresParameters["server_encoding"];
            if (encoding != "UTF8")
            {
                throw new PostgreSqlStoreException($"its encoding is {encoding} and must be UTF8");
            }

            await PostgreSqlSchema.EnsureAsync(connection, PostgreSqlScript.GrainStorage, cancellationToken);
        }

        await ProbeWriteAsync();
        await ProbeReadAsync();
    }

    public Task<StoredGrainState?> ReadAsync(GrainStateKey key, CancellationToken cancellationToken) =>
        HasNul(key.ServiceId, key.GrainType, key.GrainKey, key.StateName)
            ? Task.FromResult<StoredGrainState?>(null)
            : RunReadAsync(connection => ReadAsync(connection, key), cancellationToken);

    public Task<StoredGrainStatePage> ScanAsync(GrainStateRange range, GrainStatePageLimits limits, CancellationToken cancellationToken) =>
        HasNul(range.ServiceId, range.GrainType, range.KeyPrefix, range.StateName, range.After ?? "")
            ? Task.FromResult(new StoredGrainStatePage([], HasMore: false))
            : RunReadAsync(connection => ScanAsync(connection, range, limits), cancellationToken);

    public Task<IReadOnlyList<GrainStateChangeResult>> CommitAsync(IReadOnlyList<GrainStateChange> changes) => Task.Run(async () =>
    {
        await using var connection = await OpenConnectionAsync();
        PostgreSqlCommit commit = new(connection, changes, _timeProvider.GetUtcNow());
        var results = await commit.RunAsync();
        OnUsed();
        return results;
    });

    public Task ProbeWriteAsync() => ProbeAsync(PostgreSqlStatements.ProbeWrite);

    public Task ProbeReadAsync() => ProbeAsync(PostgreSqlStatements.ProbeRead);

    public string Explain(Exception cause) => PostgreSqlReasons.Explain(cause);

    public bool IsAway(Exception cause) => PostgreSqlReasons.IsAway(cause);

    public async ValueTask DisposeAsync()
    {
        await _dataSource.DisposeAsync().ConfigureAwait(false);
        _readers.Dispose();
    }

    public static bool HasNul(params ReadOnlySpan<string> texts)
    {
        foreach (var text in texts)
        {
            if (text.Contains('\0', StringComparison.Ordinal))
            {
                return true;
            }
        }

        return false;
    }

    private static void WaitForTheDisk(NpgsqlConnection connection)
    {
        using NpgsqlCommand command = new(PostgreSqlStatements.WaitForTheDisk, connection);
        command.ExecuteNonQuery();
    }

    private static async Task WaitForTheDiskAsync(NpgsqlConnection connection)
    {
        await using NpgsqlCommand command = new(PostgreSqlStatements.WaitForTheDisk, connection);
        await command.ExecuteNonQueryAsync();
    }

    private static async Task<StoredGrainState?> ReadAsync(NpgsqlConnection connection, GrainStateKey key)
    {
        await using NpgsqlCommand command = new(PostgreSqlStatements.Read, connection);
        foreach (var text in (string[])[key.ServiceId, key.GrainType, key.GrainKey, key.StateName])
        {
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = text });
        }

        await using var reader = await command.ExecuteReaderAsync();
        return await reader.ReadAsync() ? new StoredGrainState(reader.GetString(0), reader.GetFieldValue<byte[]>(1)) : null;
    }

    private static async Task<StoredGrainStatePage> ScanAsync(NpgsqlConnection connection, GrainStateRange range, GrainStatePageLimits limits)
    {
        await using NpgsqlCommand command = new(PostgreSqlStatements.Scan, connection);
        foreach (var text in (string?[])[range.ServiceId, range.GrainType, range.StateName, range.KeyPrefix, range.After, range.UpperBound])
        {
            command.Parameters.Add(new NpgsqlParameter { Value = (object?)text ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text });
        }

        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = limits.MaxRecords });
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = limits.MaxBytes });
        await using var reader = await command.ExecuteReaderAsync();
        List<ScannedGrainState> records = [];
        var found = 0L;
        while (await reader.ReadAsync())
        {
            records.Add(new(reader.GetString(0), reader.GetFieldValue<byte[]>(1), reader.GetFieldValue<DateTimeOffset>(2)));
            found = reader.GetInt64(3);
        }

        return new(records, HasMore: found > records.Count);
    }

    private Task<T> RunReadAsync<T>(Func<NpgsqlConnection, Task<T>> read, CancellationToken cancellationToken)
    {
        // Whoever stops waiting leaves the read to end by itself: cancelling it in the server costs another connection, and it is short.
        return Task.Run(RunAsync, cancellationToken).WaitAsync(cancellationToken);

        async Task<T> RunAsync()
        {
            await _readers.WaitAsync(cancellationToken);
            try
            {
                await using var connection = await OpenConnectionAsync();
                var result = await read(connection);
                OnUsed();
                return result;
            }
            finally
            {
                _readers.Release();
            }
        }
    }

    private async Task ProbeAsync(string sql)
    {
        await using var connection = await OpenConnectionAsync();
        await using NpgsqlCommand command = new(sql, connection);
        await command.ExecuteNonQueryAsync();
        OnUsed();
    }

    private async Task<NpgsqlConnection> OpenConnectionAsync()
    {
        var connection = await _dataSource.OpenConnectionAsync();
        if (_timeProvider.GetElapsedTime(Volatile.Read(ref _lastUsed)) < TrustedIdleTime)
        {
            return connection;
        }

        try
        {
            await using NpgsqlCommand command = new("SELECT", connection);
            await command.ExecuteNonQueryAsync();
            return connection;
        }
        catch (NpgsqlException)
        {
            // It was dead, and so are all the others of its age; if the server is away the next line says so.
            await connection.DisposeAsync();
            _dataSource.Clear();
            return await _dataSource.OpenConnectionAsync();
        }
        catch (Exception)
        {
            // What else it may be, such as the timeout of a server that hangs, is the caller's; the connection is not, and would be missing in the pool for ever.
            await connection.DisposeAsync();
            throw;
        }
    }

    private void OnUsed() => Volatile.Write(ref _lastUsed, _timeProvider.GetTimestamp());
}
