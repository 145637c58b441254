using System.Globalization;
using System.Reflection;
using Microsoft.Extensions.Configuration;
using MqttDeviceCluster.Silo.Hosting;
using MqttDeviceCluster.Storage;
using MqttDeviceCluster.Storage.PostgreSql;
using MqttDeviceCluster.Storage.Sqlite;
using MqttDeviceCluster.Streaming.Mqtt;

namespace MqttDeviceCluster.Tests.Silo.Hosting;

/// <summary>Holds CONFIGURATION.md to what the silo reads: a setting that is added, removed, or changes its default or range fails here until the page says so.</summary>
public sealed class ConfigurationReferenceTests
{
    private const string Storage = "Orleans:GrainStorage:Default";

    /// <summary>Sections of Orleans with a table of their own, and those that the page only names.</summary>
    private static readonly string[] Described = ["ClusterId", "ServiceId", "Endpoints", "Clustering", "GrainStorage"];

    private static readonly Row[] Rows = Read();

    /// <summary>Every setting that is bound to a member of an options class.</summary>
    private static readonly Bound[] Options =
    [
        .. Of<MqttStreamOptions>("Mqtt", static options => new MqttStreamOptionsValidator(options, null, "test").ValidateConfiguration(), nameof(MqttStreamOptions.ConnectionString)),
        .. Of<DeviceOptions>("Devices", static options => new DeviceOptionsValidator(Microsoft.Extensions.Options.Options.Create(options)).ValidateConfiguration()),
        .. Of<PostgreSqlGrainStorageOptions>(
            Storage, static options => new PostgreSqlGrainStorageOptionsValidator(options, "test").ValidateConfiguration(), nameof(PostgreSqlGrainStorageOptions.GrainStorageSerializer)),

        // SQLite has those of PostgreSQL, one with a default of its own, and two more.
        .. Of<SqliteGrainStorageOptions>(
            Storage, static options => new SqliteGrainStorageOptionsValidator(options, "test").ValidateConfiguration(),
            [nameof(SqliteGrainStorageOptions.GrainStorageSerializer), .. typeof(PostgreSqlGrainStorageOptions).GetProperties().Select(static property => property.Name)]),
    ];

    /// <summary>Every setting that the host reads itself, with what it is when nothing is configured.</summary>
    private static readonly (string Key, string Type, Func<SiloSettings, object?> Value)[] Host =
    [
        ("ConnectionStrings:mqtt", "text", static settings => settings.EmbedsBroker ? null : settings.Broker),
        ("EmbeddedBroker:Address", "IP address", static settings => settings.EmbeddedBrokerEndpoint.Address),
        ("EmbeddedBroker:Port", "integer", static settings => settings.EmbeddedBrokerEndpoint.Port),
        ("DataDirectory", "text", static settings => Path.GetRelativePath("/srv/here", settings.DataDirectory)),
        ("Simulate", "integer", static settings => settings.Simulate),
        ("SettingsDirectory", "text", static _ => null),
        ("Telemetry:UpdateSamplingRatio", "number", static settings => settings.Telemetry.UpdateSamplingRatio),
        ("Startup:DatabaseWait", "time", static settings => settings.DatabaseWait),
        ("Shutdown:DrainDelay", "time", static settings => settings.DrainDelay),
        ("Urls", "text", static settings => settings.Urls),
        ("FleetPage:Enabled", "true or false", static settings => settings.FleetPage is not null),
        ("FleetPage:Token", "text", static settings => settings.FleetPage?.Token),
        ("Dashboard:Enabled", "true or false", static settings => settings.Dashboard),
        ("Orleans:ClusterId", "text", static settings => settings.ClusterId),
        ("Orleans:ServiceId", "text", static settings => settings.ServiceId),
        ("Orleans:Endpoints:SiloPort", "integer", static settings => settings.SiloPort),
        ("Orleans:Endpoints:GatewayPort", "integer", static settings => settings.GatewayPort),
        ("Orleans:Endpoints:AdvertisedIPAddress", "IP address", static settings => settings.Endpoints.AdvertisedIPAddress),
        ("Orleans:Endpoints:ListenIPAddress", "IP address", static settings => settings.Endpoints.ListenIPAddress),
        ("Orleans:Endpoints:SiloListeningEndpoint", "IP address and port", static _ => null),
        ("Orleans:Endpoints:GatewayListeningEndpoint", "IP address and port", static _ => null),
        ("Orleans:Clustering:ProviderType", "text", static settings => settings.LocalhostClustering ? null : "a provider"),
        ("Orleans:Clustering:ConnectionString", "text", static _ => null),
        ("Orleans:Clustering:ConnectionName", "text", static _ => null),
        ("Orleans:Clustering:Invariant", "text", static _ => null),
        ($"{Storage}:ProviderType", "text", static settings => settings.EmbedsStore ? null : "a provider"),
        ($"{Storage}:ConnectionName", "text", static _ => null),
        ($"{Storage}:SerializerKey", "text", static _ => null),
        ("Devices:CommandQualityOfService", "`AtMostOnce` or `AtLeastOnce`", static settings => settings.CommandQualityOfService),
    ];

