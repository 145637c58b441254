using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace MqttDeviceCluster.IntegrationTests.Infrastructure;

/// <summary>The built silo as a child process, on free ports of loopback and with a data directory of its own.</summary>
internal sealed class SiloProcess : IAsyncDisposable
{
    /// <summary>Generous: the machine may be busy with other tests. Reaching it is a failure.</summary>
    public static readonly TimeSpan DefaultBound = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly bool _ownsDataDirectory;
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _error = new();

    private SiloProcess(SiloProcessOptions options)
    {
        BrokerPort = options.BrokerPort ?? FreePorts.Next();
        SiloPort = options.SiloPort ?? FreePorts.Next();
        GatewayPort = options.GatewayPort ?? FreePorts.Next();
        HttpPort = options.HttpPort ?? FreePorts.Next();
        _ownsDataDirectory = options.DataDirectory is null;
        DataDirectory = options.DataDirectory ?? Path.Combine(Path.GetTempPath(), $"mdc-{Guid.NewGuid():N}");
        Http = new HttpClient { BaseAddress = new Uri($"http://{options.Address}:{HttpPort}"), Timeout = TimeSpan.FromSeconds(10) };

        var dll = SiloDll(options.Binaries);
        List<string> arguments =
        [
            dll,
            $"--EmbeddedBroker:Port={BrokerPort}",
            $"--Orleans:Endpoints:SiloPort={SiloPort}",
            $"--Orleans:Endpoints:GatewayPort={GatewayPort}",
            $"--Urls=http://{options.Address}:{HttpPort}",
            $"--DataDirectory={DataDirectory}",
        ];
        if (!options.Dashboard)
        {
            arguments.Add("--Dashboard:Enabled=false");
        }

        if (options.Broker is not null)
        {
            arguments.Add($"--ConnectionStrings:mqtt={options.Broker}");
        }

        _process = Start(
            options.Command ?? [.. options.Launcher, "dotnet", .. options.ReplaceArguments ? [dll, .. options.Arguments] : arguments.Concat(options.Arguments)], options.Environment);
    }

    /// <summary>Gets the port of the embedded broker; nothing listens there when another broker is used.</summary>
    public int BrokerPort { get; }

    public int SiloPort { get; }

    public int GatewayPort { get; }

    public int HttpPort { get; }

    public string DataDirectory { get; }

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>Gets a client whose base address is the silo's HTTP.</summary>
    public HttpClient Http { get; }

    /// <summary>Gets the embedded broker.</summary>
    public Uri Broker => new($"mqtt://127.0.0.1:{BrokerPort}");

    /// <summary>Gets what it wrote to standard output so far.</summary>
    public string Output => Text(_output);

    /// <summary>Gets what it wrote to standard error so far.</summary>
    public string Error => Text(_error);

