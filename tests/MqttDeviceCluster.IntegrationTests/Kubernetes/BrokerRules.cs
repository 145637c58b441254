using Microsoft.Extensions.Configuration;

namespace MqttDeviceCluster.IntegrationTests.Kubernetes;

/// <summary>What must hold of how silos show the broker who they are: by a certificate or by a password, whole, and not for everybody to read.</summary>
internal static class BrokerRules
{
    public static IEnumerable<string> Check(IConfiguration settings)
    {
        var (certificate, user, password) = (settings["Mqtt:ClientCertificateFile"], settings["Mqtt:UserNameFile"], settings["Mqtt:PasswordFile"]);
        if (certificate is not null && (user ?? password) is not null)
        {
            yield return "The silo has a certificate and a password for the broker, of two components.";
        }

        if (user is null != password is null)
        {
            yield return "The silo has a user name without a password for the broker, or a password without a user name.";
        }

        if (password is not null && new Uri(settings.GetConnectionString("mqtt")!).Scheme is not ("mqtts" or "wss"))
        {
            yield return "The silo sends its password to the broker in the clear.";
        }
    }
}