    [Fact]
    public void Page_HasEverySettingOnceAndNoOther()
    {
        Assert.Equal(
            Options.Select(static option => option.Key).Concat(Host.Select(static setting => setting.Key)).Order(StringComparer.Ordinal),
            Rows.Select(static row => row.Key).Order(StringComparer.Ordinal));
        var page = File.ReadAllText(PagePath);
        Assert.All(
            SiloSettings.KnownKeys.Where(static key => key.Root != "Orleans" || Described.Contains(key.Name)),
            static known => Assert.Contains(Rows, row => row.Key == known.Key || row.Key.StartsWith(known.Key + ":", StringComparison.Ordinal)));
        Assert.All(
            SiloSettings.KnownKeys.Where(static key => key.Root == "Orleans" && !Described.Contains(key.Name)),
            known => Assert.Contains($"`{known.Name}`", page, StringComparison.Ordinal));
    }

    [Fact]
    public void Page_SaysTypeAndDefaultOfEveryOption() => Assert.All(Options, static option =>
    {
        var row = RowOf(option.Key);
        Assert.Equal((option.TypeName, Shown(option.Default)), (row.Type, row.Default));
    });

    [Fact]
    public void Page_SaysTypeAndDefaultOfWhatTheHostReads()
    {
        var settings = SiloSettings.From(new ConfigurationBuilder().Build(), "/srv/here");
        Assert.All(Host, setting =>
        {
            var row = RowOf(setting.Key);
            Assert.Equal((setting.Type, Shown(setting.Value(settings))), (row.Type, row.Default));
        });
    }

    [Fact]
    public void Page_SaysTheRangeOfEveryNumberAndTime()
    {
        Assert.All(Rows, static row => Assert.Equal(row.Type is "integer" or "number" or "time", row.Range != ""));
        Assert.All(Options.Where(static option => option.IsBounded), static option =>
        {
            var (least, most) = option.ParseRange(RowOf(option.Key).Range);
            Assert.False(option.IsRefused(least), $"{option.Key} = {least}");
            Assert.False(option.IsRefused(most), $"{option.Key} = {most}");
            Assert.True(option.IsRefused(Bound.Next(least, -1)), $"{option.Key} < {least}");
            Assert.True(option.IsRefused(Bound.Next(most, 1)), $"{option.Key} > {most}");
        });
        foreach (var row in Rows.Where(static row => row.Range != "" && Options.All(option => option.Key != row.Key)))
        {
            var (least, most) = Bound.ParseRange(row.Range, row.Type);
            Assert.False(IsRefused(row.Key, least), $"{row.Key} = {least}");
            Assert.False(IsRefused(row.Key, most), $"{row.Key} = {most}");
            Assert.True(IsRefused(row.Key, Bound.Next(least, -1)), $"{row.Key} < {least}");
            Assert.True(IsRefused(row.Key, Bound.Next(most, 1)), $"{row.Key} > {most}");
        }

        static bool IsRefused(string key, object value)
        {
            try
            {
                SiloSettings.From(new ConfigurationBuilder().AddInMemoryCollection([new(key, Shown(value).Trim('`'))]).Build(), "/srv/here");
                return false;
            }
            catch (SiloStartException exception) when (exception.Message.Contains($"{key} must be", StringComparison.Ordinal))
            {
                return true;
            }
        }
    }

    [Fact]
    public void Page_EveryTime_IsRefusedWithoutColons() => Assert.All(
        // What a provider of the storage is told, it reads itself: see the tests of each.
        Rows.Where(static row => row.Type == "time" && !row.Key.StartsWith($"{Storage}:", StringComparison.Ordinal)),
        static row =>
        {
            foreach (var days in (string[])["0", "1", "60"])
            {
                var exception = Assert.Throws<SiloStartException>(
                    () => SiloSettings.From(new ConfigurationBuilder().AddInMemoryCollection([new(row.Key, days)]).Build(), "/srv/here"));
                Assert.StartsWith($"{row.Key} must be hh:mm:ss, such as 00:0", exception.Message, StringComparison.Ordinal);
            }
        });

