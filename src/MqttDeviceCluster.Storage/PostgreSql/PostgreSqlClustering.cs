using Microsoft.Extensions.DependencyInjection;
using Orleans.Configuration;

namespace MqttDeviceCluster.Storage.PostgreSql;

/// <summary>Names and checks of clustering over PostgreSQL.</summary>
internal static class PostgreSqlClustering
{
    /// <summary>What Orleans calls the driver.</summary>
    public const string Invariant = "Npgsql";
}

/// <summary>What was wrong in the configuration section of clustering.</summary>
internal sealed class PostgreSqlClusteringSection
{
    public List<string> Problems { get; } = [];
}

/// <summary>Refuses wrong options at start, all problems at once.</summary>
internal sealed class PostgreSqlClusteringValidator(IServiceProvider services) : IConfigurationValidator
{
    public void ValidateConfiguration()
    {
        // Asked for first: reading the options is what finds the section's problems.
        var options = services.GetRequiredService<Microsoft.Extensions.Options.IOptions<AdoNetClusteringSiloOptions>>().Value;
        List<string> problems = [.. services.GetRequiredService<PostgreSqlClusteringSection>().Problems];
        if (!string.IsNullOrWhiteSpace(options.ConnectionString))
        {
            PostgreSqlConnectionString.Check(options.ConnectionString, problems);
        }
        else if (problems.Count == 0)
        {
            problems.Add("ConnectionString (or ConnectionName) is required");
        }

        if (problems.Count > 0)
        {
            throw new OrleansConfigurationException($"Invalid PostgreSql clustering: {string.Join("; ", problems)}.");
        }
    }
}
