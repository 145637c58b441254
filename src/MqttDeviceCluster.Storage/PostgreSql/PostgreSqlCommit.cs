using System.Text.Unicode;
using MqttDeviceCluster.Storage.GroupCommit;
using Npgsql;
using NpgsqlTypes;

namespace MqttDeviceCluster.Storage.PostgreSql;

/// <summary>
/// One commit. Nearly always it is one statement, which is its own transaction. It is several in a transaction when a key occurs more than once or the states are big, and
/// when the server refuses the data of a change: PostgreSQL refuses a statement whole, so it is halved until the change at fault stands alone.
/// </summary>
internal sealed class PostgreSqlCommit(NpgsqlConnection connection, IReadOnlyList<GrainStateChange> changes, DateTimeOffset now)
{
    /// <summary>The biggest state that is tried. The server's own limits, for a value and for a message, are 1 GB, and at the second it ends the connection.</summary>
    private const int MaxPayloadBytes = 256 * 1024 * 1024;

    private const int MaxStatementBytes = 32 * 1024 * 1024;
    private const int MaxAttempts = 3;
    private const string Savepoint = "apply";

    private readonly GrainStateChangeResult?[] _results = new GrainStateChangeResult?[changes.Count];

    public async Task<IReadOnlyList<GrainStateChangeResult>> RunAsync()
    {
        var statements = Plan();
        if (statements.Count > 1 || (statements.Count == 1 && !await TryApplyAloneAsync(statements[0])))
        {
            await ApplyInTransactionAsync(statements);
        }

        return Array.ConvertAll(_results, static result => result!.Value);
    }

    /// <summary>Refuses what cannot be stored and puts the rest into statements, each of which names a key once; changes of one key stay in their order.</summary>
    private List<List<int>> Plan()
    {
        List<List<int>> statements = [];
        List<long> sizes = [];
        Dictionary<GrainStateKey, int> next = [];
        for (var i = 0; i < changes.Count; i++)
        {
            var (key, size) = (changes[i].Key, changes[i].Payload.Length);
            if (Refuse(changes[i]) is { } reason)
            {
                _results[i] = new(GrainStateChangeOutcome.Refused, Reason: reason);
                continue;
            }

            var statement = next.GetValueOrDefault(key);
            while (statement < statements.Count && sizes[statement] > 0 && sizes[statement] + size > MaxStatementBytes)
            {
                statement++;
            }

            if (statement == statements.Count)
            {
                statements.Add([]);
                sizes.Add(0);
            }

            statements[statement].Add(i);
            sizes[statement] += size;
            next[key] = statement + 1;
        }

        return statements;
    }

    private static string? Refuse(GrainStateChange change)
    {
        var key = change.Key;
        return PostgreSqlGrainStateStore.HasNul(key.ServiceId, key.GrainType, key.GrainKey, key.StateName) ? "its key holds a NUL, which PostgreSQL cannot store"
            : !UnicodeText.IsValid(key.ServiceId) || !UnicodeText.IsValid(key.StateName) ? "its key is not valid Unicode"
            : change.Payload.Length > MaxPayloadBytes ? $"it has {change.Payload.Length} bytes, and the most is {MaxPayloadBytes}"
            : null;
    }

