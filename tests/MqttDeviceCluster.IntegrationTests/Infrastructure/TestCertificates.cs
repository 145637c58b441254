using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace MqttDeviceCluster.IntegrationTests.Infrastructure;

/// <summary>A certificate authority for one test, and the certificates that it issues.</summary>
internal sealed class TestCertificates : IDisposable
{
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";
    private const string ClientAuthentication = "1.3.6.1.5.5.7.3.2";

    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly X509Certificate2 _authority;

    public TestCertificates()
    {
        CertificateRequest request = new($"CN=Test authority {Guid.NewGuid():N}", _key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        _authority = request.CreateSelfSigned(Now.AddDays(-3), Now.AddDays(2));
    }

    private static DateTimeOffset Now => TimeProvider.System.GetUtcNow();

    /// <summary>Writes <c>ca.pem</c>, <c>server.pem</c> and <c>server.key</c>.</summary>
    public static void Write(string directory, string hostName)
    {
        using TestCertificates certificates = new();
        certificates.WriteServer(directory, hostName);
    }

    /// <summary>Writes <c>ca.pem</c>, <c>server.pem</c> and <c>server.key</c>.</summary>
    public void WriteServer(string directory, string hostName)
    {
        WriteAuthority(Path.Combine(directory, "ca.pem"));
        using var key = RSA.Create(2048);
        using var server = Issue(hostName, key, ServerAuthentication, Now.AddDays(1));
        File.WriteAllText(Path.Combine(directory, "server.pem"), server.ExportCertificatePem());
        File.WriteAllText(Path.Combine(directory, "server.key"), key.ExportPkcs8PrivateKeyPem());
    }

    /// <summary>Writes the certificate of the authority.</summary>
    public void WriteAuthority(string file) => File.WriteAllText(file, _authority.ExportCertificatePem());

    /// <summary>Writes a client's certificate and key.</summary>
    /// <param name="file">The certificate's file. The key stands beside it, with the extension <c>.key</c>.</param>
    /// <param name="name">The common name.</param>
    /// <param name="notAfter">When it expires; a day from now by default.</param>
    public void WriteClient(string file, string name, DateTimeOffset? notAfter = null)
    {
        using var key = RSA.Create(2048);
        using var client = Issue(name, key, ClientAuthentication, notAfter ?? Now.AddDays(1));
        File.WriteAllText(file, client.ExportCertificatePem());
        File.WriteAllText(Path.ChangeExtension(file, ".key"), key.ExportPkcs8PrivateKeyPem());
    }

    /// <summary>Writes a client's certificate and key as PKCS #12.</summary>
    public void WriteClientPkcs12(string file, string name, string password)
    {
        using var key = RSA.Create(2048);
        using var client = Issue(name, key, ClientAuthentication, Now.AddDays(1));
        using var both = client.CopyWithPrivateKey(key);
        File.WriteAllBytes(file, both.Export(X509ContentType.Pkcs12, password));
    }

    public void Dispose()
    {
        _authority.Dispose();
        _key.Dispose();
    }

    private X509Certificate2 Issue(string name, RSA key, string purpose, DateTimeOffset notAfter)
    {
        CertificateRequest request = new($"CN={name}", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        SubjectAlternativeNameBuilder names = new();
        names.AddDnsName(name);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(purpose)], false));
        return request.Create(
            _authority.SubjectName, X509SignatureGenerator.CreateForECDsa(_key), Now.AddDays(-2), notAfter, RandomNumberGenerator.GetBytes(8));
    }
}
