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

    /// <summary>
    /// Turns encryption by Kerberos off, which Npgsql 10 tries first on each new connection, unless it is asked for: images for .NET have no library for it, and every attempt writes to
    /// standard error and throws.
    /// </summary>
    public static void PreferNoKerberos(NpgsqlConnectionStringBuilder builder)
    {
        if (!builder.ShouldSerialize("GSS Encryption Mode") && Environment.GetEnvironmentVariable("PGGSSENCMODE") is null)
        {
            builder.GssEncryptionMode = GssEncryptionMode.Disable;
        }
    }

    /// <summary>Says where the server is, without secrets.</summary>
    public static string Describe(NpgsqlConnectionStringBuilder builder) =>
        $"PostgreSQL database '{builder.Database ?? builder.Username}' at {builder.Host}:{builder.Port}";
}
