using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using MqttDeviceCluster.Silo.FleetPage;
using MqttDeviceCluster.Silo.Health;
using MqttDeviceCluster.Storage;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streams;
using MqttDeviceCluster.Tests.Silo.Hosting;

namespace MqttDeviceCluster.Tests.Silo.Health;

/// <summary>The endpoints over real HTTP, with the silo, the broker and the store in whatever state a test wants.</summary>
public sealed class HealthEndpointTests : IAsyncLifetime
{
    private const string Token = "correct-horse-battery";

    private readonly Parts _parts = new();
    private readonly FakeTimeProvider _time = new();
    private readonly FleetPageToken _token;
    private readonly WebApplication _app;
    private HttpClient _http = null!;

    public HealthEndpointTests()
    {
        _token = new FleetPageToken(Token, _time);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(SiloSettingsTests.From());
        builder.Services.AddSingleton<TimeProvider>(_time);
        builder.Services.AddSiloHealth();
        builder.Services.AddSingleton(_token);
        builder.Services.AddSingleton(new FleetPageGuard(_token));
        builder.Services.AddSingleton<ISiloStatusOracle>(_parts);
        builder.Services.AddKeyedSingleton<IMqttStreamStatus>(DeviceStreams.ProviderName, _parts);
        builder.Services.AddKeyedSingleton<IGrainStorageStatus>("Default", _parts);
        _app = builder.Build();
        _app.Urls.Add("http://127.0.0.1:0");
        _app.MapHealth("/live", HealthTags.Live);
        _app.MapHealth("/ready", HealthTags.Ready);
        _app.MapHealth("/startup", HealthTags.Startup);
    }

    public async ValueTask InitializeAsync()
    {
        await _app.StartAsync();
        _http = new HttpClient { BaseAddress = new Uri(_app.Urls.Single()) };
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        _token.Dispose();
        await _app.DisposeAsync();
    }

    [Fact]
    public async Task Ready_AllIsWell_IsHealthy() =>
        await AssertAsync("/ready", HttpStatusCode.OK, """{"status":"healthy","checks":{"silo":{"status":"healthy"},"broker":{"status":"healthy"},"store":{"status":"healthy"}}}""");

    [Theory]
    [InlineData(MqttConnectionState.Connecting, MqttConnectionState.Connecting, "refused: \"ü\"", "refused: \\\"ü\\\"")]
    [InlineData(MqttConnectionState.Connecting, MqttConnectionState.Stopped, null, "the broker is away")]
    [InlineData(MqttConnectionState.Online, MqttConnectionState.Connecting, null, "updates are not received: the broker is away")]
    [InlineData(MqttConnectionState.Online, MqttConnectionState.Fenced, null, "another silo took over the connection that receives")]
    public async Task Ready_BrokerAway_IsDegradedAndStays200(MqttConnectionState publishing, MqttConnectionState receiving, string? problem, string expected)
    {
        (_parts.Publishing, _parts.Receiving, _parts.BrokerProblem) = (publishing, receiving, problem);
        await AssertAsync(
            "/ready",
            HttpStatusCode.OK,
            $$$$"""{"status":"degraded","checks":{"silo":{"status":"healthy"},"broker":{"status":"degraded","problem":"{{{{expected}}}}"},"store":{"status":"healthy"}}}""");
        await AssertAsync("/live", HttpStatusCode.OK, """{"status":"healthy","checks":{"process":{"status":"healthy"},"memory":{"status":"healthy"}}}""");
    }

    [Fact]
    public async Task Live_MemoryRanOut_IsUnhealthyWhoeverCaughtIt()
    {
        Assert.Throws<InsufficientMemoryException>(static object? () => throw new InsufficientMemoryException());
        Assert.Equal(HttpStatusCode.OK, (await GetAsync("/live")).Status);

        // More than any machine has.
        Assert.Throws<OutOfMemoryException>(static () => new string('x', int.MaxValue));

        await AssertAsync(
            "/live",
            HttpStatusCode.ServiceUnavailable,
            """{"status":"unhealthy","checks":{"process":{"status":"healthy"},"memory":{"status":"unhealthy","problem":"memory ran out"}}}""");
    }

