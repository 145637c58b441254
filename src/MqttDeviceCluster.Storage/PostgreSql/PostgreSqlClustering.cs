using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Npgsql;
using Orleans.Configuration;

namespace MqttDeviceCluster.Storage.PostgreSql;

/// <summary>Names and checks of clustering over PostgreSQL.</summary>
internal static class PostgreSqlClustering
{
    /// <summary>What Orleans calls the driver.</summary>
    public const string Invariant = "Npgsql";
}

/// <summary>Orleans opens its connections with the connection string as it stands.</summary>
internal sealed class PostgreSqlClusteringWithoutKerberos : IPostConfigureOptions<AdoNetClusteringSiloOptions>
{
    public void PostConfigure(string? name, AdoNetClusteringSiloOptions options)
    {
        // One that is not valid is refused in words, by what looks at it later.
        List<string> problems = [];
        if (options.Invariant == PostgreSqlClustering.Invariant && !string.IsNullOrWhiteSpace(options.ConnectionString))
        {
            PostgreSqlConnectionString.Check(options.ConnectionString, problems);
            if (problems.Count == 0)
            {
                NpgsqlConnectionStringBuilder builder = new(options.ConnectionString);
                PostgreSqlConnectionString.PreferNoKerberos(builder);
                options.ConnectionString = builder.ConnectionString;
            }
        }
    }
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
        var options = services.GetRequiredService<IOptions<AdoNetClusteringSiloOptions>>().Value;
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
