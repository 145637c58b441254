using Microsoft.Data.Sqlite;

namespace MqttDeviceCluster.Storage.Sqlite;

/// <summary>Refuses wrong options at start, all problems at once.</summary>
internal sealed class SqliteGrainStorageOptionsValidator(SqliteGrainStorageOptions options, string name) : IConfigurationValidator
{
    public void ValidateConfiguration()
    {
        List<string> problems = [.. options.ConfigurationProblems];
        var hasPath = !string.IsNullOrWhiteSpace(options.DataSource);
        var hasConnectionString = !string.IsNullOrWhiteSpace(options.ConnectionString);
        if (hasPath && hasConnectionString)
        {
            problems.Add($"{nameof(options.DataSource)} and {nameof(options.ConnectionString)} are both set; give one");
        }
        else if (hasPath)
        {
            CheckPath(nameof(options.DataSource), options.DataSource!, problems);
        }
        else if (hasConnectionString)
        {
            CheckConnectionString(options.ConnectionString!, problems);
        }
        else if (options.ConfigurationProblems.Count == 0)
        {
            problems.Add($"{nameof(options.DataSource)} (a path) or {nameof(options.ConnectionString)} is required");
        }

        OptionRange.Check(nameof(options.MaxPendingOperations), options.MaxPendingOperations, 1, 1_000_000, problems);
        OptionRange.Check(nameof(options.MaxBatchSize), options.MaxBatchSize, 1, 10_000, problems);
        OptionRange.Check(nameof(options.ReadConnections), options.ReadConnections, 1, 64, problems);
        if (options.BusyTimeout < TimeSpan.Zero || options.BusyTimeout > TimeSpan.FromMinutes(1))
        {
            problems.Add($"{nameof(options.BusyTimeout)} must be 00:00:00 to 00:01:00 but is {options.BusyTimeout}");
        }

        if (problems.Count > 0)
        {
            throw new OrleansConfigurationException(
                $"Invalid {nameof(SqliteGrainStorageOptions)} for grain storage '{name}': {string.Join("; ", problems)}.");
        }
    }

    private static void CheckConnectionString(string connectionString, List<string> problems)
    {
        SqliteConnectionStringBuilder builder;
        try
        {
            builder = new SqliteConnectionStringBuilder(connectionString);
        }
        catch (ArgumentException exception)
        {
            // Its message names the keyword or value at fault, which is no secret; the string itself may hold one.
            problems.Add($"{nameof(SqliteGrainStorageOptions.ConnectionString)} is not valid: {exception.Message}");
            return;
        }

        foreach (var keyword in (string[])["Mode", "Cache", "Pooling"])
        {
            if (builder.ShouldSerialize(keyword))
            {
                problems.Add($"{nameof(SqliteGrainStorageOptions.ConnectionString)} must not set {keyword}: the provider decides it");
            }
        }

        CheckPath($"Data Source in {nameof(SqliteGrainStorageOptions.ConnectionString)}", builder.DataSource, problems);
    }

    private static void CheckPath(string setting, string path, List<string> problems)
    {
        if (string.IsNullOrWhiteSpace(path) || path.Contains('\0', StringComparison.Ordinal))
        {
            problems.Add($"{setting} must be a path but is '{path}'");
        }
        else if (path.Contains(":memory:", StringComparison.OrdinalIgnoreCase) || path.StartsWith("file:", StringComparison.OrdinalIgnoreCase))
        {
            problems.Add($"{setting} must be a path but is '{path}'; memory and URIs are not supported");
        }
    }
}
