using System.Diagnostics;
using System.Globalization;
using MqttDeviceCluster.IntegrationTests.Infrastructure;

namespace MqttDeviceCluster.IntegrationTests.Upgrade;

/// <summary>
/// A later version: the sources of contracts, client and grains with what a version may add, built for themselves. The silo of that version is this one's with those
/// assemblies in it, and <see cref="Caller"/> is a service that was built with them.
/// </summary>
internal sealed class NextVersion : IAsyncDisposable
{
    private const string Abstractions = "MqttDeviceCluster.Abstractions";
    private const string Grains = "MqttDeviceCluster.Grains";
    private static readonly string[] Projects = [Abstractions, "MqttDeviceCluster.Client", Grains];

    /// <summary>What the next version adds: file, what stands there, and what takes its place.</summary>
    private static readonly (string File, string Old, string New)[] Changes =
    [
        // With numbers that this version will not have come to.
        // A member of a result, of options, of an event, of a snapshot, of the stored state; a value of an enumeration; a method of a grain.
        ($"{Abstractions}/CommandResult.cs", "[property: Id(3)] Evidence Evidence);", "[property: Id(3)] Evidence Evidence) { [Id(100)] public string? Note { get; init; } }"),
        ($"{Abstractions}/CommandOptions.cs", "public WhenOffline WhenOffline { get; init; } = WhenOffline.Send;",
            "public WhenOffline WhenOffline { get; init; } = WhenOffline.Send; [Id(100)] public bool Urgent { get; init; }"),
        ($"{Abstractions}/Streams/DeviceUpdate.cs", "public Guid? CommandId { get; init; }", "public Guid? CommandId { get; init; } [Id(100)] public string? Origin { get; init; } = \"next\";"),
        ($"{Abstractions}/DeviceSnapshot.cs", "public DateTimeOffset AsOf { get; init; }", "public DateTimeOffset AsOf { get; init; } [Id(100)] public int? Battery { get; init; }"),
        ($"{Grains}/State/DeviceState.cs", "public long? Delivery { get; init; }", """
            public long? Delivery { get; init; }
            [Id(100), JsonPropertyName("battery"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] public int? Battery { get; init; }
            """),
        ($"{Grains}/State/DeviceState.cs", "AsOf = asOf,", "AsOf = asOf, Battery = Battery,"),
        ($"{Abstractions}/Evidence.cs", "Echoed = 2,", "Echoed = 2, Guessed = 3,"),
        ($"{Abstractions}/IDeviceGrain.cs", "Task<bool> ForgetAsync(CancellationToken cancellationToken = default);", """
            Task<bool> ForgetAsync(CancellationToken cancellationToken = default);
            [Alias("PingAsync"), AlwaysInterleave] Task<string> PingAsync();
            """),

        // What the grains do with it. A device's id says what its grain shall try.
        ($"{Grains}/DeviceGrain.cs", "Assume(applied.State);", "Assume(applied.State with { Battery = update.Origin is null ? 70 : 80 });"),
        ($"{Grains}/DeviceGrain.cs", "RunAsync(\"set\", () => CommandRequest.For(pins, options), cancellationToken);", "NextAsync(() => RunAsync(\"set\", () => CommandRequest.For(pins, options), cancellationToken), options);"),
        ($"{Grains}/DeviceGrain.cs", "public Task OnErrorAsync(Exception ex)", """
            public Task<string> PingAsync() => Task.FromResult("pong");

            private async Task<CommandResult> NextAsync(Func<Task<CommandResult>> run, CommandOptions? options)
            {
                if (_deviceId.StartsWith("locked", StringComparison.Ordinal))
                {
                    throw new DeviceLockedException(_deviceId, "the owner");
                }

                if (_deviceId.StartsWith("battery", StringComparison.Ordinal))
                {
                    _fleet.Hub.Tell(new BatteryEvent(_deviceId, _time.GetUtcNow(), 80));
                }

                var result = await run();
                return result with { Note = options is { Urgent: true } ? "urgent" : "next", Evidence = _deviceId.StartsWith("guess", StringComparison.Ordinal) ? Evidence.Guessed : result.Evidence };
            }

            public Task OnErrorAsync(Exception ex)
            """),
    ];

