using System.Globalization;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using MqttDeviceCluster.Storage.Hosting;
using Orleans.Providers;
using Orleans.Storage;

[assembly: RegisterProvider("Sqlite", "GrainStorage", "Silo", typeof(SqliteGrainStorageProviderBuilder))]

namespace MqttDeviceCluster.Storage.Hosting;

/// <summary>
/// Registers a provider from <c>Orleans:GrainStorage:{name}</c> with <c>ProviderType</c> <c>Sqlite</c>. Keys: <c>DataSource</c>,
/// <c>ConnectionString</c> or <c>ConnectionName</c>, <c>SerializerKey</c>, and the other options by their names.
/// </summary>
internal sealed class SqliteGrainStorageProviderBuilder : IProviderBuilder<ISiloBuilder>
{
    public void Configure(ISiloBuilder builder, string? name, IConfigurationSection configurationSection) => builder.AddSqliteGrainStorage(
        name ?? ProviderConstants.DEFAULT_STORAGE_PROVIDER_NAME,
        options => options.Configure<IServiceProvider>((target, services) => Bind(target, configurationSection, services)));

    private static void Bind(SqliteGrainStorageOptions options, IConfigurationSection section, IServiceProvider services)
    {
        options.DataSource = section[nameof(options.DataSource)] ?? options.DataSource;
        options.ConnectionString = section[nameof(options.ConnectionString)] ?? options.ConnectionString;
        if (section["ConnectionName"] is { Length: > 0 } connectionName)
        {
            var connectionString = services.GetRequiredService<IConfiguration>().GetConnectionString(connectionName);
            if (string.IsNullOrWhiteSpace(connectionString))
            {
                options.ConfigurationProblems.Add($"ConnectionName is '{connectionName}' but ConnectionStrings:{connectionName} is not set");
            }
            else
            {
                options.ConnectionString = connectionString;
            }
        }

        if (section["SerializerKey"] is { Length: > 0 } serializerKey)
        {
            var serializer = services.GetKeyedService<IGrainStorageSerializer>(serializerKey);
            if (serializer is null)
            {
                options.ConfigurationProblems.Add($"SerializerKey is '{serializerKey}' but no {nameof(IGrainStorageSerializer)} is registered under it");
            }
            else
            {
                options.GrainStorageSerializer = serializer;
            }
        }

        BindValue<int>(section, nameof(options.MaxPendingOperations), options, value => options.MaxPendingOperations = value);
        BindValue<int>(section, nameof(options.MaxBatchSize), options, value => options.MaxBatchSize = value);
        BindValue<int>(section, nameof(options.ReadConnections), options, value => options.ReadConnections = value);
        BindValue<TimeSpan>(section, nameof(options.BusyTimeout), options, value => options.BusyTimeout = value);
    }

    private static void BindValue<T>(IConfigurationSection section, string key, SqliteGrainStorageOptions options, Action<T> assign)
        where T : ISpanParsable<T>
    {
        if (section[key] is not { Length: > 0 } text)
        {
            return;
        }

        if (T.TryParse(text, CultureInfo.InvariantCulture, out var value))
        {
            assign(value);
        }
        else
        {
            options.ConfigurationProblems.Add($"{key} is '{text}', which is no {typeof(T).Name}");
        }
    }
}
