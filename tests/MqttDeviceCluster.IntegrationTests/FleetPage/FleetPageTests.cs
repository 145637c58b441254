using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Simulator;
using OpenQA.Selenium;

namespace MqttDeviceCluster.IntegrationTests.FleetPage;

/// <summary>The page in a real browser, served by a real silo with simulated devices.</summary>
public sealed class FleetPageTests(FleetPageSystem system) : IClassFixture<FleetPageSystem>, IAsyncLifetime
{
    private const string PinText =
        "return [...document.querySelectorAll('.row')].find(row => row.dataset.id === arguments[0])?.querySelector(`[data-pin='${arguments[1]}'] .level`)?.textContent ?? ''";
    private const string Toasts = "return document.getElementById('toasts').innerText";
    private const string IsAsking = "return document.getElementById('confirm').open";

    private Browser _browser = null!;
    private SimulatedFleet _fleet = null!;

    public async ValueTask InitializeAsync()
    {
        // Not where the fixture is made: a missing browser skips a test, not a fixture.
        await system.EnsureStartedAsync();
        (_browser, _fleet) = (system.Browser, system.Fleet);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task Device_ChangesAndGoes_ThePageShowsIt()
    {
        var device = _fleet["544B3B144B8C"];
        await OpenAsync();
        await WaitForPinAsync(device.Id, 13, "low");

        device.ChangePin(13, 1);
        device.ChangePin(4, 1);
        await WaitForPinAsync(device.Id, 13, "high");
        await WaitForPinAsync(device.Id, 4, "high");

        device.DropConnection();
        await _browser.WaitForAsync<string>("return document.querySelector('[data-presence=offline] b').textContent", count => count != "0");
        _browser.Driver.FindElement(By.CssSelector("[data-presence=offline]")).Click();
        await _browser.WaitForAsync<string>("return [...document.querySelectorAll('.row')].map(row => row.innerText).join()", rows =>
            rows.StartsWith(device.Id, StringComparison.Ordinal) && rows.Contains("Offline", StringComparison.Ordinal) && !rows.Contains("Online", StringComparison.Ordinal));
        Assert.Empty(_browser.TakeLog());
    }

    [Fact]
    public async Task Click_OutputPin_SetsItAfterAConfirmationOnly()
    {
        var device = _fleet["544B3B144B8A"];
        await OpenAsync();
        await WaitForPinAsync(device.Id, 13, "low");

        Pin(device.Id, 13).Click();
        await _browser.WaitForAsync<bool>(IsAsking, asking => asking);
        Assert.Equal("Cancel", _browser.Driver.SwitchTo().ActiveElement().Text);
        _browser.Press(Keys.Escape);
        await _browser.WaitForAsync<bool>(IsAsking, asking => !asking);
        Assert.Equal(0, device.CommandCount);

        var command = device.WaitForCommandAsync(null, TestContext.Current.CancellationToken);
        Pin(device.Id, 13).Click();
        _browser.Driver.FindElement(By.Id("confirm-high")).Click();
        Assert.Equal((13, 1), (await command.WaitAsync(Browser.Bound, TestContext.Current.CancellationToken)).Pins.Select(pin => (pin.Pin, pin.State ?? -1)).Single());
        await _browser.WaitForAsync<string>(Toasts, text => text.Contains("Pin 13 is high.", StringComparison.Ordinal) && text.Contains("The device confirmed this command.", StringComparison.Ordinal));
        await WaitForPinAsync(device.Id, 13, "high");
        await _browser.WaitForAsync<string>("return document.getElementById('said').textContent", text => text.Contains($"Pin 13 of {device.Id}: high.", StringComparison.Ordinal));
        Assert.Equal("13", _browser.Driver.SwitchTo().ActiveElement().GetDomAttribute("data-pin"));
        Assert.Equal(1, device.CommandCount);
        Assert.Empty(_browser.Driver.FindElements(By.CssSelector("button[data-pin='4']")));
        Assert.Empty(_browser.TakeLog());
    }

    [Fact]
    public async Task Click_DeviceDoesNotAnswer_SaysThatNobodyKnows()
    {
        var device = _fleet["544B3B144B8B"];
        await OpenAsync();
        await WaitForPinAsync(device.Id, 14, "high");
        device.Behavior = device.Behavior with { Silent = true };

        Pin(device.Id, 14).Click();
        _browser.Driver.FindElement(By.Id("confirm-low")).Click();
        await WaitForPinAsync(device.Id, 14, "to low");
        await _browser.WaitForAsync<string>(Toasts, text => text.Contains("may or may not have been set", StringComparison.Ordinal));
        await WaitForPinAsync(device.Id, 14, "high");
    }

    [Fact]
    public async Task Click_AnswerBreaksOff_SaysThatNobodyKnowsAndFreesThePin()
    {
        var device = _fleet["544B3B144B8B"];
        await OpenAsync();
        await WaitForPinAsync(device.Id, 14, "high");
        _browser.Run<object?>("window.fetch = async () => new Response('{', { status: 200 })");

        Pin(device.Id, 14).Click();
        _browser.Driver.FindElement(By.Id("confirm-low")).Click();

        await _browser.WaitForAsync<string>(Toasts, text => text.Contains("The silo did not answer. The pin may or may not have been set.", StringComparison.Ordinal));
        await WaitForPinAsync(device.Id, 14, "high");
        Pin(device.Id, 14).Click();
        await _browser.WaitForAsync<bool>(IsAsking, asking => asking);
    }

    [Fact]
    public async Task Keyboard_Alone_FindsAndSetsAPin()
    {
        var device = _fleet["544B3B144B8D"];
        await OpenAsync();
        await WaitForPinAsync(device.Id, 14, "high");

        _browser.Press("/");
        _browser.Press("4b8d 14=high");
        await _browser.WaitForAsync<long>("return document.querySelectorAll('.row').length", rows => rows == 1);
        for (var presses = 0; !Focus().Contains("row", StringComparison.Ordinal); presses++)
        {
            Assert.True(presses < 10, $"The list is not reached with the Tab key; at last: {Focus()}");
            _browser.Press(Keys.Tab);
        }

        _browser.Press(Keys.ArrowRight);
        _browser.Press(Keys.ArrowRight);
        Assert.Equal("14", _browser.Driver.SwitchTo().ActiveElement().GetDomAttribute("data-pin"));
        _browser.Press(Keys.Enter);
        await _browser.WaitForAsync<bool>(IsAsking, asking => asking);
        _browser.Press(Keys.Tab);
        Assert.Equal("Set low", _browser.Driver.SwitchTo().ActiveElement().Text);
        _browser.Press(Keys.Enter);
        await _browser.WaitForAsync<string>(Toasts, text => text.Contains("Pin 14 is low.", StringComparison.Ordinal));
        Assert.Equal(0, device.Pins.Single(pin => pin.Pin == 14).State);
    }

    [Fact]
    public async Task Id_Hostile_IsText()
    {
        await OpenAsync();
        await WaitForPinAsync(FleetPageSystem.Hostile, 13, "low");
        Assert.Equal("Fleet", _browser.Driver.Title);
        Assert.Empty(_browser.Driver.FindElements(By.TagName("img")));
        Assert.Single(_browser.Driver.FindElements(By.CssSelector(".row .id")), element => element.Text == "<img src=x onerror=document.title=1>⟨U+202E⟩");

        Pin(FleetPageSystem.Hostile, 13).Click();
        _browser.Driver.FindElement(By.Id("confirm-high")).Click();
        await WaitForPinAsync(FleetPageSystem.Hostile, 13, "high");
        Assert.Empty(_browser.TakeLog());
    }

    [Theory]
    [InlineData(1280, "light")]
    [InlineData(360, "dark")]
    public async Task Page_AnyWidthAndScheme_FitsAndIsReadable(int width, string scheme)
    {
        _browser.Send("Emulation.setDeviceMetricsOverride", new() { ["width"] = width, ["height"] = 740, ["deviceScaleFactor"] = 1, ["mobile"] = width < 600 });
        _browser.Send("Emulation.setEmulatedMedia", new()
        {
            ["features"] = new object[] { new Dictionary<string, object> { ["name"] = "prefers-color-scheme", ["value"] = scheme } },
        });
        await OpenAsync();

        // Whatever the tests before this one have set it to.
        await _browser.WaitForAsync<string>(PinText, static level => level.Length > 0, "544B3B144B8A", 13);

        Assert.Equal("", _browser.Run<string>("""
            const page = document.documentElement;
            const wrong = [];
            if (page.scrollWidth > page.clientWidth) wrong.push(`the page is ${page.scrollWidth} wide`);
            for (const element of document.querySelectorAll("button, input")) {
              const { width, height, right } = element.getBoundingClientRect();
              if (width > 0 && (height < 43.9 || width < 43.9)) wrong.push(`${element.outerHTML} is ${width} x ${height}`);
              if (right > page.clientWidth) wrong.push(`${element.outerHTML} ends at ${right}`);
            }
            const rows = [...document.querySelectorAll(".row")];
            for (const row of rows) {
              if (row.scrollHeight > row.clientHeight) wrong.push(`${row.innerText} needs ${row.scrollHeight}, has ${row.clientHeight}`);
            }
            const luminance = color => {
              const [r, g, b] = color.match(/[\d.]+/g).map(n => n / 255).map(n => n <= 0.03928 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4);
              return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const back = element => {
              const color = getComputedStyle(element).backgroundColor;
              return color === "rgba(0, 0, 0, 0)" ? back(element.parentElement) : color;
            };
            for (const element of document.querySelectorAll("h1, .state, .counts button, .presence, .seen, .pin b, .level, .pin small, .row .id")) {
              const [a, b] = [luminance(getComputedStyle(element).color), luminance(back(element))].sort((x, y) => y - x);
              if ((a + 0.05) / (b + 0.05) < 4.5) wrong.push(`${element.className} ${element.innerText} has contrast ${(a + 0.05) / (b + 0.05)}`);
            }
            return wrong.join("\n");
            """));
        var isDark = _browser.Run<string>("return getComputedStyle(document.body).backgroundColor") is "rgb(18, 20, 24)";
        Assert.Equal(scheme == "dark", isDark);
        _browser.Send("Emulation.clearDeviceMetricsOverride", []);
    }

    [Fact]
    public async Task Silo_Restarted_ThePageSaysSoAndComesBack()
    {
        var directory = Directory.CreateTempSubdirectory("mdc-");
        try
        {
            await using var first = await SiloProcess.StartAsync(new() { DataDirectory = directory.FullName, Arguments = ["--simulate", "2"] });
            _browser.Driver.Navigate().GoToUrl(first.Http.BaseAddress!);
            await WaitForStateAsync("live");

            await first.KillAsync();
            await WaitForStateAsync("lost");
            Assert.Contains("connection to the silo is lost", _browser.Driver.FindElement(By.Id("banner")).Text, StringComparison.Ordinal);

            await using var second = await SiloProcess.StartAsync(new()
            {
                DataDirectory = directory.FullName,
                BrokerPort = first.BrokerPort,
                SiloPort = first.SiloPort,
                GatewayPort = first.GatewayPort,
                HttpPort = first.HttpPort,
            });
            await WaitForStateAsync("live");
            Assert.Equal("", _browser.Driver.FindElement(By.Id("banner")).Text);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task Token_Configured_IsAskedForOnce()
    {
        var port = FreePorts.Next();
        await using var silo = await SiloProcess.StartAsync(new()
        {
            Environment = new Dictionary<string, string> { ["FleetPage__Token"] = "correct-horse-battery" },
            HttpPort = port,
            Arguments = ["--FleetPage:Enabled=true", $"--Urls=http://0.0.0.0:{port}"],
        });
        _browser.Driver.Navigate().GoToUrl(silo.Http.BaseAddress!);
        _browser.Press("not-the-right-token" + Keys.Enter);
        await _browser.WaitForAsync<string>("return document.getElementById('problem')?.textContent ?? ''", text => text == "That is not the token.");
        _browser.Press("correct-horse-battery" + Keys.Enter);
        await WaitForStateAsync("live");
        Assert.Equal(silo.Http.BaseAddress, new Uri(_browser.Driver.Url));
        Assert.Equal("", _browser.Run<string>("return document.cookie"));

        _browser.Driver.FindElement(By.CssSelector("#logout button")).Click();
        await _browser.WaitForAsync<bool>("return document.getElementById('token') !== null", isAsked => isAsked);
        silo.Terminate();
        Assert.Equal(0, await silo.WaitForExitAsync());
        Assert.DoesNotContain("correct-horse", silo.Output + silo.Error, StringComparison.Ordinal);
    }

    private async Task OpenAsync()
    {
        _browser.TakeLog();
        _browser.Driver.Navigate().GoToUrl(system.Silo.Http.BaseAddress!);
        await WaitForStateAsync("live");
    }

    private Task<string> WaitForStateAsync(string state) => _browser.WaitForAsync<string>("return document.getElementById('state')?.dataset.state ?? ''", now => now == state);

    private Task<string> WaitForPinAsync(string id, int pin, string level) => _browser.WaitForAsync<string>(PinText, now => now == level, id, pin);

    private IWebElement Pin(string id, int pin) =>
        _browser.Run<IWebElement>("return [...document.querySelectorAll('.row')].find(row => row.dataset.id === arguments[0]).querySelector(`[data-pin='${arguments[1]}']`)", id, pin);

    private string Focus() => _browser.Run<string>("return document.activeElement.className + ' ' + document.activeElement.id");
}
