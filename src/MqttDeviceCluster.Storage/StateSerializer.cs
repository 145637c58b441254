using System.Text.Encodings.Web;
using System.Text.Json.Serialization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Orleans.Serialization;
using Orleans.Storage;

namespace MqttDeviceCluster.Storage;

/// <summary>
/// Gives a provider its serializer: the one in its options, else the one registered under the provider's name, else System.Text.Json. Orleans'
/// own default is passed over because it writes assembly-qualified type names into the records.
/// </summary>
internal sealed class StateSerializer<TOptions>(IServiceProvider services) : IPostConfigureOptions<TOptions>
    where TOptions : class, IStorageProviderSerializerOptions
{
    public void PostConfigure(string? name, TOptions options) => options.GrainStorageSerializer ??= Choose(name);

    public IGrainStorageSerializer Choose(string? name) => services.GetKeyedService<IGrainStorageSerializer>(name) ?? CreateJson(name);

    // Options of the provider's name, so that a host can adapt one provider; Orleans adds its converters (GrainId and the like) to all names.
    private SystemTextJsonGrainStorageSerializer CreateJson(string? name) =>
        new(Options.Create(services.GetRequiredService<IOptionsMonitor<SystemTextJsonGrainStorageSerializerOptions>>().Get(name)));
}

/// <summary>How records are written unless the host says otherwise, by configuring the options of the provider's name.</summary>
internal static class StateJson
{
    public static void Configure(SystemTextJsonGrainStorageSerializerOptions options)
    {
        // Records are read by people and shown by no browser: `ü` stays `ü`. Enums stay numbers: a renamed member does not break a record, and a number without a
        // member survives. Nulls are written: what was set to null must not come back as the default of its property.
        options.JsonSerializerOptions.Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;
        options.JsonSerializerOptions.DefaultIgnoreCondition = JsonIgnoreCondition.Never;
    }
}
