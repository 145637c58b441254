using System.Globalization;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Storage;

namespace MqttDeviceCluster.Storage.Hosting;

/// <summary>Reads the configuration section of a provider and gathers what is wrong, for its validator to report with everything else.</summary>
internal sealed class ProviderSection(IConfigurationSection section, IServiceProvider services, List<string> problems)
{
    public void BindText(string key, Action<string> assign)
    {
        if (section[key] is { } text)
        {
            assign(text);
        }
    }

    /// <summary>Takes <c>ConnectionString</c>, or the connection string that <c>ConnectionName</c> names.</summary>
    public void BindConnectionString(Action<string> assign)
    {
        BindText("ConnectionString", assign);
        if (section["ConnectionName"] is not { Length: > 0 } connectionName)
        {
            return;
        }

        var connectionString = services.GetRequiredService<IConfiguration>().GetConnectionString(connectionName);
        if (string.IsNullOrWhiteSpace(connectionString))
        {
            problems.Add($"ConnectionName is '{connectionName}' but ConnectionStrings:{connectionName} is not set");
        }
        else
        {
            assign(connectionString);
        }
    }

    public void BindSerializer(IStorageProviderSerializerOptions options)
    {
        if (section["SerializerKey"] is not { Length: > 0 } serializerKey)
        {
            return;
        }

        var serializer = services.GetKeyedService<IGrainStorageSerializer>(serializerKey);
        if (serializer is null)
        {
            problems.Add($"SerializerKey is '{serializerKey}' but no {nameof(IGrainStorageSerializer)} is registered under it");
        }
        else
        {
            options.GrainStorageSerializer = serializer;
        }
    }

    public void BindValue<T>(string key, Action<T> assign)
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
            problems.Add($"{key} is '{text}', which is no {typeof(T).Name}");
        }
    }

    /// <summary>Takes <c>hh:mm:ss</c>. A number alone, and 24 hours or more, would be days to .NET.</summary>
    public void BindTime(string key, Action<TimeSpan> assign)
    {
        if (section[key] is not { Length: > 0 } text)
        {
            return;
        }

        if (text.Contains(':', StringComparison.Ordinal) && TimeSpan.TryParseExact(text, "c", CultureInfo.InvariantCulture, out var value))
        {
            assign(value);
        }
        else
        {
            problems.Add($"{key} must be hh:mm:ss, such as 00:01:00, but is '{text}'");
        }
    }
}
