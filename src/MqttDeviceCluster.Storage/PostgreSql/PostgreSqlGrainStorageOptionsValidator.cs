namespace MqttDeviceCluster.Storage.PostgreSql;

/// <summary>Refuses wrong options at start, all problems at once.</summary>
internal sealed class PostgreSqlGrainStorageOptionsValidator(PostgreSqlGrainStorageOptions options, string name) : IConfigurationValidator
{
    public void ValidateConfiguration()
    {
        List<string> problems = [.. options.ConfigurationProblems];
        if (!string.IsNullOrWhiteSpace(options.ConnectionString))
        {
            PostgreSqlConnectionString.Check(options.ConnectionString, problems);
        }
        else if (options.ConfigurationProblems.Count == 0)
        {
            problems.Add($"{nameof(options.ConnectionString)} (or ConnectionName) is required");
        }

        OptionRange.Check(nameof(options.MaxPendingOperations), options.MaxPendingOperations, 1, 1_000_000, problems);
        OptionRange.Check(nameof(options.MaxBatchSize), options.MaxBatchSize, 1, 10_000, problems);
        OptionRange.Check(nameof(options.ReadConnections), options.ReadConnections, 1, 64, problems);
        if (problems.Count > 0)
        {
            throw new OrleansConfigurationException(
                $"Invalid {nameof(PostgreSqlGrainStorageOptions)} for grain storage '{name}': {string.Join("; ", problems)}.");
        }
    }
}