    /// <summary>Starts a silo and waits until it is ready.</summary>
    public static async Task<SiloProcess> StartAsync(SiloProcessOptions? options = null)
    {
        var silo = Launch(options);
        try
        {
            await silo.WaitForReadyAsync();
            return silo;
        }
        catch
        {
            await silo.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts a silo without waiting for anything.</summary>
    public static SiloProcess Launch(SiloProcessOptions? options = null) => new(options ?? new SiloProcessOptions());

    /// <summary>Waits until <c>/health/ready</c> answers 200.</summary>
    /// <exception cref="InvalidOperationException">The silo ended, or was not ready in time; the message holds what it wrote.</exception>
    public Task WaitForReadyAsync(TimeSpan? bound = null) => WaitForHealthAsync("/health/ready", _ => true, bound);

    /// <summary>Waits until a health endpoint answers 200 with a body that <paramref name="accept"/> accepts, and returns the body.</summary>
    /// <exception cref="InvalidOperationException">The silo ended, or did not answer so in time; the message holds what it wrote.</exception>
    public async Task<string> WaitForHealthAsync(string path, Func<string, bool> accept, TimeSpan? bound = null) =>
        await AskAsync(path, HttpStatusCode.OK, accept, bound ?? DefaultBound)
        ?? throw new InvalidOperationException($"The silo ended with {await WaitForExitAsync()}.\n{Output}\n{Error}");

    /// <summary>Waits until a health endpoint answers with a status, and returns the body, or <see langword="null"/> when the silo ended.</summary>
    /// <exception cref="InvalidOperationException">It did not answer so in time; the message holds what it wrote.</exception>
    public Task<string?> WaitForHealthAsync(string path, HttpStatusCode status) => AskAsync(path, status, static _ => true, DefaultBound);

    /// <summary>Waits until a line of its standard output holds <paramref name="text"/>, and returns that line.</summary>
    /// <exception cref="InvalidOperationException">It was not written in time; the message holds what was.</exception>
    public async Task<string> WaitForOutputAsync(string text, TimeSpan? bound = null)
    {
        var watch = Stopwatch.StartNew();
        while (watch.Elapsed < (bound ?? DefaultBound))
        {
            if (Output.Split('\n').FirstOrDefault(line => line.Contains(text, StringComparison.Ordinal)) is { } line)
            {
                return line;
            }

            // The output of a process is gathered elsewhere: it is looked at again.
            await Task.Delay(50);
        }

        throw new InvalidOperationException($"The silo did not write '{text}'.\n{Output}\n{Error}");
    }

    /// <summary>Asks it to stop (SIGTERM).</summary>
    public void Terminate() => Signal("TERM");

    /// <summary>Sends it a signal by name: <c>STOP</c> freezes it, <c>CONT</c> lets it go on.</summary>
    public void Signal(string name)
    {
        using var kill = Process.Start("kill", ["-" + name, Id.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    /// <summary>Kills it (SIGKILL) and waits until it is gone.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await WaitForExitAsync();
    }

    /// <summary>Waits until it ends, with all its output read, and returns its exit code.</summary>
    public async Task<int> WaitForExitAsync(TimeSpan? bound = null)
    {
        using var timeout = new CancellationTokenSource(bound ?? DefaultBound);
        try
        {
            await _process.WaitForExitAsync(timeout.Token);
        }
        catch (OperationCanceledException)
        {
            throw new InvalidOperationException($"The silo did not end in time.\n{Output}\n{Error}");
        }

        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            await KillAsync();
        }

        _process.Dispose();
        Http.Dispose();
        if (_ownsDataDirectory && Directory.Exists(DataDirectory))
        {
            Directory.Delete(DataDirectory, recursive: true);
        }
    }

    private async Task<string?> AskAsync(string path, HttpStatusCode status, Func<string, bool> accept, TimeSpan bound)
    {
        var last = "nothing";
        var watch = Stopwatch.StartNew();
        while (watch.Elapsed < bound)
        {
            if (_process.HasExited)
            {
                return null;
            }

            try
            {
                using var response = await Http.GetAsync(new Uri(path, UriKind.Relative));
                var body = await response.Content.ReadAsStringAsync();
                last = $"{(int)response.StatusCode} {body}";
                if (response.StatusCode == status && accept(body))
                {
                    return body;
                }
            }
            // The last one leaves HttpClient as it is when the silo resets a connection in the moment in which it is made.
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException or SocketException)
            {
                last = e.Message;
            }

            // HTTP cannot be awaited: it is asked again.
            await Task.Delay(50);
        }

        throw new InvalidOperationException($"{path} did not answer as expected; last: {last}.\n{Output}\n{Error}");
    }

    private static string SiloDll(string? directory)
    {
        var dll = Path.Combine(directory ?? Repository.OutputOf("MqttDeviceCluster.Silo"), "MqttDeviceCluster.Silo.dll");
        return File.Exists(dll) ? dll : throw new InvalidOperationException($"{dll} is not built.");
    }

    private Process Start(IReadOnlyList<string> command, IReadOnlyDictionary<string, string> environment)
    {
        var start = new ProcessStartInfo(command[0], command.Skip(1))
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            // Nothing of a developer's own settings: a file of that directory is not read, and one of the repository neither.
            WorkingDirectory = Path.GetTempPath(),
        };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        var process = new Process { StartInfo = start };
        process.OutputDataReceived += (_, e) => Append(_output, e.Data);
        process.ErrorDataReceived += (_, e) => Append(_error, e.Data);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    private static void Append(StringBuilder text, string? line)
    {
        if (line is not null)
        {
            lock (text)
            {
                text.AppendLine(line);
            }
        }
    }

    private static string Text(StringBuilder text)
    {
        lock (text)
        {
            return text.ToString();
        }
    }
}

/// <summary>How a <see cref="SiloProcess"/> is started. What is not given is chosen free.</summary>
internal sealed record SiloProcessOptions
{
    /// <summary>Gets the broker's URL; <see langword="null"/> for the embedded one.</summary>
    public string? Broker { get; init; }

    public int? BrokerPort { get; init; }

    public int? SiloPort { get; init; }

    public int? GatewayPort { get; init; }

    public int? HttpPort { get; init; }

    /// <summary>Gets the data directory. One that is given survives the process, for the next one to be started on it.</summary>
    public string? DataDirectory { get; init; }

    /// <summary>Gets more arguments, which win over those of the ports and the directory.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>Gets the address that HTTP listens on.</summary>
    public string Address { get; init; } = "127.0.0.1";

    /// <summary>Gets whether Orleans' dashboard runs, which is the service's default and costs a second of CPU at each start.</summary>
    public bool Dashboard { get; init; }

    /// <summary>Gets a command that becomes the silo, such as <c>ip netns exec</c>.</summary>
    public IReadOnlyList<string> Launcher { get; init; } = [];

    /// <summary>Gets a command that runs the silo, in place of everything that is chosen here but <see cref="Address"/> and <see cref="HttpPort"/>.</summary>
    public IReadOnlyList<string>? Command { get; init; }

    /// <summary>Gets whether <see cref="Arguments"/> are all there are.</summary>
    public bool ReplaceArguments { get; init; }

    /// <summary>Gets the directory that the silo was built into; <see langword="null"/> for the one of this solution.</summary>
    public string? Binaries { get; init; }

    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();
}
