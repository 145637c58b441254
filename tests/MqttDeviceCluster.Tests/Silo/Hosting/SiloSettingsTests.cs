using System.Net;
using Microsoft.Extensions.Configuration;
using MqttDeviceCluster.Silo.Hosting;
using MqttDeviceCluster.Streaming.Mqtt;

namespace MqttDeviceCluster.Tests.Silo.Hosting;

public sealed class SiloSettingsTests
{
    [Fact]
    public void From_ClusterWithWhatIsEmbedded_IsRefused()
    {
        var exception = Assert.Throws<SiloStartException>(() => From(("Orleans:Clustering:ProviderType", "Redis")));

        Assert.Equal(
            "Orleans:Clustering is set but ConnectionStrings:mqtt is not: the embedded broker is for one silo; "
            + "Orleans:Clustering is set but Orleans:GrainStorage:Default is not: the embedded store is for one silo.",
            exception.Message);
    }

    [Fact]
    public void From_EndpointsOfACluster_AreRead()
    {
        (string, string)[] cluster =
            [("Orleans:Clustering:ProviderType", "Redis"), ("ConnectionStrings:mqtt", "mqtt://broker"), ("Orleans:GrainStorage:Default:ProviderType", "Redis")];

        Assert.Equal(new SiloEndpoints(11111, 30000, null, null), From(cluster).Endpoints);
        Assert.Equal(
            new SiloEndpoints(1, 2, System.Net.IPAddress.Parse("10.0.0.7"), System.Net.IPAddress.Any),
            From([
                .. cluster,
                ("Orleans:Endpoints:SiloPort", "1"),
                ("Orleans:Endpoints:GatewayPort", "2"),
                ("Orleans:Endpoints:AdvertisedIPAddress", "10.0.0.7"),
                ("Orleans:Endpoints:ListenIPAddress", "0.0.0.0"),
            ]).Endpoints);
    }

    [Theory]
    [InlineData("Orleans:Endpoints:AdvertisedIPAddress", "10.0.0.7", "Orleans:Endpoints names an address but Orleans:Clustering is not set: without it a silo is alone, on loopback")]
    [InlineData("Orleans:Endpoints:AdvertisedIPAddress", "0.0.0.0", "AdvertisedIPAddress must be an address that others connect to but is '0.0.0.0'")]
    [InlineData("Orleans:Endpoints:AdvertisedIPAddress", "host", "Orleans:Endpoints:AdvertisedIPAddress must be an IP address but is 'host'")]
    [InlineData("Orleans:Endpoints:ListenIPAdress", "0.0.0.0", "Orleans:Endpoints:ListenIPAdress is not a setting")]
    [InlineData("Orleans:Endpoints:SiloPort", "30000", "Orleans:Endpoints:SiloPort and GatewayPort must differ but both are 30000")]
    public void From_WrongEndpoint_SaysSo(string key, string value, string problem) =>
        Assert.Contains(problem, Assert.Throws<SiloStartException>(() => From((key, value))).Message, StringComparison.Ordinal);

    [Fact]
    public void From_NothingConfigured_EmbedsEverythingOnLoopback()
    {
        var settings = From();
        Assert.True(settings.EmbedsBroker && settings.EmbedsStore && settings.LocalhostClustering && settings.Dashboard);
        Assert.Equal(new Uri("mqtt://127.0.0.1:1883"), settings.Broker);
        Assert.Equal(new IPEndPoint(IPAddress.Loopback, 1883), settings.EmbeddedBrokerEndpoint);
        Assert.Equal("/srv/here/data/devices.db", settings.StorePath);
        Assert.Equal((11111, 30000, "default", "default"), (settings.SiloPort, settings.GatewayPort, settings.ClusterId, settings.ServiceId));
        Assert.Equal("http://127.0.0.1:8080", settings.Urls);
        Assert.Equal((0, TimeSpan.Zero, MqttQualityOfService.AtLeastOnce), (settings.Simulate, settings.DrainDelay, settings.CommandQualityOfService));
    }

