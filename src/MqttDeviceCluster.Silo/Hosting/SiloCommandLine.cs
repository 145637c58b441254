using System.Globalization;

namespace MqttDeviceCluster.Silo.Hosting;

/// <summary>The command line: settings by their configuration keys, and a few short forms.</summary>
internal sealed class SiloCommandLine
{
    public const string Usage = """
        Usage: MqttDeviceCluster.Silo [--simulate N] [--Key:Name=value ...]

        Without arguments it is a whole system in one process: embedded MQTT broker, store, Orleans silo, HTTP.

          --simulate N                       also run N simulated devices, 0 to 100000
          --ConnectionStrings:mqtt=URL       use this broker, not the embedded one: mqtt://, mqtts://, ws:// or wss://[user:password@]host[:port]
          --DataDirectory=DIR                where the embedded store lives; default ./data
          --Urls=URL                         HTTP for health, fleet page and dashboard; default http://127.0.0.1:8080
          --EmbeddedBroker:Port=PORT         default 1883
          --EmbeddedBroker:Address=IP        default 127.0.0.1
          --Orleans:Endpoints:SiloPort=PORT  default 11111
          --Orleans:Endpoints:GatewayPort=PORT
                                             default 30000
          --Orleans:Clustering:ProviderType=PostgreSql|Redis|...
                                             several silos: with :ConnectionString=..., a store, a broker, and
          --Orleans:Endpoints:AdvertisedIPAddress=IP
                                             where others reach this silo; :ListenIPAddress=IP when that is not its own
          --Orleans:GrainStorage:Default:ProviderType=PostgreSql|Redis|Sqlite|...
                                             another store than ./data, with :ConnectionString=...
          --Devices:CommandQualityOfService=AtLeastOnce|AtMostOnce
          --Dashboard:Enabled=true|false     default: only while HTTP listens on loopback alone
          --FleetPage:Enabled=true|false     default: only while HTTP listens on loopback alone; elsewhere it needs FleetPage__Token in the environment
          --SettingsDirectory=DIR            take each file there as a setting, named as in the environment: for secrets
          --Shutdown:DrainDelay=hh:mm:ss     how long to report not ready before stopping; default 00:00:00
          --Logging:LogLevel:Default=LEVEL   Trace, Debug, Information, Warning, Error
          --Mqtt:NAME=value                  any option of the stream provider, such as Mqtt:ReceiveMaximum
          --help, --version

        Every setting can also stand in appsettings.json or in the environment (ConnectionStrings__mqtt=...); the command line wins.
        """;

    // The roots that settings may have. Below those that are ours, SiloSettings knows every key.
    private static readonly HashSet<string> Roots = new(
        ["ConnectionStrings", "Orleans", "Logging", "Kestrel", "Urls", "Environment", "AllowedHosts", .. SiloSettings.OwnRoots],
        StringComparer.OrdinalIgnoreCase);

    /// <summary>Returns whether a key is, by its first part, one of the silo's.</summary>
    public static bool IsSetting(string key) => Roots.Contains(key.Split(':')[0]);

    private SiloCommandLine()
    {
    }

    public bool Help { get; private set; }

    public bool Version { get; private set; }

    /// <summary>Gets the settings by configuration key.</summary>
    public Dictionary<string, string?> Settings { get; } = new(StringComparer.OrdinalIgnoreCase);

    /// <exception cref="SiloStartException">An argument is not understood.</exception>
    public static SiloCommandLine Parse(IReadOnlyList<string> args)
    {
        var result = new SiloCommandLine();
        for (var i = 0; i < args.Count; i++)
        {
            var arg = args[i];
            if (arg is "--help" or "-h" or "-?")
            {
                result.Help = true;
                continue;
            }

            if (arg == "--version")
            {
                result.Version = true;
                continue;
            }

            if (!arg.StartsWith("--", StringComparison.Ordinal) || arg.Length == 2)
            {
                throw Bad($"'{WithoutValue(arg)}' is not an option");
            }

            var equals = arg.IndexOf('=', StringComparison.Ordinal);
            var key = equals < 0 ? arg[2..] : arg[2..equals];
            if (!IsSetting(key))
            {
                throw Bad($"'--{key}' is not an option");
            }

            if (equals < 0 && (i + 1 == args.Count || args[i + 1].StartsWith("--", StringComparison.Ordinal)))
            {
                throw Bad(string.Create(CultureInfo.InvariantCulture, $"'--{key}' needs a value"));
            }

            result.Settings[key] = equals < 0 ? args[++i] : arg[(equals + 1)..];
        }

        return result;
    }

    // What stands after '=' may be a password.
    private static string WithoutValue(string arg) => arg.Split('=')[0];

    private static SiloStartException Bad(string problem) => new($"{problem}; --help lists them all.", null, SiloExitCodes.BadUsage);
}
