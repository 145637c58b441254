using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using MqttDeviceCluster.IntegrationTests.Infrastructure;

namespace MqttDeviceCluster.IntegrationTests.Kubernetes;

/// <summary>What a container is made from: files, what they start with, and an environment.</summary>
/// <param name="Root">The unpacked file system; <see langword="null"/> for one of mounts alone.</param>
/// <param name="Mounts">What is mounted into it, read-only.</param>
/// <param name="Entrypoint">The program and its first arguments.</param>
/// <param name="Environment">Its variables, which a pod's add to and replace.</param>
internal sealed record PodImage(string? Root, IReadOnlyList<PodMount> Mounts, IReadOnlyList<string> Entrypoint, IReadOnlyDictionary<string, string> Environment)
{
    /// <summary>Where every image of infra/image.sh has its program.</summary>
    public const string WorkingDirectory = "/app/";

    private static string DotnetRoot => Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));

    /// <summary>In the place of an image, a project of the repository as it was built, on the system of this machine.</summary>
    public static PodImage OfBuild(string project, string assembly)
    {
        List<PodMount> mounts = [PodMount.Bind("/usr", "/usr"), PodMount.Bind("/app", Repository.BuildOf(project))];
        if (!DotnetRoot.StartsWith("/usr/", StringComparison.Ordinal))
        {
            mounts.Add(PodMount.Bind(DotnetRoot, DotnetRoot));
        }

        return new(
            null, mounts, [Path.Combine(DotnetRoot, "dotnet"), $"/app/{assembly}.dll"], new Dictionary<string, string> { ["PATH"] = "/usr/bin", ["DOTNET_ROOT"] = DotnetRoot });
    }

    /// <summary>An image that was unpacked into <paramref name="root"/>.</summary>
    public static PodImage Of(string root, ImageConfiguration configuration) => new(
        root, [], configuration.Entrypoint, configuration.Env.Select(static variable => variable.Split('=', 2)).ToDictionary(static pair => pair[0], static pair => pair[1]));
}

/// <summary>What an image says of itself, by the names of the OCI image format.</summary>
internal sealed record ImageConfiguration(string User, IReadOnlyList<string> Entrypoint, IReadOnlyList<string> Env, string WorkingDir, IReadOnlyDictionary<string, object> ExposedPorts)
{
    public IEnumerable<int> Ports => ExposedPorts.Keys.Select(static port => int.Parse(port.Split('/')[0], CultureInfo.InvariantCulture)).Order();
}

/// <summary>A mount of a container, as runc takes it.</summary>
internal sealed record PodMount(string Destination, string Type, string Source, params IReadOnlyList<string> Options)
{
    public static PodMount Bind(string destination, string source) => new(destination, "bind", source, "rbind", "ro");
}

/// <summary>The image of the silo, made by infra/image.sh when a test wants it, on a base of this machine's packages.</summary>
public sealed class SiloImage : IAsyncDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("mdc-image-");
    private readonly Lazy<Task<(PodImage, ImageConfiguration)>> _image;

    public SiloImage() => _image = new(MakeAsync);

    /// <summary>Makes the image once, or skips the test where its tools are missing.</summary>
    internal Task<(PodImage Image, ImageConfiguration Configuration)> GetAsync()
    {
        Assert.SkipUnless(RuntimeInformation.OSArchitecture == Architecture.X64, "infra/image.sh --offline makes a base for x64 alone.");
        foreach (var tool in (string[])["docker-registry", "umoci", "skopeo"])
        {
            ServerProcess.Find(tool, tool);
        }

        return _image.Value;
    }

    public ValueTask DisposeAsync()
    {
        _directory.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }

    private async Task<(PodImage, ImageConfiguration)> MakeAsync()
    {
        // What the silo's project refers to is built, and nothing that other tests use is written again.
        var archive = Path.Combine(_directory.FullName, "silo.tar");
        await CommandRun.RunAsync("bash", [Path.Combine(Repository.Root, "infra", "image.sh"), "--offline", "--archive", archive, "--", "-p:BuildProjectReferences=false", "-nodeReuse:false"]);
        using var configuration = JsonDocument.Parse(await CommandRun.RunAsync("skopeo", ["inspect", "--config", $"oci-archive:{archive}"]));

        var layout = Path.Combine(_directory.FullName, "layout");
        var bundle = Path.Combine(_directory.FullName, "bundle");
        await CommandRun.RunAsync("skopeo", ["copy", "--quiet", $"oci-archive:{archive}", $"oci:{layout}:silo"]);
        await CommandRun.RunAsync("umoci", ["unpack", "--image", $"{layout}:silo", bundle]);
        var read = configuration.RootElement.GetProperty("config").Deserialize<ImageConfiguration>()!;
        return (PodImage.Of(Path.Combine(bundle, "rootfs"), read), read);
    }
}
