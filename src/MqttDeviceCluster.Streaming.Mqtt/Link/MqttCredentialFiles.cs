using System.Security.Cryptography;
using System.Text;

namespace MqttDeviceCluster.Streaming.Mqtt.Link;

/// <summary>The files that say who we are and whom we trust. Each connection reads them anew; here it is noticed that they changed.</summary>
internal sealed class MqttCredentialFiles(MqttStreamOptions options)
{
    private const int MaxSecretBytes = 64 * 1024;

    private readonly string[] _paths =
    [
        .. new[]
        {
            options.UserNameFile, options.PasswordFile, options.CertificateAuthorityFile, options.ClientCertificateFile, options.ClientCertificateKeyFile,
            options.ClientCertificatePasswordFile,
        }.OfType<string>(),
    ];

    /// <summary>Gets whether there is any.</summary>
    public bool Any => _paths.Length > 0;

    /// <summary>
    /// Returns something that changes with what is in the files. Not with their times: a Kubernetes secret is renewed by turning a link to another directory.
    /// </summary>
    public string Fingerprint()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var path in _paths)
        {
            try
            {
                // Each by itself: what moves from the end of one file to the start of the next is a change too.
                hash.AppendData(SHA256.HashData(File.ReadAllBytes(path)));
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                hash.AppendData([0]);
            }
        }

        return Convert.ToHexString(hash.GetHashAndReset());
    }

    /// <summary>Reads a secret; the line break at its end is not part of it.</summary>
    /// <param name="path">The file, UTF-8.</param>
    /// <param name="what">What it holds, for people.</param>
    /// <exception cref="MqttConnectException">It cannot be read, or is empty.</exception>
    public static string ReadSecret(string path, string what)
    {
        try
        {
            if (new FileInfo(path) is { Exists: true, Length: > MaxSecretBytes })
            {
                throw new MqttConnectException(MqttConnectFailure.Settings, $"the {what} file '{path}' is larger than 64 KiB");
            }

            return File.ReadAllText(path, Encoding.UTF8).TrimEnd('\r', '\n') is { Length: > 0 } secret
                ? secret
                : throw new MqttConnectException(MqttConnectFailure.Settings, $"the {what} file '{path}' is empty");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new MqttConnectException(MqttConnectFailure.Settings, $"the {what} file '{path}' cannot be read", 0, exception);
        }
    }
}
