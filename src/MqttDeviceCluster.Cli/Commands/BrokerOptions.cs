using System.CommandLine;
using MqttDeviceCluster.Streaming.Mqtt;

namespace MqttDeviceCluster.Cli.Commands;

/// <summary>How a command reaches a broker by itself.</summary>
internal sealed class BrokerOptions
{
    private readonly DefaultedOption<Uri> _broker = Parsers.Broker();
    private readonly Option<string> _authority = Parsers.File("--ca-file", "A PEM file with the certificates to trust. Default: those that the machine trusts.");

    public void AddTo(Command command)
    {
        command.Add(_broker);
        command.Add(_authority);
    }

    public MqttStreamOptions Read(ParseResult parsed) => new()
    {
        ConnectionString = _broker.Read(parsed).OriginalString,
        CertificateAuthorityFile = parsed.GetValue(_authority),
    };
}
