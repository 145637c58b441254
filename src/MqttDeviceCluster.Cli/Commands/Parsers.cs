using System.CommandLine;
using System.Globalization;
using MqttDeviceCluster.Cli.Parsing;
using MqttDeviceCluster.Streaming.Mqtt;

namespace MqttDeviceCluster.Cli.Commands;

/// <summary>Options whose mistakes are told in our own words.</summary>
internal static class Parsers
{
    public static DefaultedOption<T> Of<T>(string name, string helpName, string description, Func<string, T> parse, T defaultValue) =>
        new(name, defaultValue)
        {
            HelpName = helpName,
            Description = description,
            Arity = ArgumentArity.ExactlyOne,
            CustomParser = result =>
            {
                try
                {
                    return parse(result.Tokens[^1].Value);
                }
                catch (BadInputException exception)
                {
                    result.AddError($"{name}: {exception.Message}");
                    return defaultValue;
                }
            },
        };

    public static DefaultedOption<int> Number(string name, string helpName, string description, int defaultValue, int min, int max) => Of(
        name,
        helpName,
        FormattableString.Invariant($"{description} Default {defaultValue}."),
        text => int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number >= min && number <= max
            ? number
            : throw new BadInputException(FormattableString.Invariant($"'{PinSpecs.Shorten(text)}' is not a whole number from {min} to {max}")),
        defaultValue);

    public static DefaultedOption<TimeSpan?> Time(string name, string description, TimeSpan max, TimeSpan? defaultValue = null) =>
        Of(name, "DURATION", description, text => (TimeSpan?)Duration.Parse(text, "duration", max), defaultValue);

    public static DefaultedOption<T> Word<T>(string name, string description, T defaultValue, params (string Word, T Value)[] words) =>
        OneOf(name, $"{description} Default {words.First(word => Equals(word.Value, defaultValue)).Word}.", words, defaultValue);

    /// <summary>A word that may be left out; the description says what happens then.</summary>
    public static DefaultedOption<T?> OptionalWord<T>(string name, string description, params (string Word, T? Value)[] words) =>
        OneOf(name, description, words, default);

    public static DefaultedOption<Uri> Broker() => Of(
        "--broker",
        "URL",
        "The broker: mqtt://user:password@host:1883, mqtts://, ws:// or wss://. Default mqtt://127.0.0.1:1883.",
        text => MqttConnectionString.TryParse(text, out _, out var problem)
            ? new Uri(text.Trim())
            : throw new BadInputException($"not the address of a broker, such as mqtt://127.0.0.1:1883: {problem}"),
        new Uri("mqtt://127.0.0.1:1883"));

    private static DefaultedOption<T> OneOf<T>(string name, string description, (string Word, T Value)[] words, T defaultValue)
    {
        var form = string.Join('|', words.Select(word => word.Word));
        return Of(
            name,
            form,
            description,
            text => words.FirstOrDefault(word => word.Word.Equals(text, StringComparison.OrdinalIgnoreCase)) is { Word: not null } known
                ? known.Value
                : throw new BadInputException($"'{PinSpecs.Shorten(text)}' is not one of {form}"),
            defaultValue);
    }

    public static Option<string> File(string name, string description) => new(name) { HelpName = "FILE", Description = description };

    public static Option<bool> Flag(string name, string description) => new(name) { Description = description, Arity = ArgumentArity.Zero };
}
