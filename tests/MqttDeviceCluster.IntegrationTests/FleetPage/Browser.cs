using System.Collections.ObjectModel;
using OpenQA.Selenium;
using OpenQA.Selenium.Chrome;

namespace MqttDeviceCluster.IntegrationTests.FleetPage;

/// <summary>
/// Debian's headless Chromium with a profile of its own, driven by its chromedriver. A test on a machine without them is skipped, and fails when the environment variable
/// CI is set.
/// </summary>
public sealed class Browser : IDisposable
{
    /// <summary>Generous: the machine may be busy with other tests. Reaching it is a failure.</summary>
    public static readonly TimeSpan Bound = TimeSpan.FromSeconds(60);

    private readonly string _profile = Directory.CreateTempSubdirectory("chromium-test-").FullName;
    private readonly ChromeDriverService _service;
    private readonly ChromeDriver _driver;

    public Browser()
    {
        var driver = Find("chromedriver");
        var options = new ChromeOptions { BinaryLocation = Find("chromium") };
        options.SetLoggingPreference(LogType.Browser, LogLevel.All);
        options.AddArguments(
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--lang=en",
            "--window-size=1280,800",
            $"--user-data-dir={_profile}");

        // Both paths are given: Selenium looks for nothing, and downloads nothing.
        _service = ChromeDriverService.CreateDefaultService(Path.GetDirectoryName(driver), Path.GetFileName(driver));
        _service.SuppressInitialDiagnosticInformation = true;
        _driver = new ChromeDriver(_service, options, Bound);
    }

    public IWebDriver Driver => _driver;

    /// <summary>Runs a script in the page, and returns what it returns.</summary>
    public T Run<T>(string script, params object[] arguments) => (T)_driver.ExecuteScript(script, arguments)!;

    /// <summary>Sends a command of the DevTools protocol.</summary>
    public void Send(string command, Dictionary<string, object?> parameters) => _driver.ExecuteCdpCommand(command, parameters);

    /// <summary>Presses keys wherever the focus is.</summary>
    public void Press(string keys) => _driver.SwitchTo().ActiveElement().SendKeys(keys);

    /// <summary>Waits until a script returns what <paramref name="accept"/> accepts, and returns that.</summary>
    public async Task<T> WaitForAsync<T>(string script, Predicate<T> accept, params object[] arguments)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        bound.CancelAfter(Bound);
        while (true)
        {
            var value = (T)_driver.ExecuteScript(script, arguments)!;
            if (accept(value))
            {
                return value;
            }

            try
            {
                // The driver has no events: the page is asked again.
                await Task.Delay(50, bound.Token);
            }
            catch (OperationCanceledException) when (!TestContext.Current.CancellationToken.IsCancellationRequested)
            {
                throw new TimeoutException($"{script}\nreturned {value} to the end. The page:\n{_driver.FindElement(By.TagName("body")).Text}");
            }
        }
    }

    /// <summary>Returns what the page's scripts and the browser complained of since the last call.</summary>
    public ReadOnlyCollection<LogEntry> TakeLog() => _driver.Manage().Logs.GetLog(LogType.Browser);

    public void Dispose()
    {
        _driver.Quit();
        _service.Dispose();
        Directory.Delete(_profile, recursive: true);
    }

    private static string Find(string program)
    {
        foreach (var directory in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
        {
            var path = Path.Combine(directory, program);
            if (File.Exists(path))
            {
                return path;
            }
        }

        var reason = $"{program} is not installed (Debian packages: chromium, chromium-driver).";
        if (!string.IsNullOrEmpty(Environment.GetEnvironmentVariable("CI")))
        {
            Assert.Fail(reason);
        }

        Assert.Skip(reason);
        return "";
    }
}
