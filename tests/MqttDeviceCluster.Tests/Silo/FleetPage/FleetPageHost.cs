using System.Net;
using System.Net.ServerSentEvents;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using MqttDeviceCluster.Silo.FleetPage;
using MqttDeviceCluster.Tests.Silo.Hosting;

namespace MqttDeviceCluster.Tests.Silo.FleetPage;

/// <summary>The page over real HTTP on loopback, with a <see cref="FakeFleet"/> behind it.</summary>
internal sealed class FleetPageHost : IAsyncDisposable
{
    /// <summary>Generous: reaching it is a failure.</summary>
    public static readonly TimeSpan Bound = TimeSpan.FromSeconds(20);

    private readonly WebApplication _app;

    private FleetPageHost(WebApplication app, FakeFleet fleet)
    {
        (_app, Fleet) = (app, fleet);
        Http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false }) { BaseAddress = new Uri(app.Urls.Single()), Timeout = Bound };
    }

    public FakeFleet Fleet { get; }

    public FakeLogCollector Log => _app.Services.GetFakeLogCollector();

    public HttpClient Http { get; }

    public static async Task<FleetPageHost> StartAsync(string? token = null, FakeFleet? fleet = null)
    {
        fleet ??= new FakeFleet();
        var settings = token is null ? SiloSettingsTests.From() : SiloSettingsTests.From(("FleetPage:Token", token));
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders().AddFakeLogging();
        builder.Services.AddSingleton(settings);
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<IDeviceCluster>(fleet);
        builder.Services.AddFleetPage(settings);
        var app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        app.MapFleetPage(settings);
        await app.StartAsync();
        return new FleetPageHost(app, fleet);
    }

    public Task StopAsync() => _app.StopAsync();

    public async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, HttpContent? content = null, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        foreach (var (name, value) in headers)
        {
            Assert.True(request.Headers.TryAddWithoutValidation(name, value));
        }

        return await Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
    }

    public Task<HttpResponseMessage> GetAsync(string path, params (string Name, string Value)[] headers) => SendAsync(HttpMethod.Get, path, null, headers);

    public Task<HttpResponseMessage> SetAsync(string body, params (string Name, string Value)[] headers) =>
        SendAsync(HttpMethod.Post, "/fleet/pins", new StringContent(body, Encoding.UTF8, "application/json"), headers);

    public Task<HttpResponseMessage> LoginAsync(string token, params (string Name, string Value)[] headers) =>
        SendAsync(HttpMethod.Post, "/fleet/login", new FormUrlEncodedContent([KeyValuePair.Create("token", token)]), headers);

    public async Task<EventReader> WatchAsync()
    {
        var response = await GetAsync("/fleet/events");
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return new EventReader(response, await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken));
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await _app.DisposeAsync();
    }

    /// <summary>What a browser hears.</summary>
    internal sealed class EventReader : IAsyncDisposable
    {
        private readonly HttpResponseMessage _response;
        private readonly IAsyncEnumerator<SseItem<string>> _items;

        public EventReader(HttpResponseMessage response, Stream stream)
        {
            _response = response;
            _items = SseParser.Create(stream).EnumerateAsync(TestContext.Current.CancellationToken).GetAsyncEnumerator();
        }

        /// <summary>Returns the next event, or <see langword="null"/> at the end.</summary>
        public async Task<(string Type, JsonElement Data)?> NextAsync()
        {
            if (!await _items.MoveNextAsync().AsTask().WaitAsync(Bound, TestContext.Current.CancellationToken))
            {
                return null;
            }

            // Heartbeats come for ever: none is as good as an event that is waited for.
            Assert.True(_items.Current.EventType != "heartbeat", "Nothing came for a whole heartbeat.");
            return (_items.Current.EventType, JsonSerializer.Deserialize<JsonElement>(_items.Current.Data));
        }

        /// <summary>Reads up to a status, and returns the rows before it.</summary>
        public async Task<List<JsonElement>> UntilStatusAsync(string state)
        {
            List<JsonElement> rows = [];
            while (true)
            {
                var (type, data) = await NextAsync() ?? throw new InvalidOperationException($"The events ended before '{state}'.");
                if (type == "devices")
                {
                    rows.AddRange(data.EnumerateArray());
                }
                else if (type == "status" && data.GetProperty("state").GetString() == state)
                {
                    return rows;
                }
            }
        }

        /// <summary>Reads up to the next rows.</summary>
        public async Task<List<JsonElement>> RowsAsync()
        {
            while (true)
            {
                var (type, data) = await NextAsync() ?? throw new InvalidOperationException("The events ended.");
                if (type == "devices")
                {
                    return [.. data.EnumerateArray()];
                }
            }
        }

        public async ValueTask DisposeAsync()
        {
            _response.Dispose();
            try
            {
                await _items.DisposeAsync();
            }
            catch (IOException)
            {
                // The connection that was just ended.
            }
        }
    }
}
