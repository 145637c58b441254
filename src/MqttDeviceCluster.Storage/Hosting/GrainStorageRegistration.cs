using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using MqttDeviceCluster.Storage.GroupCommit;
using Orleans.Configuration;
using Orleans.Providers;
using Orleans.Serialization;
using Orleans.Storage;

namespace MqttDeviceCluster.Storage.Hosting;

/// <summary>What the registration of every database has in common.</summary>
internal static class GrainStorageRegistration
{
    /// <summary>Adds a provider under a name, once.</summary>
    public static void Add<TOptions>(
        IServiceCollection services,
        string name,
        Func<TOptions, string, IConfigurationValidator> createValidator,
        Func<TOptions, string, TimeProvider, IGrainStateStore> createStore,
        Func<TOptions, GroupCommitLimits> getLimits)
        where TOptions : class, IStorageProviderSerializerOptions, new()
    {
        // Added in code and in configuration it is still one provider: two writers, and two participants in the lifecycle, would fight over one file.
        if (services.Any(service => service.ServiceType == typeof(Registration<TOptions>) && Equals(service.ServiceKey, name)))
        {
            return;
        }

        services.AddKeyedSingleton(name, new Registration<TOptions>());
        services.AddMetrics();
        DatabaseStart.AddTo(services);
        services.TryAddSingleton<GrainStorageMetrics>();
        services.Configure<SystemTextJsonGrainStorageSerializerOptions>(name, StateJson.Configure);
        services.TryAddEnumerable(ServiceDescriptor.Transient<IPostConfigureOptions<TOptions>, StateSerializer<TOptions>>());
        services.ConfigureNamedOptionForLogging<TOptions>(name);
        services.AddTransient(provider => createValidator(GetOptions(provider), name));
        services.AddKeyedSingleton(name, (provider, _) =>
        {
            var options = GetOptions(provider);
            // Whoever asks for the storage before Orleans runs the validators gets their words as well.
            createValidator(options, name).ValidateConfiguration();
            return ActivatorUtilities.CreateInstance<GroupCommitGrainStorage>(
                provider, name, createStore(options, name, provider.GetRequiredService<TimeProvider>()), options.GrainStorageSerializer, getLimits(options));
        });
        services.AddKeyedSingleton<IGrainStorage>(name, static (provider, key) => provider.GetRequiredKeyedService<GroupCommitGrainStorage>(key));
        services.AddKeyedSingleton<IGrainStorageStatus>(name, static (provider, key) => provider.GetRequiredKeyedService<GroupCommitGrainStorage>(key));
        services.AddKeyedSingleton<IGrainStateScanner>(name, static (provider, key) => provider.GetRequiredKeyedService<GroupCommitGrainStorage>(key));
        services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>>(provider => provider.GetRequiredKeyedService<GroupCommitGrainStorage>(name));
        if (name == ProviderConstants.DEFAULT_STORAGE_PROVIDER_NAME)
        {
            services.TryAddSingleton(static provider => provider.GetRequiredKeyedService<IGrainStorage>(ProviderConstants.DEFAULT_STORAGE_PROVIDER_NAME));
        }

        TOptions GetOptions(IServiceProvider provider) => provider.GetRequiredService<IOptionsMonitor<TOptions>>().Get(name);
    }

    private sealed class Registration<TOptions>;
}