    [Theory]
    [InlineData("mqtt://broker")]
    [InlineData("mqtts://user:p%40ss@broker.example:8883")]
    [InlineData("ws://broker/mqtt")]
    [InlineData("wss://user@broker:443/mqtt?x=1")]
    [InlineData("mqtt://[::1]:1883")]
    public void From_BrokerNamed_ReplacesTheEmbeddedOne(string url)
    {
        var settings = From(("ConnectionStrings:mqtt", url));
        Assert.False(settings.EmbedsBroker);
        Assert.Equal(url, settings.Broker.OriginalString);
    }

    [Fact]
    public void From_OrleansConfigured_LeavesItToOrleans()
    {
        Assert.False(From(
            ("Orleans:Clustering:ProviderType", "Redis"), ("ConnectionStrings:mqtt", "mqtt://broker"), ("Orleans:GrainStorage:Default:ProviderType", "Redis")).LocalhostClustering);
        Assert.False(From(("Orleans:GrainStorage:Default:ProviderType", "Redis")).EmbedsStore);
        Assert.True(From(("Orleans:GrainStorage:Other:ProviderType", "Redis")).EmbedsStore);
    }

    [Theory]
    [InlineData("http://127.0.0.1:5000", true)]
    [InlineData("http://localhost:5000;http://[::1]:5001", true)]
    [InlineData("http://0.0.0.0:8080", false)]
    [InlineData("http://127.0.0.1:5000;http://*:8080", false)]
    public void From_Urls_ShowTheDashboardOnLoopbackOnly(string urls, bool dashboard)
    {
        Assert.Equal(dashboard, From(("Urls", urls)).Dashboard);
        Assert.True(From(
            ("Urls", urls), ("Dashboard:Enabled", "true"), ("FleetPage:Enabled", "true"), ("FleetPage:Token", "correct-horse-battery")).Dashboard);
    }