    [Fact]
    public async Task Ready_SiloHoldsNoQueue_IsHealthy()
    {
        _parts.Receiving = MqttConnectionState.Stopped;
        Assert.Equal(HttpStatusCode.OK, (await GetAsync("/ready")).Status);
        Assert.StartsWith("{\"status\":\"healthy\"", (await GetAsync("/ready")).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ready_StoreFails_IsDegraded()
    {
        _parts.IsFailing = true;
        _parts.StoreProblem = "disk full";
        await AssertAsync(
            "/ready",
            HttpStatusCode.OK,
            """{"status":"degraded","checks":{"silo":{"status":"healthy"},"broker":{"status":"healthy"},"store":{"status":"degraded","problem":"disk full"}}}""");
    }

    [Theory]
    [InlineData("Host", "silo.example", false)]
    [InlineData("X-Forwarded-For", "10.0.0.1", false)]
    [InlineData("Authorization", "Bearer wrong-horse-battery", true)]
    [InlineData("Accept", "application/json", true)]
    public async Task Ready_Degraded_SaysWhyOnThisMachineAlone(string header, string value, bool saysWhy) =>
        await AssertSaysWhyAsync(saysWhy, (header, value));

    [Theory]
    [InlineData("wrong-horse-battery", false)]
    [InlineData(Token, true)]
    public async Task Ready_Degraded_SaysWhyElsewhereWithTheToken(string token, bool saysWhy) =>
        await AssertSaysWhyAsync(saysWhy, ("Host", "silo.example"), ("Authorization", $"Bearer {token}"));

    [Theory]
    [InlineData("127.0.0.1", true)]
    [InlineData("::1", true)]
    [InlineData("10.0.0.7", false)]
    [InlineData(null, false)]
    public void IsTrusted_ByAddress_OnThisMachineAlone(string? address, bool isTrusted)
    {
        DefaultHttpContext context = new();
        context.Request.Host = new("localhost", 8080);
        context.Connection.RemoteIpAddress = address is null ? null : IPAddress.Parse(address);
        Assert.Equal(isTrusted, new FleetPageGuard(null).IsTrusted(context));
    }

    [Fact]
    public async Task Ready_SiloNotActive_Is503()
    {
        _parts.CurrentStatus = SiloStatus.Joining;
        var (status, body) = await GetAsync("/ready");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.Contains("\"silo\":{\"status\":\"unhealthy\",\"problem\":\"the silo is Joining\"}", body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Startup_BrokerReachedOnce_StaysHealthy()
    {
        _parts.WasPublishing = false;
        _parts.Publishing = MqttConnectionState.Connecting;
        await AssertAsync(
            "/startup",
            HttpStatusCode.ServiceUnavailable,
            """{"status":"unhealthy","checks":{"silo":{"status":"healthy"},"broker_reached":{"status":"unhealthy","problem":"the broker was not reached yet"}}}""");

        // It was there for a moment in which nobody asked.
        _parts.Publishing = MqttConnectionState.Online;
        _parts.Publishing = MqttConnectionState.Connecting;
        Assert.Equal(HttpStatusCode.OK, (await GetAsync("/startup")).Status);
    }

    [Fact]
    public async Task Live_NoHeartbeat_Is503()
    {
        // The heart does not beat between the two: it waits for a tick that comes only with the time, and is asked before it ran.
        var heartbeat = new HeartbeatService(_time);
        var check = new HeartbeatHealthCheck(heartbeat);
        _time.Advance(TimeSpan.FromSeconds(29));
        Assert.Equal("Healthy", (await check.CheckHealthAsync(new(), TestContext.Current.CancellationToken)).Status.ToString());
        _time.Advance(TimeSpan.FromSeconds(1));
        var result = await check.CheckHealthAsync(new(), TestContext.Current.CancellationToken);
        Assert.Equal("Unhealthy", result.Status.ToString());
        Assert.Equal("no timer has run for 30 s", result.Description);
    }

    /// <summary>What is degraded, everybody is told; why, which names hosts and files, not everybody.</summary>
    private async Task AssertSaysWhyAsync(bool saysWhy, params (string Name, string Value)[] headers)
    {
        (_parts.Publishing, _parts.BrokerProblem) = (MqttConnectionState.Connecting, "no connection to mqtt://broker.internal");
        (_parts.IsFailing, _parts.StoreProblem) = (true, "could not write to /var/lib/devices.db");
        using HttpRequestMessage request = new(HttpMethod.Get, "/ready");
        foreach (var (name, value) in headers)
        {
            Assert.True(request.Headers.TryAddWithoutValidation(name, value));
        }

        using var response = await _http.SendAsync(request, TestContext.Current.CancellationToken);
        var body = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(
            saysWhy
                ? """{"status":"degraded","checks":{"silo":{"status":"healthy"},"broker":{"status":"degraded","problem":"no connection to mqtt://broker.internal"},"store":{"status":"degraded","problem":"could not write to /var/lib/devices.db"}}}"""
                : """{"status":"degraded","checks":{"silo":{"status":"healthy"},"broker":{"status":"degraded"},"store":{"status":"degraded"}}}""",
            body);
    }

    private async Task AssertAsync(string path, HttpStatusCode status, string body) => Assert.Equal((status, body), await GetAsync(path));

    private async Task<(HttpStatusCode Status, string Body)> GetAsync(string path)
    {
        using var response = await _http.GetAsync(new Uri(path, UriKind.Relative));
        Assert.Equal("application/json", response.Content.Headers.ContentType?.MediaType);
        return (response.StatusCode, await response.Content.ReadAsStringAsync());
    }

    private sealed class Parts : ISiloStatusOracle, IMqttStreamStatus, IGrainStorageStatus
    {
        public SiloStatus CurrentStatus { get; set; } = SiloStatus.Active;

        public MqttConnectionState Receiving { get; set; } = MqttConnectionState.Online;

        public DateTimeOffset? ReceivingSince => null;

        public MqttConnectionState Publishing
        {
            get;
            set
            {
                field = value;
                WasPublishing |= value == MqttConnectionState.Online;
            }
        } = MqttConnectionState.Online;

        public bool WasPublishing { get; set; } = true;

        public string? BrokerProblem { get; set; }

        string? IMqttStreamStatus.Problem => BrokerProblem;

        public int Unacknowledged => 0;

        public bool IsFailing { get; set; }

        public string? StoreProblem { get; set; }

        string? IGrainStorageStatus.Problem => StoreProblem;

        public int PendingOperations => 0;

        public string SiloName => "silo";

        public SiloAddress SiloAddress => SiloAddress.Zero;

        public SiloStatus GetApproximateSiloStatus(SiloAddress siloAddress) => CurrentStatus;

        public Dictionary<SiloAddress, SiloStatus> GetApproximateSiloStatuses(bool onlyActive = false) => [];

        public SiloAddress[] GetActiveSilos() => [];

        public bool TryGetSiloName(SiloAddress siloAddress, out string siloName)
        {
            siloName = SiloName;
            return true;
        }

        public bool IsFunctionalDirectory(SiloAddress siloAddress) => true;

        public bool IsDeadSilo(SiloAddress silo) => false;

        public bool SubscribeToSiloStatusEvents(ISiloStatusListener observer) => true;

        public bool UnSubscribeFromSiloStatusEvents(ISiloStatusListener observer) => true;
    }
}
