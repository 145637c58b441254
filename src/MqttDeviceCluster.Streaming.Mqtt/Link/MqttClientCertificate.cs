using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace MqttDeviceCluster.Streaming.Mqtt.Link;

/// <summary>Reads the certificate that we show to the broker.</summary>
internal static class MqttClientCertificate
{
    /// <summary>Reads certificate and key.</summary>
    /// <param name="file">PEM, or PKCS #12 when its name ends in <c>.pfx</c> or <c>.p12</c>.</param>
    /// <param name="keyFile">The PEM file with the key, if that is another one.</param>
    /// <param name="password">The password of the PKCS #12 file or of the key, if there is one.</param>
    /// <exception cref="MqttConnectException">It cannot be used; the message says why, in one clause without secrets.</exception>
    public static X509Certificate2 Load(string file, string? keyFile, string? password)
    {
        try
        {
            var certificate = IsPkcs12(file)
                ? X509CertificateLoader.LoadPkcs12FromFile(file, password)
                : LoadPem(file, keyFile, password);
            if (certificate.HasPrivateKey)
            {
                return certificate;
            }

            certificate.Dispose();
            throw Problem($"the client certificate file '{file}' holds no private key");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Problem($"the client certificate '{file}'{Key(keyFile)} cannot be read", exception);
        }
        catch (Exception exception) when (exception is CryptographicException or ArgumentException)
        {
            // No certificate, a key that is not the certificate's, a wrong password: the exceptions do not tell them apart reliably.
            throw Problem($"the client certificate '{file}'{Key(keyFile)} cannot be used: certificate, key and password do not go together", exception);
        }
    }

    public static bool IsPkcs12(string file) =>
        file.EndsWith(".pfx", StringComparison.OrdinalIgnoreCase) || file.EndsWith(".p12", StringComparison.OrdinalIgnoreCase);

    private static X509Certificate2 LoadPem(string file, string? keyFile, string? password)
    {
        var certificate = password is null
            ? X509Certificate2.CreateFromPemFile(file, keyFile)
            : X509Certificate2.CreateFromEncryptedPemFile(file, password, keyFile);
        if (!OperatingSystem.IsWindows())
        {
            return certificate;
        }

        // Windows' TLS takes no key that is in memory only.
        using (certificate)
        {
            return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null);
        }
    }

    private static string Key(string? keyFile) => keyFile is null ? "" : $" with the key '{keyFile}'";

    private static MqttConnectException Problem(string message, Exception? innerException = null) =>
        new(MqttConnectFailure.Settings, message, 0, innerException);
}
