using System.Globalization;
using System.Net;
using MqttDeviceCluster.Streaming.Mqtt;

namespace MqttDeviceCluster.Silo.Hosting;

/// <summary>Reads settings and gathers what is wrong with them, so that all of it is said at once.</summary>
internal sealed class SettingReader(IConfiguration configuration)
{
    public delegate bool TryParse<T>(string text, out T value);

    public List<string> Problems { get; } = [];

    public T Value<T>(string key, T fallback, TryParse<T> parse, string expected)
    {
        if (configuration[key] is not { } text)
        {
            return fallback;
        }

        if (parse(text, out var value))
        {
            return value;
        }

        Problems.Add($"{key} must be {expected} but is '{text}'");
        return fallback;
    }

    public string Text(string key, string fallback) => Value(key, fallback, NotEmpty, "some text");

    public int Number(string key, int fallback, int min, int max) => Value(
        key,
        fallback,
        (string text, out int value) =>
            int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value) && value >= min && value <= max,
        string.Create(CultureInfo.InvariantCulture, $"{min} to {max}"));

    public int Port(string key, int fallback) => Number(key, fallback, 1, ushort.MaxValue);

    public IPAddress Address(string key, IPAddress fallback) =>
        Value(key, fallback, (string text, out IPAddress value) => IPAddress.TryParse(text, out value!), "an IP address");

    /// <summary>Reads a text that is never repeated in a problem; <see langword="null"/> when there is none.</summary>
    public string? Secret(string key, Predicate<string> isValid, string expected)
    {
        if (configuration[key] is not { } text || isValid(text))
        {
            return configuration[key];
        }

        Problems.Add($"{key} must be {expected}");
        return null;
    }

    /// <summary>Checks that a section converts to <paramref name="options"/>.</summary>
    public void Check(string section, object options)
    {
        try
        {
            configuration.GetSection(section).Bind(options);
        }
        catch (InvalidOperationException e)
        {
            Problems.Add(e.Message.TrimEnd('.'));
        }
    }

    public string? Urls()
    {
        const string Key = "Urls";
        if (configuration.GetSection("Kestrel:Endpoints").Exists())
        {
            // Kestrel listens there, whatever else is said.
            return null;
        }

        if (configuration[Key] is not { } urls)
        {
            return configuration["HTTP_PORTS"] is not null || configuration["HTTPS_PORTS"] is not null ? null : "http://127.0.0.1:8080";
        }

        try
        {
            if (SiloSettings.Bindings(urls).ToList() is { Count: > 0 } bindings && bindings.TrueForAll(binding => binding.Port is >= 0 and <= ushort.MaxValue && binding.Scheme is "http" or "https"))
            {
                return urls;
            }
        }
        catch (FormatException)
        {
            // Said below, in our words.
        }

        Problems.Add($"{Key} must be URLs such as http://127.0.0.1:8080, separated by ';', but is '{urls}'");
        return null;
    }

    public Uri Broker(string connectionString)
    {
        if (connectionString.Length == 0)
        {
            Problems.Add($"ConnectionStrings:{SiloSettings.BrokerConnectionName} is empty: leave it out to get the embedded broker");
        }
        else if (MqttConnectionString.TryParse(connectionString, out _, out var problem))
        {
            return new Uri(connectionString.Trim());
        }
        else
        {
            Problems.Add(
                $"ConnectionStrings:{SiloSettings.BrokerConnectionName} must be like mqtt://[user:password@]host[:port] (or mqtts, ws, wss), but {problem}");
        }

        return new Uri("mqtt://invalid");
    }

    public void ThrowIfProblems()
    {
        if (Problems.Count > 0)
        {
            throw new SiloStartException(string.Join("; ", Problems) + ".");
        }
    }

    private static bool NotEmpty(string text, out string value)
    {
        value = text;
        return !string.IsNullOrWhiteSpace(text);
    }
}
