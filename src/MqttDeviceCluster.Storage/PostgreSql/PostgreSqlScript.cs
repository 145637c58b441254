using System.Reflection;

namespace MqttDeviceCluster.Storage.PostgreSql;

/// <summary>A script of <c>infra/sql/postgresql</c>, as it is embedded in this assembly: what an operator runs and what a silo runs are one text.</summary>
/// <param name="Part">What it makes; the name of its file and of its row in <c>mdc_schema</c>.</param>
/// <param name="Version">The version that it makes, and the newest that this code understands.</param>
internal sealed record PostgreSqlScript(string Part, int Version)
{
    public static readonly PostgreSqlScript GrainStorage = new("grain-storage", 1);

    public static readonly PostgreSqlScript Clustering = new("clustering", 1);

    public string Path => $"infra/sql/postgresql/{Part}.sql";

    public string Read()
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream($"{Part}.sql")
            ?? throw new InvalidOperationException($"{Part}.sql is not embedded.");
        using StreamReader reader = new(stream);
        return reader.ReadToEnd();
    }
}
