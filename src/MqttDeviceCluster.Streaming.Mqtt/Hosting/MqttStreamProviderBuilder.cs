using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using MqttDeviceCluster.Streaming.Mqtt.Hosting;
using Orleans.Providers;

[assembly: RegisterProvider("Mqtt", "Streaming", "Silo", typeof(MqttStreamProviderBuilder))]
[assembly: RegisterProvider("Mqtt", "Streaming", "Client", typeof(MqttStreamProviderBuilder))]

namespace MqttDeviceCluster.Streaming.Mqtt.Hosting;

/// <summary>
/// Adds a provider from configuration alone: <c>Orleans:Streaming:{name}</c> with <c>ProviderType</c> <c>Mqtt</c>, the options by their names, <c>ConnectionName</c> in place
/// of <c>ConnectionString</c>, and <c>Routes</c>.
/// </summary>
internal sealed class MqttStreamProviderBuilder : IProviderBuilder<ISiloBuilder>, IProviderBuilder<IClientBuilder>
{
    public void Configure(ISiloBuilder builder, string? name, IConfigurationSection configurationSection)
    {
        Bind(builder.Services, builder.Configuration, name!, configurationSection);
        MqttStreamsRegistration.AddToSilo(builder, name!);
    }

    public void Configure(IClientBuilder builder, string? name, IConfigurationSection configurationSection)
    {
        Bind(builder.Services, builder.Configuration, name!, configurationSection);
        MqttStreamsRegistration.AddToClient(builder, name!);
    }

    private static void Bind(IServiceCollection services, IConfiguration configuration, string name, IConfigurationSection section)
    {
        // Before all configuration in code, whichever was called first: code has the last word.
        services.Insert(0, ServiceDescriptor.Singleton<IConfigureOptions<MqttStreamOptions>>(provider =>
            new ConfigureNamedOptions<MqttStreamOptions>(name, options =>
            {
                section.Bind(options);
                if (section["ConnectionName"] is { Length: > 0 } connectionName)
                {
                    options.ConnectionString = configuration.GetConnectionString(connectionName);
                }

                foreach (var route in section.GetSection("Routes").GetChildren())
                {
                    options.Routes.Add(CreateRoute(provider, name, route));
                }
            })));
    }

    private static MqttRoute CreateRoute(IServiceProvider provider, string name, IConfigurationSection section)
    {
        var topic = Required("Topic");
        var streamNamespace = Required("Namespace");
        var codecName = section["Codec"] ?? MqttCodec.RawName;
        var codec = provider.GetKeyedService<MqttCodec>(codecName)
            ?? throw Invalid($"names the codec '{codecName}', which is not registered: see AddMqttCodec");
        try
        {
            return section["Direction"]?.ToUpperInvariant() switch
            {
                null or "" or "FROMTOPIC" => codec.FromTopic(
                        topic,
                        streamNamespace,
                        section.GetValue("QualityOfService", MqttQualityOfService.AtLeastOnce),
                        section.GetValue("Connection", 0))
                    ?? throw Invalid($"receives, but the codec '{codecName}' has no decoder"),
                "TOTOPIC" => codec.ToTopic(streamNamespace, topic) ?? throw Invalid($"publishes, but the codec '{codecName}' has no encoder"),
                var direction => throw Invalid($"has the direction '{direction}': it must be FromTopic or ToTopic"),
            };
        }
        catch (ArgumentException exception)
        {
            throw Invalid($"is not valid: {exception.Message}");
        }

        string Required(string key) => section[key] is { Length: > 0 } value ? value : throw Invalid($"has no {key}");

        OrleansConfigurationException Invalid(string problem) =>
            new($"Route '{section.Key}' of stream provider '{name}' ({section.Path}) {problem}.");
    }
}