    /// <summary>An exception and an event of its own.</summary>
    private const string NewTypes = """
        namespace MqttDeviceCluster;

        [GenerateSerializer, Alias("MqttDeviceCluster.DeviceLockedException")]
        public sealed class DeviceLockedException : DeviceClusterException
        {
            public DeviceLockedException(string deviceId, string by) : base(deviceId, $"Device '{deviceId}' is locked by {by}.") => By = by;
            [Id(0)] public string By { get; private set; }
        }

        [GenerateSerializer, Immutable, Alias("MqttDeviceCluster.BatteryEvent")]
        public sealed record BatteryEvent(string DeviceId, DateTimeOffset At, [property: Id(0)] int Percent) : DeviceEvent(DeviceId, At);
        """;

    /// <summary>Takes a call per line, and answers it in one.</summary>
    private const string CallerProgram = """
        using System.Net;
        using Microsoft.Extensions.DependencyInjection;
        using Microsoft.Extensions.Hosting;
        using Microsoft.Extensions.Logging;
        using MqttDeviceCluster;
        using Orleans.Configuration;

        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.UseOrleansClient(client => client
            .UseStaticClustering(new IPEndPoint(IPAddress.Loopback, int.Parse(args[1])))
            .Configure<ClusterOptions>(options => (options.ClusterId, options.ServiceId) = (args[0], args[0])));
        builder.Services.AddDeviceCluster();
        using var host = builder.Build();
        await host.StartAsync();
        var cluster = host.Services.GetRequiredService<IDeviceCluster>();
        var grains = host.Services.GetRequiredService<IGrainFactory>();
        Console.WriteLine("ready");
        while (Console.ReadLine() is { } line)
        {
            var words = line.Split(' ');
            string answer;
            try
            {
                switch (words[0])
                {
                    case "set":
                        var result = await cluster.SetPinsAsync(words[1], [new(13, Enum.Parse<PinState>(words[2]))], new() { Timeout = TimeSpan.FromSeconds(20), Urgent = true });
                        answer = $"{result.Evidence} {result.Updates[0].State} {result.Note ?? "-"}";
                        break;
                    case "ping":
                        answer = await grains.GetGrain<IDeviceGrain>(words[1]).PingAsync();
                        break;
                    case "snapshot":
                        var snapshot = await cluster.GetSnapshotAsync(words[1]);
                        answer = $"{snapshot.Pins.First(pin => pin.Pin == 13).State} {snapshot.Battery?.ToString() ?? "-"}";
                        break;
                    default:
                        List<string> devices = [];
                        await foreach (var device in cluster.ListDevicesAsync())
                        {
                            devices.Add($"{device.DeviceId}:{device.Battery?.ToString() ?? "-"}");
                        }

                        answer = string.Join(' ', devices);
                        break;
                }
            }
            catch (Exception exception)
            {
                answer = $"{exception.GetType().Name}: {exception.Message.ReplaceLineEndings(" ")}";
            }

            Console.WriteLine(answer);
        }

        await host.StopAsync();
        """;

    private readonly string _directory = Directory.CreateTempSubdirectory("mdc-next-").FullName;

    private NextVersion()
    {
    }

    /// <summary>Gets the directory of the silo.</summary>
    public string Silo => Path.Combine(_directory, "silo");

