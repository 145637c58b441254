using Npgsql;

namespace MqttDeviceCluster.Storage.PostgreSql;

/// <summary>Creates what a script makes, once, however many silos start at once.</summary>
internal static class PostgreSqlSchema
{
    // One lock for all scripts: they share mdc_schema. "MDCS", as in the SQLite files.
    private const long Lock = 0x4D444353;

    /// <summary>Runs the script if what it makes is missing; refuses what a newer version made.</summary>
    /// <exception cref="PostgreSqlStoreException">It is newer, or it is missing and this role may not create it.</exception>
    public static async Task EnsureAsync(NpgsqlConnection connection, PostgreSqlScript script, CancellationToken cancellationToken)
    {
        if (await CheckAsync(connection, script, cancellationToken))
        {
            return;
        }

        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await ExecuteAsync(connection, $"SELECT pg_advisory_xact_lock({Lock})", cancellationToken);

        // Another silo may have created it while this one waited for the lock.
        if (!await CheckAsync(connection, script, cancellationToken))
        {
            try
            {
                await ExecuteAsync(connection, script.Read(), cancellationToken);
            }
            catch (PostgresException cause) when (cause.SqlState == PostgresErrorCodes.InsufficientPrivilege)
            {
                throw new PostgreSqlStoreException(
                    $"its tables are missing and this role may not create them ({cause.MessageText}): run {script.Path} there as a role that may");
            }
        }

        await transaction.CommitAsync(cancellationToken);
    }

    private static async Task<bool> CheckAsync(NpgsqlConnection connection, PostgreSqlScript script, CancellationToken cancellationToken)
    {
        if (await ScalarAsync(connection, "SELECT to_regclass('mdc_schema') IS NOT NULL", null, cancellationToken) is not true)
        {
            return false;
        }

        var version = (int?)await ScalarAsync(connection, "SELECT version FROM mdc_schema WHERE part = $1", script.Part, cancellationToken);
        return version > script.Version
            ? throw new PostgreSqlStoreException(
                $"its tables were made by a newer version ({script.Part} is {version}, this version knows {script.Version}); run that version, or give another database")
            : version is not null;
    }

    private static async Task<object?> ScalarAsync(NpgsqlConnection connection, string sql, string? parameter, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = new(sql, connection);
        if (parameter is not null)
        {
            command.Parameters.Add(new NpgsqlParameter { Value = parameter });
        }

        return await command.ExecuteScalarAsync(cancellationToken);
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = new(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
