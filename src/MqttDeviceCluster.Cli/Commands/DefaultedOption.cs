using System.CommandLine;

namespace MqttDeviceCluster.Cli.Commands;

/// <summary>
/// An option whose default is part of its description, in the words it is typed in; the library would print <c>00:00:05</c>.
/// </summary>
internal sealed class DefaultedOption<T>(string name, T defaultValue) : Option<T>(name)
{
    public T Read(ParseResult parsed) => parsed.GetResult(this) is null ? defaultValue : parsed.GetValue(this)!;
}