    private async Task<bool> TryApplyAloneAsync(List<int> statement)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await ApplyAsync(statement);
                return true;
            }
            catch (PostgresException exception) when (PostgreSqlReasons.RefusesData(exception))
            {
                return false;
            }
            catch (PostgresException exception) when (PostgreSqlReasons.MayRepeat(exception) && attempt < MaxAttempts)
            {
                // The server undid all of it.
            }
        }
    }

    private async Task ApplyInTransactionAsync(List<List<int>> statements)
    {
        for (var attempt = 1; ; attempt++)
        {
            await using var transaction = await connection.BeginTransactionAsync();
            try
            {
                foreach (var statement in statements)
                {
                    await ApplyOrHalveAsync(transaction, statement);
                }

                await transaction.CommitAsync();
                return;
            }
            catch (PostgresException exception) when (PostgreSqlReasons.MayRepeat(exception) && attempt < MaxAttempts)
            {
                // The server undid all of it.
            }
        }
    }

    private async Task ApplyOrHalveAsync(NpgsqlTransaction transaction, List<int> statement)
    {
        await transaction.SaveAsync(Savepoint);
        try
        {
            await ApplyAsync(statement);
            await transaction.ReleaseAsync(Savepoint);
            return;
        }
        catch (PostgresException exception) when (PostgreSqlReasons.RefusesData(exception))
        {
            await transaction.RollbackAsync(Savepoint);
            await transaction.ReleaseAsync(Savepoint);
            if (statement.Count == 1)
            {
                _results[statement[0]] = new(GrainStateChangeOutcome.Refused, Reason: PostgreSqlReasons.Explain(exception));
                return;
            }
        }

        var half = statement.Count / 2;
        await ApplyOrHalveAsync(transaction, statement[..half]);
        await ApplyOrHalveAsync(transaction, statement[half..]);
    }

    private async Task ApplyAsync(List<int> statement)
    {
        await using (NpgsqlCommand command = new(PostgreSqlStatements.Apply, connection))
        {
            AddKeys(command, statement);
            Add(command, statement, NpgsqlDbType.Text, static change => change.ExpectedETag);
            Add(command, statement, NpgsqlDbType.Text, static change => change.NewETag);
            var texts = statement.ConvertAll(i => !changes[i].IsClear && IsText(changes[i].Payload.Span));
            Add(command, NpgsqlDbType.Text, statement.Select((i, n) => texts[n] ? changes[i].Payload.ToArray() : null).ToArray());
            Add(command, NpgsqlDbType.Bytea, statement.Select((i, n) => texts[n] || changes[i].IsClear ? null : changes[i].Payload.ToArray()).ToArray());
            command.Parameters.Add(new NpgsqlParameter<DateTime> { TypedValue = now.UtcDateTime });
            foreach (var i in statement)
            {
                _results[i] = null;
            }

            await using var reader = await command.ExecuteReaderAsync();
            while (await reader.ReadAsync())
            {
                _results[reader.GetInt32(0)] = new(GrainStateChangeOutcome.Applied);
            }
        }

        var rest = statement.FindAll(i => _results[i] is null);
        if (rest.Count > 0)
        {
            await ExplainAsync(rest);
        }
    }

    /// <summary>Finds out what stood in the way of changes that were not applied.</summary>
    private async Task ExplainAsync(List<int> statement)
    {
        Dictionary<int, string> stored = [];
        await using (NpgsqlCommand command = new(PostgreSqlStatements.ReadETags, connection))
        {
            AddKeys(command, statement);
            await using var reader = await command.ExecuteReaderAsync();
            while (await reader.ReadAsync())
            {
                stored.Add(reader.GetInt32(0), reader.GetString(1));
            }
        }

        foreach (var i in statement)
        {
            var etag = stored.GetValueOrDefault(i);
            _results[i] = etag is null && changes[i] is { IsClear: true, ExpectedETag: null }
                ? new(GrainStateChangeOutcome.NothingToClear)
                : new(GrainStateChangeOutcome.Conflict, etag);
        }
    }

    private void AddKeys(NpgsqlCommand command, List<int> statement)
    {
        Add(command, NpgsqlDbType.Integer, statement.ToArray());
        Add(command, statement, NpgsqlDbType.Text, static change => change.Key.ServiceId);
        Add(command, statement, NpgsqlDbType.Text, static change => change.Key.GrainType);
        Add(command, statement, NpgsqlDbType.Text, static change => change.Key.GrainKey);
        Add(command, statement, NpgsqlDbType.Text, static change => change.Key.StateName);
    }

    private void Add(NpgsqlCommand command, List<int> statement, NpgsqlDbType type, Func<GrainStateChange, string?> get) =>
        Add(command, type, statement.Select(i => get(changes[i])).ToArray());

    private static void Add<T>(NpgsqlCommand command, NpgsqlDbType type, T[] values) =>
        command.Parameters.Add(new NpgsqlParameter<T[]> { TypedValue = values, NpgsqlDbType = NpgsqlDbType.Array | type });

    private static bool IsText(ReadOnlySpan<byte> payload) => Utf8.IsValid(payload) && !payload.Contains((byte)0);
}