    [Theory]
    [InlineData]
    [InlineData("FleetPage:Enabled=false", "FleetPage:Token=correct-horse-battery")]
    public void From_DashboardBeyondLoopbackWithoutAGuard_SaysWhatToSet(params string[] others)
    {
        var settings = others.Select(text => text.Split('=')).Select(parts => (parts[0], parts[1]));

        var exception = Assert.Throws<SiloStartException>(() => From([("Urls", "http://0.0.0.0:8080"), ("Dashboard:Enabled", "true"), .. settings]));

        Assert.Contains("the dashboard shows every silo and grain", exception.Message, StringComparison.Ordinal);
        Assert.Contains("FleetPage:Token", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("HTTP_PORTS", "8080")]
    [InlineData("Kestrel:Endpoints:Http:Url", "http://*:80")]
    public void From_KestrelConfiguredOtherwise_SetsNoUrl(string key, string value)
    {
        Assert.Null(From((key, value)).Urls);
        Assert.False(From((key, value)).Dashboard);
    }

    [Fact]
    public void From_KestrelsEndpointsBesideUrls_AreWhatCounts()
    {
        var settings = From(("Urls", "http://127.0.0.1:8080"), ("Kestrel:Endpoints:Http:Url", "http://*:80"));

        Assert.Null(settings.Urls);
        Assert.False(settings.Dashboard);
        Assert.Null(settings.FleetPage);
    }

    [Theory]
    [InlineData("EmbeddedBroker:Port", "0", "EmbeddedBroker:Port must be 1 to 65535 but is '0'")]
    [InlineData("EmbeddedBroker:Address", "localhost", "EmbeddedBroker:Address must be an IP address but is 'localhost'")]
    [InlineData("EmbeddedBroker:Host", "x", "EmbeddedBroker:Host is not a setting")]
    [InlineData("Orleans:Endpoints:GatewayPort", "65536", "Orleans:Endpoints:GatewayPort must be 1 to 65535")]
    [InlineData("Orleans:Endpoints:GatwayPort", "3", "Orleans:Endpoints:GatwayPort is not a setting")]
    [InlineData("Orleans:ClusterID2", "x", "Orleans:ClusterID2 is not a setting")]
    [InlineData("ConnectionStrings:mqqt", "mqtt://u:secret@h", "ConnectionStrings:mqqt is used by nothing: the broker's is ConnectionStrings:mqtt")]
    [InlineData("Orleans:Clustering:ServiceKey", "x", "Orleans:Clustering:ServiceKey names a connection that a host has registered, and this one has none")]
    [InlineData("Orleans:GrainStorage:Default:ServiceKey", "x", "Orleans:GrainStorage:Default:ServiceKey names a connection that a host has registered, and this one has none")]
    [InlineData("Simulate", "-1", "Simulate must be 0 to 100000")]
    [InlineData("Shutdown:DrainDelay", "00:00:31", "Shutdown:DrainDelay must be hh:mm:ss, such as 00:00:05, at most 30 seconds, but is '00:00:31'")]
    [InlineData("Devices:CommandQualityOfService", "2", "Devices:CommandQualityOfService must be AtLeastOnce or AtMostOnce")]
    [InlineData("Dashboard:Enabled", "perhaps", "Dashboard:Enabled must be true or false")]
    [InlineData("DataDirectory", " ", "DataDirectory must be some text")]
    [InlineData("Urls", "127.0.0.1:8080", "Urls must be URLs")]
    [InlineData("Urls", ";", "Urls must be URLs")]
    [InlineData("Mqtt:KeepAlive", "soon", "Mqtt:KeepAlive must be hh:mm:ss, such as 00:01:00 or with days 1.00:00:00, but is 'soon'")]
    [InlineData("Mqtt:KeepAlive", "", "Mqtt:KeepAlive must be hh:mm:ss")]
    [InlineData("Mqtt:SessionExpiry", "24:00:00", "Mqtt:SessionExpiry must be hh:mm:ss, such as 00:01:00 or with days 1.00:00:00, but is '24:00:00'")]
    [InlineData("Mqtt:ReceiveMaximum", "many", "Mqtt:ReceiveMaximum must be an integer but is 'many'")]
    [InlineData("Mqtt:ConnectionString", "mqtt://elsewhere", "Mqtt:ConnectionString is not a setting")]
    [InlineData("ConnectionStrings:mqtt", "amqp://u:secret@h", "it must start with mqtt://")]
    [InlineData("ConnectionStrings:mqtt", "mqtt://u:secret@h/path", "mqtt:// takes no path")]
    [InlineData("ConnectionStrings:mqtt", "mqtt://u:secret@h:0", "its port is 0")]
    [InlineData("ConnectionStrings:mqtt", "mqtt://u:sec ret@h", "it is not a URL")]
    [InlineData("ConnectionStrings:mqtt", "mqtt://", "it names no host")]
    public void From_WrongSetting_SaysWhichAndWhy(string key, string value, string problem)
    {
        var e = Assert.Throws<SiloStartException>(() => From((key, value)));
        Assert.Contains(problem, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void From_SeveralValuesThatDoNotConvert_NamesAllOfThem() => Assert.Equal(
        "Mqtt:ReceiveMaximum must be an integer but is 'many'; "
        + "Mqtt:SessionExpiry must be hh:mm:ss, such as 00:01:00 or with days 1.00:00:00, but is '300'; "
        + "Devices:OfflineAfterSilence must be hh:mm:ss, such as 00:01:00 or with days 1.00:00:00, but is '60'; "
        + "Orleans:Streaming:more:KeepAlive must be hh:mm:ss, such as 00:01:00 or with days 1.00:00:00, but is '5'.",
        Assert.Throws<SiloStartException>(() => From(
            ("Mqtt:SessionExpiry", "300"), ("Mqtt:ReceiveMaximum", "many"), ("Devices:OfflineAfterSilence", "60"),
            ("Orleans:Streaming:more:ProviderType", "Mqtt"), ("Orleans:Streaming:more:KeepAlive", "5"))).Message);

    [Theory]
    [InlineData("Devices:OfflineAfterSilence", "")]
    [InlineData("Devices:OfflineAfterSilence", "90.00:00:00")]
    [InlineData("Mqtt:AcknowledgeOutOfOrderAfter", "00:00:00.1")]
    [InlineData("Mqtt:KeepAlive", "00:01")]
    public void From_TimeAsThePageSays_IsTaken(string key, string value) => From((key, value));

    [Fact]
    public void From_ConnectionStringOfAnother_IsTakenWhereItCannotBeTheBrokers()
    {
        Assert.True(From(
            ("ConnectionStrings:db", "Host=x"), ("Orleans:GrainStorage:Default:ProviderType", "PostgreSql"), ("Orleans:GrainStorage:Default:ConnectionName", "db")).EmbedsBroker);
        Assert.False(From(("ConnectionStrings:mqtt", "mqtt://broker"), ("ConnectionStrings:other", "x")).EmbedsBroker);
    }

    [Theory]
    [InlineData("Orleans:GrainStorage:Default:ProviderType", "Postgres", "Orleans:GrainStorage:Default:ProviderType is 'Postgres' and must be PostgreSql, Redis, Sqlite or Memory")]
    [InlineData("Orleans:GrainStorage:Default:ProviderType", "AdoNet", "Orleans:GrainStorage:Default:ProviderType is 'AdoNet' and must be PostgreSql, Redis, Sqlite or Memory")]
    [InlineData("Orleans:GrainStorage:Other:ProviderType", "", "Orleans:GrainStorage:Other:ProviderType is '' and must be PostgreSql, Redis, Sqlite or Memory")]
    [InlineData("Orleans:GrainStorage:Default:ConnectionString", "x", "Orleans:GrainStorage:Default:ProviderType is missing and must be PostgreSql, Redis, Sqlite or Memory")]
    [InlineData("Orleans:Clustering:ProviderType", "Sqlite", "Orleans:Clustering:ProviderType is 'Sqlite' and must be PostgreSql, Redis or AdoNet")]
    [InlineData("Orleans:Clustering:ConnectionString", "x", "Orleans:Clustering:ProviderType is missing and must be PostgreSql, Redis or AdoNet")]
    public void From_ProviderThatIsNone_SaysWhichThereAre(string key, string value, string problem) =>
        Assert.Contains(problem, Assert.Throws<SiloStartException>(() => From((key, value))).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("PostgreSql", "Sqlite")]
    [InlineData("redis", "postgresql")]
    [InlineData("AdoNet", "Memory")]
    [InlineData("AzureRedisCache", "AzureRedisCache")]
    [InlineData("Development", "Redis")]
    public void From_ProvidersOfOrleansAndOurs_AreTaken(string clustering, string storage) => From(
        ("Orleans:Clustering:ProviderType", clustering), ("ConnectionStrings:mqtt", "mqtt://broker"), ("Orleans:GrainStorage:Default:ProviderType", storage));

    [Fact]
    public void From_SeveralWrongSettings_SaysAllOfThem()
    {
        var e = Assert.Throws<SiloStartException>(() => From(("Simulate", "x"), ("EmbeddedBroker:Port", "y"), ("EmbeddedBroker:Z", "z")));
        Assert.Contains("Simulate", e.Message, StringComparison.Ordinal);
        Assert.Contains("EmbeddedBroker:Port", e.Message, StringComparison.Ordinal);
        Assert.Contains("EmbeddedBroker:Z", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("mqtt://user:secret@host:1884", "mqtt://host:1884")]
    [InlineData("wss://user:secret@host/mqtt?token=secret", "wss://host:443")]
    public void BrokerName_Url_KeepsNoSecret(string url, string expected) => Assert.Equal(expected, From(("ConnectionStrings:mqtt", url)).BrokerName);

    internal static SiloSettings From(params (string Key, string Value)[] settings) => SiloSettings.From(
        new ConfigurationBuilder().AddInMemoryCollection(settings.Select(s => KeyValuePair.Create(s.Key, (string?)s.Value))).Build(),
        "/srv/here");
}
