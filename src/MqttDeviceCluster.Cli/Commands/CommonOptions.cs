using System.CommandLine;
using MqttDeviceCluster.Cli.Connection;
using MqttDeviceCluster.Cli.Parsing;

namespace MqttDeviceCluster.Cli.Commands;

/// <summary>The options that every command on a cluster has.</summary>
internal sealed class CommonOptions
{
    public const string JsonName = "--json";

    private readonly Option<Gateway[]> _gateways = new("--gateway")
    {
        HelpName = "HOST:PORT",
        Description = $"A gateway of the cluster; repeat it for several. Default {Gateway.Default}.",
        Arity = ArgumentArity.OneOrMore,
        CustomParser = result =>
        {
            try
            {
                return [.. result.Tokens.Select(token => Gateway.Parse(token.Value))];
            }
            catch (BadInputException exception)
            {
                result.AddError($"--gateway: {exception.Message}");
                return [];
            }
        },
    };

    private readonly Option<string> _clusterId = new("--cluster-id")
    {
        HelpName = "ID",
        Description = "The Orleans cluster id.",
        DefaultValueFactory = _ => "default",
    };

    private readonly Option<string> _serviceId = new("--service-id")
    {
        HelpName = "ID",
        Description = "The Orleans service id.",
        DefaultValueFactory = _ => "default",
    };

    public Option<bool> Json { get; } = Parsers.Flag(JsonName, "Write one JSON document instead of text, errors included.");

    public Option<bool> Verbose { get; } = Parsers.Flag("--verbose", "Show logs on standard error.");

    public void AddClusterTo(Command command)
    {
        command.Add(_gateways);
        command.Add(_clusterId);
        command.Add(_serviceId);
        AddOutputTo(command);
    }

    public void AddOutputTo(Command command)
    {
        command.Add(Json);
        command.Add(Verbose);
    }

    public ClusterSettings Settings(ParseResult parsed) => new(
        parsed.GetValue(_gateways) is { Length: > 0 } gateways ? gateways : [Gateway.Default],
        parsed.GetValue(_clusterId)!,
        parsed.GetValue(_serviceId)!,
        parsed.GetValue(Verbose));
}
