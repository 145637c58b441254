using System.CommandLine;
using MqttDeviceCluster.Cli.Connection;
using MqttDeviceCluster.Cli.Parsing;

namespace MqttDeviceCluster.Cli.Commands;

/// <summary>The options that every command on a cluster has. Where none is given, a variable of the environment may say which cluster is meant.</summary>
internal sealed class CommonOptions(Func<string, string?> variable)
{
    public const string JsonName = "--json";
    public const string GatewayVariable = "MDC_GATEWAY";
    public const string ClusterIdVariable = "MDC_CLUSTER_ID";
    public const string ServiceIdVariable = "MDC_SERVICE_ID";

    private const string DefaultId = "default";

    private readonly Option<Gateway[]> _gateways = new("--gateway")
    {
        HelpName = "HOST:PORT",
        Description = $"A gateway of the cluster; repeat it for several. Default: those in {GatewayVariable}, with commas between them, or {Gateway.Default}.",
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
        Description = $"The Orleans cluster id. Default: what {ClusterIdVariable} says, or '{DefaultId}'.",
    };

    private readonly Option<string> _serviceId = new("--service-id")
    {
        HelpName = "ID",
        Description = $"The Orleans service id. Default: what {ServiceIdVariable} says, or '{DefaultId}'.",
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
        parsed.GetValue(_gateways) is { Length: > 0 } gateways ? gateways : DefaultGateways(),
        parsed.GetValue(_clusterId) ?? Given(ClusterIdVariable) ?? DefaultId,
        parsed.GetValue(_serviceId) ?? Given(ServiceIdVariable) ?? DefaultId,
        parsed.GetValue(Verbose));

    private Gateway[] DefaultGateways()
    {
        if (Given(GatewayVariable) is not { } given)
        {
            return [Gateway.Default];
        }

        try
        {
            return [.. given.Split(',', StringSplitOptions.TrimEntries).Select(Gateway.Parse)];
        }
        catch (BadInputException exception)
        {
            throw new BadInputException($"{GatewayVariable}: {exception.Message}");
        }
    }

    private string? Given(string name) => variable(name) is { } value && !string.IsNullOrWhiteSpace(value) ? value.Trim() : null;
}
