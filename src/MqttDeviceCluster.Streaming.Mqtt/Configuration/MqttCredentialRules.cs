using MqttDeviceCluster.Streaming.Mqtt.Link;

namespace MqttDeviceCluster.Streaming.Mqtt;

/// <summary>What can be wrong with the options that say who we are and whom we trust, before a broker is asked.</summary>
internal static class MqttCredentialRules
{
    public static void Check(MqttStreamOptions options, List<string> problems)
    {
        var before = problems.Count;
        OneOf(nameof(options.UserName), options.UserName, nameof(options.UserNameFile), options.UserNameFile);
        OneOf(nameof(options.Password), options.Password, nameof(options.PasswordFile), options.PasswordFile);
        OneOf(
            nameof(options.ClientCertificatePassword),
            options.ClientCertificatePassword,
            nameof(options.ClientCertificatePasswordFile),
            options.ClientCertificatePasswordFile);
        Exists(nameof(options.UserNameFile), options.UserNameFile);
        Exists(nameof(options.PasswordFile), options.PasswordFile);
        Exists(nameof(options.CertificateAuthorityFile), options.CertificateAuthorityFile);
        Exists(nameof(options.ClientCertificateFile), options.ClientCertificateFile);
        Exists(nameof(options.ClientCertificateKeyFile), options.ClientCertificateKeyFile);
        Exists(nameof(options.ClientCertificatePasswordFile), options.ClientCertificatePasswordFile);
        if (options.ClientCertificateFile is not { } certificate)
        {
            Needs(nameof(options.ClientCertificateKeyFile), options.ClientCertificateKeyFile);
            Needs(nameof(options.ClientCertificatePassword), options.ClientCertificatePassword);
            Needs(nameof(options.ClientCertificatePasswordFile), options.ClientCertificatePasswordFile);
            return;
        }

        if (options.ClientCertificateKeyFile is not null && MqttClientCertificate.IsPkcs12(certificate))
        {
            problems.Add($"{nameof(options.ClientCertificateKeyFile)} is for PEM files, but {nameof(options.ClientCertificateFile)} '{certificate}' holds its own key");
        }

        if (IsWithoutTls(options.ConnectionString))
        {
            problems.Add($"{nameof(options.ClientCertificateFile)} is shown over TLS only: {nameof(options.ConnectionString)} must start with mqtts:// or wss://");
        }

        if (problems.Count == before)
        {
            try
            {
                MqttLinkSettings.LoadClientCertificate(options)?.Dispose();
            }
            catch (MqttConnectException exception)
            {
                problems.Add($"{nameof(options.ClientCertificateFile)}: {exception.Message}");
            }
        }

        void OneOf(string name, string? value, string fileName, string? file)
        {
            if (value is not null && file is not null)
            {
                problems.Add($"{name} and {fileName} are both given: leave one out");
            }
        }

        void Exists(string name, string? file)
        {
            if (file is not null && !File.Exists(file))
            {
                problems.Add($"{name} '{file}' does not exist");
            }
        }

        void Needs(string name, string? value)
        {
            if (value is not null)
            {
                problems.Add($"{name} is given without {nameof(options.ClientCertificateFile)}");
            }
        }
    }

    private static bool IsWithoutTls(string? connectionString)
    {
        try
        {
            return connectionString is not null && !MqttConnectionString.Parse(connectionString).UseTls;
        }
        catch (FormatException)
        {
            // That is said elsewhere.
            return false;
        }
    }
}
