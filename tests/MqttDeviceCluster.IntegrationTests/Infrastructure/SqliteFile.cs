using Microsoft.Data.Sqlite;

namespace MqttDeviceCluster.IntegrationTests.Infrastructure;

/// <summary>Statements of a test in a store's file, while a silo has it open.</summary>
internal static class SqliteFile
{
    /// <summary>Runs a statement and returns how many rows it changed.</summary>
    public static int Execute(string path, string statement) => Run(path, statement, static command => command.ExecuteNonQuery());

    /// <summary>Returns the first value of what a query finds; <see langword="null"/> if it finds nothing.</summary>
    public static object? Query(string path, string statement) => Run(path, statement, static command => command.ExecuteScalar());

    private static T Run<T>(string path, string statement, Func<SqliteCommand, T> run)
    {
        // The silo may be writing: it is waited for.
        using SqliteConnection connection = new(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false, DefaultTimeout = 10 }.ToString());
        connection.Open();
        using var command = connection.CreateCommand();
#pragma warning disable CA2100 // The statements are the test's own.
        command.CommandText = statement;
#pragma warning restore CA2100
        return run(command);
    }
}
