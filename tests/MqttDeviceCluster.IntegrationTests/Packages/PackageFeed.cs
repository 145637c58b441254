using System.IO.Compression;
using System.Xml.Linq;
using MqttDeviceCluster.IntegrationTests.Infrastructure;

namespace MqttDeviceCluster.IntegrationTests.Packages;

/// <summary>The packages of this solution in a folder feed, and another solution that uses them: the code of the readmes, as it stands there.</summary>
public sealed class PackageFeed : IAsyncLifetime
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mdc-packages-").FullName;
    private readonly List<string> _shown = [];
    private readonly Lazy<Task<string>> _tool;

    /// <summary>Prepares an empty feed.</summary>
    public PackageFeed() => _tool = new(InstallToolAsync);

    /// <summary>Gets the ports that the samples' own silos and gateways have, in place of the default ones.</summary>
    public int SiloPort { get; } = FreePorts.Next();

    /// <inheritdoc cref="SiloPort"/>
    public int GatewayPort { get; } = FreePorts.Next();

    /// <summary>Gets the gateway port of the silo that the callers call.</summary>
    public int CalledGatewayPort { get; } = FreePorts.Next();

    /// <summary>Gets the directory with the packages.</summary>
    public string Feed => Path.Combine(_directory, "feed");

    /// <summary>Gets the programs that the consuming solution is made of, as Markdown files show them.</summary>
    public IReadOnlyList<string> Shown => _shown;

    /// <summary>Gets a directory outside of the repository for what a test needs.</summary>
    public string NewDirectory(string name) => Directory.CreateDirectory(Path.Combine(_directory, name)).FullName;

    /// <summary>Gets the built program of the consuming solution.</summary>
    public string Program(string project) => Path.Combine(_directory, "consumer", project, "bin", "Release", "net10.0", $"{project}.dll");

    /// <summary>Returns the path of <c>mdc</c>, installed from the feed.</summary>
    public Task<string> ToolAsync() => _tool.Value;

    /// <summary>Opens a package.</summary>
    public PackageFile Open(string id, bool symbols = false) => new(
        Assert.Single(Directory.GetFiles(Feed, $"{id}.*{(symbols ? ".snupkg" : ".nupkg")}"), file => PackageFile.IdOf(file) == id));

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        await CommandRun.RunAsync(
            "dotnet",
            ["pack", "MqttDeviceCluster.sln", "--no-build", "-c", Repository.Configuration, "-o", Feed, "--nologo", "-v", "quiet", "--disable-build-servers"],
            Repository.Root);
        await BuildConsumerAsync();
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        Directory.Delete(_directory, recursive: true);
        return ValueTask.CompletedTask;
    }

    private async Task<string> InstallToolAsync()
    {
        var directory = NewDirectory("tool");
        await CommandRun.RunAsync("dotnet", ["tool", "install", "mdc", "--tool-path", directory, "--source", Feed, "--version", Open("mdc").Version], directory);
        return Path.Combine(directory, "mdc");
    }

    private async Task BuildConsumerAsync()
    {
        var consumer = NewDirectory("consumer");
        var machine = (await CommandRun.RunAsync("dotnet", ["nuget", "locals", "global-packages", "--list"])).Trim().Split(": ", 2)[1];

        // Ours come from the feed alone and go to a directory of their own; everything else is where the machine has it, or comes from where the machine gets it.
        await File.WriteAllTextAsync(Path.Combine(consumer, "nuget.config"), $"""
            <configuration>
              <packageSources>
                <add key="feed" value="{Feed}" />
              </packageSources>
              <fallbackPackageFolders>
                <add key="machine" value="{machine}" />
              </fallbackPackageFolders>
            </configuration>
            """);
        await AddProjectAsync(consumer, "Caller", Caller("src/MqttDeviceCluster.Client/README.md"), ProjectOf("MqttDeviceCluster.Client"));
        await AddProjectAsync(consumer, "Tour", Caller("README.md"), ProjectOf("MqttDeviceCluster.Client"));
        await AddProjectAsync(
            consumer,
            "ClusterCaller",
            Show("src/MqttDeviceCluster.Client/README.md", "UseAdoNetClustering"),
            ProjectOf("MqttDeviceCluster.Client", "Microsoft.Orleans.Clustering.AdoNet", "Npgsql"));
        await AddProjectAsync(
            consumer,
            "TracedCaller",
            Show("src/MqttDeviceCluster.Silo/TELEMETRY.md", "AddActivityPropagation"),
            ProjectOf("MqttDeviceCluster.Client", "OpenTelemetry.Extensions.Hosting", "OpenTelemetry.Exporter.OpenTelemetryProtocol"));
        await AddProjectAsync(
            consumer,
            "Sample",
            WithPorts(Show("src/MqttDeviceCluster.Streaming.Mqtt/README.md", "AddMqttStreams")),
            MarkdownCode.Block("src/MqttDeviceCluster.Streaming.Mqtt/README.md", "xml", "<Project"));
        await AddProjectAsync(consumer, "Store", Show("src/MqttDeviceCluster.Storage/README.md", "AddPostgreSqlGrainStorage"), ProjectOf("MqttDeviceCluster.Storage"));
        await AddProjectAsync(
            consumer,
            "Silo",
            WithPorts(Show("src/MqttDeviceCluster.Grains/README.md", "AddDeviceGrains")),
            ProjectOf("MqttDeviceCluster.Grains", "MqttDeviceCluster.Storage", "MqttDeviceCluster.Streaming.Mqtt"));
        await File.WriteAllTextAsync(Path.Combine(consumer, "Consumer.slnx"), $"""
            <Solution>
              {string.Join("\n  ", Directory.GetDirectories(consumer).Select(Path.GetFileName).Select(static name => $"<Project Path=\"{name}/{name}.csproj\" />"))}
            </Solution>
            """);

        var packages = NewDirectory("packages");
        await CommandRun.RunAsync(
            "dotnet",
            ["build", "Consumer.slnx", "-c", "Release", "--nologo", "-v", "quiet", "-warnaserror", .. CommandRun.SharingTheCompiler],
            consumer,
            new Dictionary<string, string?> { ["NUGET_PACKAGES"] = packages });

        // Not some that the machine had before.
        Assert.Equal(
            ["mqttdevicecluster.abstractions", "mqttdevicecluster.client", "mqttdevicecluster.grains", "mqttdevicecluster.storage", "mqttdevicecluster.streaming.mqtt"],
            Directory.GetDirectories(packages).Select(Path.GetFileName).Where(static name => name!.StartsWith("mqttdevicecluster", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
    }

    private string Caller(string readme) =>
        Replaced(Show(readme, "cluster.SetPinsAsync"), "UseLocalhostClustering()", $"UseLocalhostClustering({CalledGatewayPort})");

    private string WithPorts(string program) => Replaced(program, "UseLocalhostClustering()", $"UseLocalhostClustering({SiloPort}, {GatewayPort})");

    private string Show(string file, string marker)
    {
        var program = MarkdownCode.Block(file, "csharp", marker);
        _shown.Add(program);
        return program;
    }

    private static string Replaced(string text, string old, string replacement)
    {
        Assert.Contains(old, text, StringComparison.Ordinal);
        return text.Replace(old, replacement, StringComparison.Ordinal);
    }

    private string ProjectOf(params string[] packages) => $"""
        <Project Sdk="Microsoft.NET.Sdk">
          <PropertyGroup>
            <OutputType>Exe</OutputType>
            <TargetFramework>net10.0</TargetFramework>
            <Nullable>enable</Nullable>
            <ImplicitUsings>enable</ImplicitUsings>
          </PropertyGroup>
          <ItemGroup>
            {string.Join("\n    ", packages.Select(id => $"<PackageReference Include=\"{id}\" Version=\"{VersionOf(id)}\" />"))}
          </ItemGroup>
        </Project>
        """;

    // Of somebody else's packages it is the one that this solution has.
    private string VersionOf(string id) => id.StartsWith("MqttDeviceCluster", StringComparison.Ordinal)
        ? Open(id).Version
        : XElement.Load(Path.Combine(Repository.Root, "Directory.Packages.props")).Descendants("PackageVersion").Single(version => version.Attribute("Include")!.Value == id).Attribute("Version")!.Value;

    private static async Task AddProjectAsync(string consumer, string name, string program, string project)
    {
        var directory = Directory.CreateDirectory(Path.Combine(consumer, name)).FullName;
        await File.WriteAllTextAsync(Path.Combine(directory, "Program.cs"), program);
        await File.WriteAllTextAsync(Path.Combine(directory, $"{name}.csproj"), project);
    }
}

/// <summary>A package in its file.</summary>
public sealed class PackageFile
{
    private readonly string _path;

    /// <summary>Reads a package.</summary>
    public PackageFile(string path)
    {
        _path = path;
        using var archive = ZipFile.OpenRead(path);
        Files = [.. archive.Entries.Select(static entry => entry.FullName)];
        using var nuspec = archive.Entries.Single(static entry => entry.FullName.EndsWith(".nuspec", StringComparison.Ordinal)).Open();
        Metadata = XElement.Load(nuspec).Elements().Single(static element => element.Name.LocalName == "metadata");
    }

    /// <summary>Gets the names of its files.</summary>
    public IReadOnlyList<string> Files { get; }

    /// <summary>Gets what its .nuspec says.</summary>
    public XElement Metadata { get; }

    /// <summary>Gets its version.</summary>
    public string Version => Value("version");

    /// <summary>Gets the packages that it needs, with their ranges, on its one framework.</summary>
    public IReadOnlyDictionary<string, string> Dependencies => Metadata.Descendants().Where(static element => element.Name.LocalName == "dependency")
        .ToDictionary(static element => element.Attribute("id")!.Value, static element => element.Attribute("version")!.Value);

    /// <summary>Gets a value of the metadata; empty if there is none.</summary>
    public string Value(string name) => Metadata.Elements().FirstOrDefault(element => element.Name.LocalName == name)?.Value ?? "";

    /// <summary>Reads one of its files.</summary>
    public byte[] Read(string file)
    {
        using var archive = ZipFile.OpenRead(_path);
        using var entry = archive.GetEntry(file)!.Open();
        using MemoryStream bytes = new();
        entry.CopyTo(bytes);
        return bytes.ToArray();
    }

    /// <summary>Gets the id from a file's name: what stands before the version.</summary>
    public static string IdOf(string path) =>
        string.Join('.', Path.GetFileNameWithoutExtension(path).Split('.').TakeWhile(static part => !char.IsAsciiDigit(part[0])));
}
