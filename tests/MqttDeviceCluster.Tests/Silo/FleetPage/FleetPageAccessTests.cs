using System.Net;

namespace MqttDeviceCluster.Tests.Silo.FleetPage;

public sealed class FleetPageAccessTests
{
    private const string Token = "correct-horse-battery";
    private const string Body = """{"device":"a","pin":13,"state":"high"}""";

    [Theory]
    [InlineData("localhost", HttpStatusCode.OK)]
    [InlineData("LOCALHOST:8080", HttpStatusCode.OK)]
    [InlineData("127.0.0.1", HttpStatusCode.OK)]
    [InlineData("127.9.8.7:1", HttpStatusCode.OK)]
    [InlineData("[::1]:8080", HttpStatusCode.OK)]
    [InlineData("rebound.example", HttpStatusCode.Forbidden)]
    [InlineData("localhost.rebound.example", HttpStatusCode.Forbidden)]
    [InlineData("192.168.1.7:8080", HttpStatusCode.Forbidden)]
    [InlineData("0.0.0.0", HttpStatusCode.Forbidden)]
    public async Task NoToken_AnswersToLoopbackNamesAlone(string host, HttpStatusCode expected)
    {
        await using var page = await FleetPageHost.StartAsync();
        Accept(page);
        foreach (var path in new[] { "/", "/fleet/fleet.js", "/fleet/events" })
        {
            using var response = await page.GetAsync(path, ("Host", host));
            Assert.Equal(expected, response.StatusCode);
        }

        using var set = await page.SetAsync(Body, ("Host", host));
        Assert.Equal(expected, set.StatusCode);
    }

    [Theory]
    [InlineData("X-Forwarded-For", "10.0.0.1")]
    [InlineData("X-Original-For", "10.0.0.1")]
    [InlineData("Forwarded", "for=10.0.0.1")]
    [InlineData("Via", "1.1 proxy")]
    public async Task NoToken_RequestOfAProxy_IsRefused(string header, string value)
    {
        await using var page = await FleetPageHost.StartAsync();
        using var response = await page.GetAsync("/", (header, value));
        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
    }

    [Theory]
    [InlineData("Sec-Fetch-Site", "same-origin", true)]
    [InlineData("Sec-Fetch-Site", "cross-site", false)]
    [InlineData("Sec-Fetch-Site", "same-site", false)]
    [InlineData("Sec-Fetch-Site", "none", false)]
    [InlineData("Origin", "http://localhost:8080", true)]
    [InlineData("Origin", "https://localhost:8080", true)]
    [InlineData("Origin", "http://localhost:8081", false)]
    [InlineData("Origin", "http://evil.example", false)]
    [InlineData("Origin", "null", false)]
    [InlineData("X-Of", "a tool", true)]
    public async Task Set_FromAnotherSite_IsRefused(string header, string value, bool passes)
    {
        await using var page = await FleetPageHost.StartAsync();
        Accept(page);
        using var set = await page.SetAsync(Body, ("Host", "localhost:8080"), (header, value));
        Assert.Equal(passes ? HttpStatusCode.OK : HttpStatusCode.Forbidden, set.StatusCode);
        using var events = await page.GetAsync("/fleet/events", ("Host", "localhost:8080"), (header, value));
        Assert.Equal(passes || value == "none" ? HttpStatusCode.OK : HttpStatusCode.Forbidden, events.StatusCode);

        // A link from elsewhere leads to the page: there is nothing in it.
        using var link = await page.GetAsync("/", ("Host", "localhost:8080"), (header, value));
        Assert.Equal(HttpStatusCode.OK, link.StatusCode);
    }

