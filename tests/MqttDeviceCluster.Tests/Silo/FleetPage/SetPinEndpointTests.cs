using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace MqttDeviceCluster.Tests.Silo.FleetPage;

public sealed class SetPinEndpointTests
{
    public static TheoryData<Exception, HttpStatusCode, string, string> Failures => new()
    {
        { new DeviceTimeoutException("a", TimeSpan.FromSeconds(5), [13], true), HttpStatusCode.GatewayTimeout, "unknown", "may or may not have been set" },
        { new DeviceTimeoutException("a", TimeSpan.FromSeconds(5), [13], false), HttpStatusCode.GatewayTimeout, "nothing", "before it was sent. Nothing happened." },
        { new DeviceOfflineException("a"), HttpStatusCode.Conflict, "nothing", "Device 'a' is offline" },
        { new DeviceBusyException("a", 64), HttpStatusCode.ServiceUnavailable, "nothing", "64 commands in line" },
        { new BrokerUnavailableException("a", "the broker is away", false), HttpStatusCode.BadGateway, "nothing", "the broker is away" },
        { new DeviceInterruptedException("a", "the silo is stopping", true), HttpStatusCode.ServiceUnavailable, "unknown", "Whether the device got the command is unknown" },
        { new DeviceInterruptedException("a", "the silo is stopping", false), HttpStatusCode.ServiceUnavailable, "nothing", "Nothing was sent" },
        { new ArgumentException("pin -1 is negative"), HttpStatusCode.BadRequest, "nothing", "pin -1 is negative" },
        { new OrleansException("the inside of the cluster"), HttpStatusCode.ServiceUnavailable, "unknown", "The cluster did not answer" },
        { new TimeoutException("the inside of the cluster"), HttpStatusCode.ServiceUnavailable, "unknown", "The cluster did not answer" },
    };

    [Theory]
    [InlineData("a")]
    [InlineData("..")]
    [InlineData("<img src=x onerror=alert(1)>")]
    [InlineData("\u202eevil \\ ? & % \"")]
    public async Task Set_AnyDevice_AnswersWhatWasConfirmed(string id)
    {
        await using var page = await FleetPageHost.StartAsync();
        var command = Guid.NewGuid();
        (string, SetPin)? asked = null;
        page.Fleet.OnSet = (device, pin, _) =>
        {
            asked = (device, pin);
            return Task.FromResult(new CommandResult(device, command, [FakeFleet.Pin(13, PinState.High)], Evidence.Echoed));
        };

        using var response = await page.SetAsync(JsonSerializer.Serialize(new { device = id, pin = 13, state = "high" }));

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal((id, new SetPin(13, PinState.High)), asked);
        Assert.Equal("no-store", response.Headers.CacheControl?.ToString());
        var answer = JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).RootElement;
        Assert.Equal(id, answer.GetProperty("device").GetString());
        Assert.Equal((13, 3, 1), (answer.GetProperty("pin").GetInt32(), answer.GetProperty("mode").GetInt32(), answer.GetProperty("state").GetInt32()));
        Assert.Equal(FakeFleet.Start.ToUnixTimeMilliseconds(), answer.GetProperty("at").GetInt64());
        Assert.Equal(("echoed", command), (answer.GetProperty("evidence").GetString(), answer.GetProperty("commandId").GetGuid()));
    }

    [Theory]
    [MemberData(nameof(Failures), DisableDiscoveryEnumeration = true)]
    public async Task Set_Fails_SaysWhatIsKnown(Exception failure, HttpStatusCode status, string outcome, string words)
    {
        await using var page = await FleetPageHost.StartAsync();
        page.Fleet.OnSet = (_, _, _) => Task.FromException<CommandResult>(failure);

        using var response = await page.SetAsync("""{"device":"a","pin":13,"state":"low"}""");

        Assert.Equal(status, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        var problem = JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).RootElement;
        Assert.Equal(outcome, problem.GetProperty("outcome").GetString());
        Assert.Contains(words, problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.DoesNotContain("inside of the cluster", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("""{"device":"a","pin":13}""")]
    [InlineData("""{"device":null,"pin":13,"state":"high"}""")]
    [InlineData("""{"device":"a","pin":"13","state":"high"}""")]
    [InlineData("""{"device":"a","pin":1.5,"state":"high"}""")]
    [InlineData("""{"device":"a","pin":13,"state":"High"}""")]
    [InlineData("""{"device":"a","pin":13,"state":1}""")]
    [InlineData("""{"device":"a","pin":13,"state":"high","time":500}""")]
    [InlineData("""{"device":"a/b","pin":13,"state":"high"}""")]
    public async Task Set_BadRequest_IsRefused(string body)
    {
        await using var page = await FleetPageHost.StartAsync();
        using var response = await page.SetAsync(body);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
    }

    [Fact]
    public async Task Set_HugeBody_IsNotRead()
    {
        await using var page = await FleetPageHost.StartAsync();
        using var response = await page.SetAsync("{\"device\":\"" + new string('a', 10_000) + "\",\"pin\":13,\"state\":\"high\"}");
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
        await page.StopAsync();
        Assert.DoesNotContain(page.Log.GetSnapshot(), static record => record.Level >= LogLevel.Warning);
    }

    [Fact]
    public async Task Set_BodyIsBadBeforeItIsThere_IsRefusedWithoutAWordInTheLog()
    {
        await using var page = await FleetPageHost.StartAsync();
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, page.Http.BaseAddress!.Port, TestContext.Current.CancellationToken);
        var stream = client.GetStream();
        await stream.WriteAsync(
            Encoding.ASCII.GetBytes($"POST /fleet/pins HTTP/1.1\r\nHost: {page.Http.BaseAddress.Authority}\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\nnot json"),
            TestContext.Current.CancellationToken);
        using StreamReader reader = new(stream, Encoding.ASCII, leaveOpen: true);
        Assert.Equal("HTTP/1.1 400 Bad Request", await reader.ReadLineAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(FleetPageHost.Bound, TestContext.Current.CancellationToken));

        // Kestrel reads what is left of a body after the answer, and would warn if it could not.
        await stream.WriteAsync("and goes on."u8.ToArray(), TestContext.Current.CancellationToken);
        await page.StopAsync();
        Assert.DoesNotContain(page.Log.GetSnapshot(), static record => record.Level >= LogLevel.Warning);
    }

    [Fact]
    public async Task Set_BrowserGoes_TakesTheCommandBack()
    {
        await using var page = await FleetPageHost.StartAsync();
        var asked = new TaskCompletionSource();
        var cancelled = new TaskCompletionSource();
        page.Fleet.OnSet = async (_, _, cancellationToken) =>
        {
            cancellationToken.Register(cancelled.SetResult);
            asked.SetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
            throw new InvalidOperationException();
        };

        using var gone = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        using var content = new StringContent("""{"device":"a","pin":13,"state":"low"}""", null, "application/json");
        var post = page.Http.PostAsync(new Uri("/fleet/pins", UriKind.Relative), content, gone.Token);
        await asked.Task.WaitAsync(FleetPageHost.Bound, TestContext.Current.CancellationToken);
        await gone.CancelAsync();

        await cancelled.Task.WaitAsync(FleetPageHost.Bound, TestContext.Current.CancellationToken);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => post);
    }
}
