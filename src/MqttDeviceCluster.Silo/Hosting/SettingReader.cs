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

    /// <summary>Checks that what a section says converts to the options of <typeparamref name="T"/>, each member for itself: the binder would stop at the first that does not.</summary>
    public void Check<T>(string section)
    {
        foreach (var property in typeof(T).GetProperties().Where(static property => property.CanWrite))
        {
            CheckMember($"{section}:{property.Name}", property.PropertyType);
        }
    }

    /// <summary>Reads <c>hh:mm:ss</c> with or without days in front of a dot. .NET reads more, and differently from what was meant: <c>60</c> and <c>24:00:00</c> as days.</summary>
    public static bool TryParseTime(string text, out TimeSpan value)
    {
        value = default;
        return text.Contains(':', StringComparison.Ordinal) && TimeSpan.TryParseExact(text, "c", CultureInfo.InvariantCulture, out value);
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

    private void CheckMember(string key, Type type)
    {
        var isOptional = Nullable.GetUnderlyingType(type) is not null;
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type == typeof(TimeSpan))
        {
            if (!isOptional || configuration[key] is not "")
            {
                Value<TimeSpan>(key, default, TryParseTime, "hh:mm:ss, such as 00:01:00 or with days 1.00:00:00,");
            }

            return;
        }

        try
        {
            configuration.GetValue(type, key);
        }
        catch (InvalidOperationException) when (type == typeof(int))
        {
            Problems.Add($"{key} must be an integer but is '{configuration[key]}'");
        }
        catch (InvalidOperationException e)
        {
            Problems.Add(e.Message.TrimEnd('.'));
        }
    }

    private static bool NotEmpty(string text, out string value)
    {
        value = text;
        return !string.IsNullOrWhiteSpace(text);
    }
}
