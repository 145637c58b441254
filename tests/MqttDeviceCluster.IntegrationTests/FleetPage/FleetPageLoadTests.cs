using System.Collections.Immutable;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Simulator;
using OpenQA.Selenium;

namespace MqttDeviceCluster.IntegrationTests.FleetPage;

/// <summary>The page while a whole fleet changes: how long its frames take.</summary>
[Collection(AloneCollection.Name)]
public sealed class FleetPageLoadTests
{
    [Fact]
    public async Task FiveThousandDevices_AllSending_ThePageDoesNotCrawl()
    {
        const int Count = 5_000;
        using Browser browser = new();
        await using var silo = await SiloProcess.StartAsync();
        await using var fleet = new SimulatedFleet(new SimulatedFleetOptions
        {
            Broker = silo.Broker,
            Count = Count,
            Subscription = FleetSubscription.Wildcard,
            ReportInterval = TimeSpan.FromSeconds(5),
        });
        await fleet.StartAsync(TestContext.Current.CancellationToken);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        var changes = ChangeAsync(fleet.Devices, ended.Token);
        browser.Driver.Navigate().GoToUrl(silo.Http.BaseAddress!);
        await browser.WaitForAsync<long>("return +document.querySelector('#counts b').textContent.replace(',', '')", count => count == Count);

        // Scrolls and searches while everything changes.
        browser.Run<object?>("""
            window.tasks = [];
            window.frames = [];
            new PerformanceObserver(list => window.tasks.push(...list.getEntries().map(entry => entry.duration))).observe({ type: "longtask" });
            let last = performance.now();
            const scroller = document.getElementById("scroller");
            requestAnimationFrame(function frame(now) {
              window.frames.push(now - last);
              last = now;
              scroller.scrollTop += 40;
              requestAnimationFrame(frame);
            });
            """);
        await browser.WaitForAsync<long>("return window.frames.length", frames => frames > 200);
        browser.Driver.FindElement(By.Id("search")).SendKeys("13=high");
        await browser.WaitForAsync<long>("return window.frames.length", frames => frames > 400);
        await ended.CancelAsync();
        await changes;

        var rows = browser.Run<long>("return document.querySelectorAll('.row').length");
        var shown = browser.Run<string>("return document.querySelector('.row')?.ariaSetSize ?? '0'");
        var median = Convert.ToDouble(browser.Run<object>("return window.frames.sort((a, b) => a - b)[window.frames.length >> 1]"), null);
        var longest = Convert.ToDouble(browser.Run<object>("return Math.max(0, ...window.tasks)"), null);
        TestContext.Current.TestOutputHelper?.WriteLine($"{rows} rows of {shown}; median frame {median:0} ms; longest task {longest:0} ms.");
        Assert.InRange(rows, 1, 60);
        Assert.NotEqual("0", shown);

        // A page that draws all of its rows, or goes through all of them for each change, needs seconds.
        Assert.True(median < 100, $"The median frame took {median:0} ms.");
        Assert.True(longest < 1000, $"The longest task took {longest:0} ms.");
    }

    private static async Task ChangeAsync(ImmutableArray<SimulatedDevice> devices, CancellationToken cancellationToken)
    {
        // What devices do by themselves comes in its own time: 500 changes a second, beside a thousand reports of the same.
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        for (var i = 0; !cancellationToken.IsCancellationRequested;)
        {
            for (var n = 0; n < 10; n++, i++)
            {
                var device = devices[Random.Shared.Next(devices.Length)];
                device.ChangePin(13, i % 2);
            }

            Task tick = timer.WaitForNextTickAsync(cancellationToken).AsTask();
            await tick.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