    [Fact]
    public async Task Set_NotJson_IsRefused()
    {
        await using var page = await FleetPageHost.StartAsync();
        Accept(page);
        using var response = await page.SendAsync(HttpMethod.Post, "/fleet/pins", new StringContent(Body));
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, response.StatusCode);
    }

    [Fact]
    public async Task Token_NotGiven_OpensNothingButTheLogin()
    {
        await using var page = await FleetPageHost.StartAsync(Token);
        page.Fleet.OnSet = (_, _, _) => throw new InvalidOperationException("set without the token");
        foreach (var authorization in new[] { "", "Bearer", "Bearer ", $"Bearer {Token[..^1]}", $"Basic {Token}", Token })
        {
            using var events = await page.GetAsync("/fleet/events", ("Authorization", authorization));
            using var set = await page.SetAsync(Body, ("Authorization", authorization));
            Assert.Equal((HttpStatusCode.Unauthorized, HttpStatusCode.Unauthorized), (events.StatusCode, set.StatusCode));
            Assert.Equal("application/problem+json", set.Content.Headers.ContentType?.MediaType);
        }

        using var tool = await page.GetAsync("/");
        Assert.Equal(HttpStatusCode.Unauthorized, tool.StatusCode);
        using var browser = await page.GetAsync("/", ("Accept", "text/html,*/*;q=0.8"));
        Assert.Equal(HttpStatusCode.Unauthorized, browser.StatusCode);
        var form = await browser.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.Contains("action=\"fleet/login\"", form, StringComparison.Ordinal);
        Assert.DoesNotContain("{{", form, StringComparison.Ordinal);
        using var style = await page.GetAsync("/fleet/fleet.css");
        Assert.Equal(HttpStatusCode.OK, style.StatusCode);
    }

    [Theory]
    [InlineData("fleet.example")]
    [InlineData("10.1.2.3:8080")]
    public async Task Token_Bearer_OpensUnderAnyName(string host)
    {
        await using var page = await FleetPageHost.StartAsync(Token);
        Accept(page);
        (string, string)[] headers = [("Host", host), ("Authorization", $"Bearer {Token}"), ("X-Forwarded-For", "10.0.0.1")];
        using var events = await page.GetAsync("/fleet/events", headers);
        using var set = await page.SetAsync(Body, headers);
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), (events.StatusCode, set.StatusCode));
    }

    [Fact]
    public async Task Login_RightToken_GivesASessionThatIsNotTheToken()
    {
        await using var page = await FleetPageHost.StartAsync(Token);
        Accept(page);
        using var login = await page.LoginAsync(Token);
        Assert.Equal((HttpStatusCode.SeeOther, "../"), (login.StatusCode, login.Headers.Location?.OriginalString));
        var cookie = Assert.Single(login.Headers.GetValues("Set-Cookie"));
        Assert.Contains("; httponly", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("; samesite=strict", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("secure", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain(Token, cookie, StringComparison.Ordinal);

        var session = cookie.Split(';')[0];
        using var opened = await page.GetAsync("/", ("Cookie", session));
        using var set = await page.SetAsync(Body, ("Cookie", session));
        using var crossSite = await page.SetAsync(Body, ("Cookie", session), ("Origin", "https://evil.example"));
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK, HttpStatusCode.Forbidden), (opened.StatusCode, set.StatusCode, crossSite.StatusCode));

        // One digit of the date of expiry, and one of the signature.
        foreach (var at in new[] { session.IndexOf('=', StringComparison.Ordinal) + 1, session.Length - 1 })
        {
            var forged = session[..at] + (session[at] == '9' ? '8' : '9') + session[(at + 1)..];
            using var response = await page.GetAsync("/", ("Cookie", forged));
            Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        }

        await using var other = await FleetPageHost.StartAsync(Token + "2");
        using var elsewhere = await other.GetAsync("/", ("Cookie", session));
        Assert.Equal(HttpStatusCode.Unauthorized, elsewhere.StatusCode);
        await using var same = await FleetPageHost.StartAsync(Token);
        using var otherSilo = await same.GetAsync("/", ("Cookie", session));
        Assert.Equal(HttpStatusCode.OK, otherSilo.StatusCode);
    }

    [Fact]
    public async Task Login_BehindTls_GivesASecureCookie()
    {
        await using var page = await FleetPageHost.StartAsync(Token);
        using var login = await page.LoginAsync(Token, ("X-Forwarded-Proto", "https"));
        Assert.Contains("; secure", Assert.Single(login.Headers.GetValues("Set-Cookie")), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Login_FromAnotherSite_IsRefused()
    {
        await using var page = await FleetPageHost.StartAsync(Token);
        using var login = await page.LoginAsync(Token, ("Origin", "https://evil.example"));
        Assert.Equal(HttpStatusCode.Forbidden, login.StatusCode);
        Assert.False(login.Headers.Contains("Set-Cookie"));
    }

    [Fact]
    public async Task Logout_Session_IsTakenBack()
    {
        await using var page = await FleetPageHost.StartAsync(Token);
        using var logout = await page.SendAsync(HttpMethod.Post, "/fleet/logout");
        Assert.Equal(HttpStatusCode.SeeOther, logout.StatusCode);
        Assert.StartsWith("mdc-fleet=; expires=Thu, 01 Jan 1970", Assert.Single(logout.Headers.GetValues("Set-Cookie")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task WrongTokens_TooMany_StopTheSearchEvenWhenItFindsTheToken()
    {
        await using var page = await FleetPageHost.StartAsync(Token);
        Accept(page);
        using var before = await page.LoginAsync(Token);
        var session = Assert.Single(before.Headers.GetValues("Set-Cookie")).Split(';')[0];
        for (var i = 0; i < 5; i++)
        {
            using var login = await page.LoginAsync($"wrong-{i}");
            using var bearer = await page.SetAsync(Body, ("Authorization", $"Bearer wrong-{i}"));
            Assert.Equal((HttpStatusCode.Unauthorized, HttpStatusCode.Unauthorized), (login.StatusCode, bearer.StatusCode));
        }

        using var found = await page.LoginAsync(Token);
        using var foundByBearer = await page.SetAsync(Body, ("Authorization", $"Bearer {Token}"));
        Assert.Equal((HttpStatusCode.TooManyRequests, HttpStatusCode.TooManyRequests), (found.StatusCode, foundByBearer.StatusCode));
        Assert.Equal(TimeSpan.FromMinutes(1), found.Headers.RetryAfter?.Delta);

        // Who is in already stays in.
        using var inside = await page.SetAsync(Body, ("Cookie", session));
        Assert.Equal(HttpStatusCode.OK, inside.StatusCode);
    }

    [Fact]
    public async Task Page_IsKeptByItsTagAndLoadsNothingFromElsewhere()
    {
        await using var page = await FleetPageHost.StartAsync();
        using var first = await page.GetAsync("/");
        var policy = Assert.Single(first.Headers.GetValues("Content-Security-Policy"));
        Assert.StartsWith("default-src 'none'; script-src 'self'; ", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        Assert.Equal(("text/html", "no-cache"), (first.Content.Headers.ContentType?.MediaType, first.Headers.CacheControl?.ToString()));
        var html = await first.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.DoesNotContain("//", html, StringComparison.Ordinal);

        using var second = await page.GetAsync("/", ("If-None-Match", first.Headers.ETag!.ToString()));
        Assert.Equal(HttpStatusCode.NotModified, second.StatusCode);
        using var script = await page.GetAsync("/fleet/fleet.js");
        Assert.Equal("text/javascript", script.Content.Headers.ContentType?.MediaType);
        Assert.Equal("nosniff", Assert.Single(script.Headers.GetValues("X-Content-Type-Options")));
        using var login = await page.GetAsync("/fleet/login.html");
        Assert.Equal(HttpStatusCode.NotFound, login.StatusCode);
    }

    private static void Accept(FleetPageHost page) =>
        page.Fleet.OnSet = (id, pin, _) => Task.FromResult(new CommandResult(id, Guid.Empty, [FakeFleet.Pin(pin.Pin, pin.State)], Evidence.Observed));
}