    /// <summary>Makes and builds it.</summary>
    public static async Task<NextVersion> BuildAsync()
    {
        NextVersion version = new();
        try
        {
            await version.MakeAsync();
            return version;
        }
        catch (Exception)
        {
            await version.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts a service of this version that calls the cluster through one gateway.</summary>
    public Task<NextCaller> StartCallerAsync(string cluster, int gatewayPort) => NextCaller.StartAsync(
        Path.Combine(OutputOf("NextCaller"), "NextCaller.dll"), cluster, gatewayPort.ToString(CultureInfo.InvariantCulture));

    public ValueTask DisposeAsync()
    {
        Directory.Delete(_directory, recursive: true);
        return ValueTask.CompletedTask;
    }

    private string OutputOf(string project) => Path.Combine(_directory, "src", project, "bin", "Release", Repository.TargetFramework);

    private async Task MakeAsync()
    {
        foreach (var file in Directory.GetFiles(Repository.Root, "Directory.*").Append(Path.Combine(Repository.Root, "BannedSymbols.txt")))
        {
            File.Copy(file, Path.Combine(_directory, Path.GetFileName(file)));
        }

        foreach (var project in Projects)
        {
            CopySources(Path.Combine(Repository.Root, "src", project), Path.Combine(_directory, "src", project));
        }

        foreach (var (file, old, replacement) in Changes)
        {
            var path = Path.Combine(_directory, "src", file);
            var text = await File.ReadAllTextAsync(path);
            Assert.Equal(2, text.Split(old).Length);
            await File.WriteAllTextAsync(path, text.Replace(old, replacement, StringComparison.Ordinal));
        }

        await File.WriteAllTextAsync(Path.Combine(_directory, "src", Abstractions, "Next.cs"), NewTypes);
        var caller = Directory.CreateDirectory(Path.Combine(_directory, "src", "NextCaller")).FullName;
        await File.WriteAllTextAsync(Path.Combine(caller, "Program.cs"), CallerProgram);
        await File.WriteAllTextAsync(Path.Combine(caller, "NextCaller.csproj"), """
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup><OutputType>Exe</OutputType></PropertyGroup>
              <ItemGroup>
                <ProjectReference Include="../MqttDeviceCluster.Client/MqttDeviceCluster.Client.csproj" />
                <ProjectReference Include="../MqttDeviceCluster.Grains/MqttDeviceCluster.Grains.csproj" />
              </ItemGroup>
            </Project>
            """);

        // Without the analyzers, which would rightly say that the contracts have changed.
        await CommandRun.RunAsync(
            "dotnet",
            [
                "build", "src/NextCaller/NextCaller.csproj", "-c", "Release", "--nologo", "-v", "quiet", .. CommandRun.SharingTheCompiler, "-p:Version=99.0.0", "-p:RunAnalyzers=false",
                "-p:EnableOrleansContractsAnalyzer=false", "-p:GenerateDocumentationFile=false", "-p:TreatWarningsAsErrors=false", "-p:NuGetAudit=false",
            ],
            _directory);
        CopyAll(Repository.OutputOf("MqttDeviceCluster.Silo"), Silo);
        foreach (var project in Projects)
        {
            var assembly = Path.Combine(OutputOf(project), $"{project}.dll");
            Assert.StartsWith("99.0.0", FileVersionInfo.GetVersionInfo(assembly).ProductVersion, StringComparison.Ordinal);
            File.Copy(assembly, Path.Combine(Silo, $"{project}.dll"), overwrite: true);
        }
    }

    private static void CopySources(string from, string to)
    {
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            var relative = Path.GetRelativePath(from, file);
            if (relative.Split(Path.DirectorySeparatorChar)[0] is not ("bin" or "obj"))
            {
                Copy(file, Path.Combine(to, relative));
            }
        }
    }

    private static void CopyAll(string from, string to)
    {
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            Copy(file, Path.Combine(to, Path.GetRelativePath(from, file)));
        }
    }

    private static void Copy(string file, string to)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(to)!);
        File.Copy(file, to);
    }
}

/// <summary>A service of the next version as a child process.</summary>
internal sealed class NextCaller : IAsyncDisposable
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(60);
    private readonly Process _process;

    private NextCaller(Process process) => _process = process;

    public static async Task<NextCaller> StartAsync(string dll, params string[] arguments)
    {
        NextCaller caller = new(Process.Start(new ProcessStartInfo("dotnet", [dll, .. arguments]) { RedirectStandardInput = true, RedirectStandardOutput = true })!);
        Assert.Equal("ready", await caller._process.StandardOutput.ReadLineAsync().WaitAsync(Bound));
        return caller;
    }

    /// <summary>Has it make a call, and returns what it answered.</summary>
    public async Task<string> AskAsync(string line)
    {
        await _process.StandardInput.WriteLineAsync(line);
        return await _process.StandardOutput.ReadLineAsync().WaitAsync(Bound) ?? throw new InvalidOperationException($"The caller ended at '{line}'.");
    }

    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        using CancellationTokenSource bound = new(Bound);
        try
        {
            await _process.WaitForExitAsync(bound.Token);
        }
        catch (OperationCanceledException)
        {
            _process.Kill();
        }

        _process.Dispose();
    }
}
