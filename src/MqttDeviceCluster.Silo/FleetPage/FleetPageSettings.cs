using MqttDeviceCluster.Silo.Hosting;

namespace MqttDeviceCluster.Silo.FleetPage;

/// <summary>How the fleet page is offered. No record: what prints settings must not print the token.</summary>
internal sealed class FleetPageSettings
{
    public const int MinTokenLength = 16;

    /// <summary>Gets what every request must know, or <see langword="null"/> when the page is on loopback alone and asks for nothing.</summary>
    public string? Token { get; init; }

    /// <summary>Reads the settings. Returns <see langword="null"/> when there is no page.</summary>
    /// <param name="read">Where wrong settings are told.</param>
    /// <param name="isLoopback">Whether HTTP listens on loopback alone.</param>
    public static FleetPageSettings? Read(SettingReader read, bool isLoopback)
    {
        const string TokenKey = "FleetPage:Token";
        var enabled = read.Value("FleetPage:Enabled", isLoopback, bool.TryParse, "true or false");
        var token = read.Secret(
            TokenKey,
            text => text.Length >= MinTokenLength && text.All(c => c is > ' ' and <= '~'),
            $"at least {MinTokenLength} characters of printable ASCII, without blanks");
        if (enabled && !isLoopback && token is null)
        {
            read.Problems.Add(
                $"the fleet page switches pins, and HTTP does not listen on loopback alone: set {TokenKey} (at least {MinTokenLength} characters), or FleetPage:Enabled to false");
        }

        return enabled ? new FleetPageSettings { Token = token } : null;
    }
}