    [Fact]
    public void Page_SqliteReadsWithFewerConnectionsThanPostgreSql()
    {
        // One row, two defaults: the one in the table is PostgreSQL's.
        Assert.Equal(2, new SqliteGrainStorageOptions().ReadConnections);
        Assert.Contains("`Sqlite` has 2 unless told otherwise", RowOf($"{Storage}:ReadConnections").Meaning, StringComparison.Ordinal);
        Assert.Equal(new PostgreSqlGrainStorageOptions().MaxBatchSize, new SqliteGrainStorageOptions().MaxBatchSize);
        Assert.Equal(new PostgreSqlGrainStorageOptions().MaxPendingOperations, new SqliteGrainStorageOptions().MaxPendingOperations);
    }

    private static string PagePath
    {
        get
        {
            var directory = new DirectoryInfo(AppContext.BaseDirectory);
            while (!File.Exists(Path.Combine(directory.FullName, "MqttDeviceCluster.sln")))
            {
                directory = directory.Parent ?? throw new InvalidOperationException("The tests are not below the solution.");
            }

            return Path.Combine(directory.FullName, "src", "MqttDeviceCluster.Silo", "CONFIGURATION.md");
        }
    }

    private static Row RowOf(string key) => Assert.Single(Rows, row => row.Key == key);

    private static Row[] Read() =>
    [
        .. File.ReadLines(PagePath)
            .Where(static line => line.StartsWith("| `", StringComparison.Ordinal))
            .Select(static line => line.Split('|', StringSplitOptions.TrimEntries))
            .Select(static cells => cells.Length == 7 ? new Row(cells[1].Trim('`'), cells[2], cells[3], cells[4], cells[5]) : throw new InvalidOperationException(string.Join('|', cells))),
    ];

    private static string Shown(object? value) => value switch
    {
        null => "none",
        bool isTrue => isTrue ? "`true`" : "`false`",
        IFormattable number => $"`{number.ToString(null, CultureInfo.InvariantCulture)}`",
        _ => $"`{value}`",
    };

    private static IEnumerable<Bound> Of<T>(string section, Action<T> validate, params string[] others)
        where T : class, new() => typeof(T).GetProperties()
        .Where(property => property.CanWrite && !others.Contains(property.Name))
        .Select(property => new Bound($"{section}:{property.Name}", property, static () => new T(), options => validate((T)options)));

    private sealed record Row(string Key, string Type, string Default, string Range, string Meaning);

    /// <summary>A member of an options class as a setting.</summary>
    private sealed record Bound(string Key, PropertyInfo Property, Func<object> Create, Action<object> Validate)
    {
        private Type Type => Nullable.GetUnderlyingType(Property.PropertyType) ?? Property.PropertyType;

        public bool IsBounded => Type == typeof(int) || Type == typeof(double) || Type == typeof(TimeSpan);

        public object? Default => Property.GetValue(Create());

        public string TypeName => Type == typeof(int) ? "integer"
            : Type == typeof(double) ? "number"
            : Type == typeof(TimeSpan) ? "time"
            : Type == typeof(bool) ? "true or false"
            : Type == typeof(string) ? "text"
            : throw new InvalidOperationException($"{Key} is a {Type.Name}: say here how the page calls that.");

        public (object Least, object Most) ParseRange(string range) => ParseRange(range, TypeName);

        public static (object Least, object Most) ParseRange(string range, string type)
        {
            var ends = range.Split(" to ");
            return (Parse(ends[0]), Parse(ends[1]));

            object Parse(string text) => type switch
            {
                "time" => TimeSpan.Parse(text, CultureInfo.InvariantCulture),
                "number" => double.Parse(text, CultureInfo.InvariantCulture),
                _ => int.Parse(text, CultureInfo.InvariantCulture),
            };
        }

        public static object Next(object value, int by) => value switch
        {
            TimeSpan time => time + TimeSpan.FromTicks(by),
            double number => number + (by * 0.001),
            _ => (int)value + by,
        };

        public bool IsRefused(object value)
        {
            var options = Create();
            Property.SetValue(options, value);
            try
            {
                Validate(options);
                return false;
            }
            catch (OrleansConfigurationException exception)
            {
                // Other members may lack what they need.
                return exception.Message.Contains($"{Property.Name} must be", StringComparison.Ordinal);
            }
        }
    }
}
