using System.CommandLine;
using MqttDeviceCluster.Streaming.Mqtt;

namespace MqttDeviceCluster.Cli.Commands;

/// <summary>How a command reaches a broker by itself.</summary>
internal sealed class BrokerOptions
{
    private readonly DefaultedOption<Uri> _broker = Parsers.Broker();
    private readonly Option<string> _authority = Parsers.File("--ca-file", "A PEM file with the certificates to trust. Default: those that the machine trusts.");
    private readonly Option<string> _userName = Parsers.File("--user-name-file", "A file with the user name.");
    private readonly Option<string> _password = Parsers.File("--password-file", "A file with the password.");
    private readonly Option<string> _certificate = Parsers.File("--certificate-file", "The certificate to show to the broker: PEM, or PKCS #12 (.pfx, .p12).");
    private readonly Option<string> _key = Parsers.File("--key-file", "The PEM file with its key. Default: it stands in the certificate's file.");

    private readonly Option<string> _certificatePassword = Parsers.File(
        "--certificate-password-file", "A file with the password of the PKCS #12 file or of the key.");

    public void AddTo(Command command)
    {
        command.Add(_broker);
        foreach (var option in new[] { _userName, _password, _authority, _certificate, _key, _certificatePassword })
        {
            command.Add(option);
        }
    }

    public MqttStreamOptions Read(ParseResult parsed) => new()
    {
        ConnectionString = _broker.Read(parsed).OriginalString,
        UserNameFile = parsed.GetValue(_userName),
        PasswordFile = parsed.GetValue(_password),
        CertificateAuthorityFile = parsed.GetValue(_authority),
        ClientCertificateFile = parsed.GetValue(_certificate),
        ClientCertificateKeyFile = parsed.GetValue(_key),
        ClientCertificatePasswordFile = parsed.GetValue(_certificatePassword),
    };
}
