using Npgsql;

namespace MqttDeviceCluster.Storage.PostgreSql;

/// <summary>What is common to all users of a connection string.</summary>
internal static class PostgreSqlConnectionString
{
    public static void Check(string connectionString, List<string> problems)
    {
        try
        {
            NpgsqlConnectionStringBuilder builder = new(connectionString);
            if (string.IsNullOrWhiteSpace(builder.Host))
            {
                problems.Add("ConnectionString must name a Host");
            }
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException or InvalidCastException or OverflowException)
        {
            // Its message names the keyword at fault, which is no secret; the string itself may hold one.
            problems.Add($"ConnectionString is not valid: {exception.Message.TrimEnd('.')}");
        }
    }

    /// <summary>Says where the server is, without secrets.</summary>
    public static string Describe(NpgsqlConnectionStringBuilder builder) =>
        $"PostgreSQL database '{builder.Database ?? builder.Username}' at {builder.Host}:{builder.Port}";
}
