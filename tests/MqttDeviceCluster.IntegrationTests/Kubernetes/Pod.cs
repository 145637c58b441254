using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Runtime.Versioning;
using System.Text.Json;
using k8s.Models;
using MqttDeviceCluster.IntegrationTests.Infrastructure;

namespace MqttDeviceCluster.IntegrationTests.Kubernetes;

/// <summary>
/// One pod of a template, run by runc as a kubelet would: user, read-only root, no capabilities, memory limit, volumes, environment and address are what the manifest says.
/// </summary>
[SupportedOSPlatform("linux")]
internal sealed class Pod : IAsyncDisposable
{
    private readonly string _directory;

    private readonly PauseProcess? _pause;

    private Pod(string name, IPAddress address, string directory, SiloProcess process, PauseProcess? pause)
    {
        _pause = pause;
        Name = name;
        Address = address;
        _directory = directory;
        Process = process;
    }

    public string Name { get; }

    public IPAddress Address { get; }

    /// <summary>Gets the process: its output, its health, its end.</summary>
    public SiloProcess Process { get; }

    /// <summary>Starts a pod without waiting for anything.</summary>
    /// <param name="network">Where its namespace is made.</param>
    /// <param name="manifests">Where the template, its settings and its secrets are.</param>
    /// <param name="owner">The name of the Deployment, or of the Job.</param>
    /// <param name="image">What stands for the image that the manifest names.</param>
    /// <param name="hosts">Names that the cluster's DNS would know; they are on this side.</param>
    public static Task<Pod> StartAsync(PodNetwork network, Manifests manifests, string owner, PodImage image, params IEnumerable<string> hosts) =>
        StartAsync(network, manifests, owner, image, hosts.Select(static host => (host, PodNetwork.Outside)));

    /// <inheritdoc cref="StartAsync(PodNetwork, Manifests, string, PodImage, IEnumerable{string})"/>
    /// <param name="network">Where its namespace is made.</param>
    /// <param name="manifests">Where the template, its settings and its secrets are.</param>
    /// <param name="owner">The name of the Deployment, or of the Job.</param>
    /// <param name="image">What stands for the image that the manifest names.</param>
    /// <param name="hosts">Names that the cluster's DNS would know, and their addresses.</param>
    public static async Task<Pod> StartAsync(PodNetwork network, Manifests manifests, string owner, PodImage image, IEnumerable<(string Name, IPAddress Address)> hosts)
    {
        var runc = ServerProcess.Find("runc", "runc", "/usr/sbin");
        var template = manifests.Pods.Single(pods => pods.Name == owner).Template;
        var container = template.Spec.Containers.Single();
        var (ns, address) = await network.AddPodAsync();
        var name = $"{owner}-{Guid.NewGuid().ToString("N")[..10]}";
        Dictionary<string, string> fields = new(SettingRules.Fields) { ["metadata.name"] = name, ["status.podIP"] = address.ToString() };
        var environment = ContainerEnvironment.Of(manifests, container, fields);
        foreach (var (variable, value) in image.Environment)
        {
            environment.TryAdd(variable, value);
        }

        var pause = template.Spec.ShareProcessNamespace == true ? await PauseProcess.StartAsync() : null;
        var directory = Directory.CreateTempSubdirectory("pod-").FullName;
        var names = Path.Combine(directory, "hosts");
        await File.WriteAllLinesAsync(names, ["127.0.0.1 localhost", .. hosts.Select(static host => $"{host.Address} {host.Name}")]);
        List<PodMount> mounts =
        [
            new("/proc", "proc", "proc"),
            new("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
            PodMount.Bind("/etc/hosts", names),
            .. image.Mounts,
        ];
        foreach (var mount in container.VolumeMounts)
        {
            mounts.Add(await MountAsync(manifests, template.Spec, mount, directory));
        }

        var root = image.Root ?? MakeRoot(directory);
        MakeMountPoints(root, mounts);
        var security = template.Spec.SecurityContext;
        var bundle = new
        {
            ociVersion = "1.0.2",
            process = new
            {
                user = new { uid = security.RunAsUser, gid = security.RunAsGroup, additionalGids = (long?[])[security.FsGroup] },
                args = (string[])[.. container.Command?.AsReadOnly() ?? image.Entrypoint, .. container.Args ?? []],
                env = environment.Select(static variable => $"{variable.Key}={variable.Value}"),
                cwd = PodImage.WorkingDirectory,
                capabilities = new { bounding = (string[])[], effective = (string[])[], permitted = (string[])[], inheritable = (string[])[], ambient = (string[])[] },
                noNewPrivileges = container.SecurityContext.AllowPrivilegeEscalation == false,
            },
            root = new { path = root, @readonly = container.SecurityContext.ReadOnlyRootFilesystem },
            hostname = name,
            mounts,
            linux = new
            {
                cgroupsPath = $"/{name}",
                namespaces = (object[])
                    [pause is null ? new { type = "pid" } : new { type = "pid", path = pause.Namespace }, new { type = "ipc" }, new { type = "uts" }, new { type = "mount" }, new { type = "network", path = $"/var/run/netns/{ns}" }],
                resources = new { memory = new { limit = (long)container.Resources.Limits["memory"].ToDecimal() }, devices = (object[])[new { allow = false, access = "rwm" }] },
            },
        };
        await File.WriteAllTextAsync(Path.Combine(directory, "config.json"), JsonSerializer.Serialize(bundle, JsonSerializerOptions.Web));
        var process = SiloProcess.Launch(new()
        {
            Command = [runc, "run", "--bundle", directory, name],
            Address = address.ToString(),
            HttpPort = container.Ports?.Single(static port => port.Name == "http").ContainerPort,
        });
        return new(name, address, directory, process, pause);
    }

    /// <summary>Waits until the probe of readiness, as the manifest has it, is answered.</summary>
    public Task WaitForReadyAsync(V1Container container) => Process.WaitForHealthAsync(container.ReadinessProbe.HttpGet.Path, static _ => true);

    /// <summary>Kills it (SIGKILL), as the kernel does when it is out of memory, and waits until it is gone.</summary>
    public async Task KillAsync()
    {
        await ServerProcess.RunAsync("runc", "kill", Name, "KILL");
        Assert.Equal(128 + 9, await Process.WaitForExitAsync());
    }

    /// <summary>Stops it as a kubelet does; returns when it has ended in order.</summary>
    public async Task StopAsync()
    {
        Process.Terminate();
        Assert.Equal(0, await Process.WaitForExitAsync());
        Assert.Equal("", Process.Error);
    }

    /// <summary>Reads a file of <c>/proc</c> about the process inside.</summary>
    public async Task<string> ReadProcessAsync(string file)
    {
        using var state = System.Diagnostics.Process.Start(new ProcessStartInfo("runc", ["state", Name]) { RedirectStandardOutput = true })!;
        using var said = JsonDocument.Parse(await state.StandardOutput.ReadToEndAsync());
        return await File.ReadAllTextAsync(string.Create(CultureInfo.InvariantCulture, $"/proc/{said.RootElement.GetProperty("pid").GetInt32()}/{file}"));
    }

    public async ValueTask DisposeAsync()
    {
        if (!Process.HasExited)
        {
            await ServerProcess.RunAsync("runc", "kill", Name, "KILL");
            await Process.WaitForExitAsync();
        }

        await Process.DisposeAsync();
        _pause?.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private static string MakeRoot(string directory)
    {
        var root = Directory.CreateDirectory(Path.Combine(directory, "rootfs")).FullName;
        foreach (var link in (string[])["lib", "lib64", "bin"])
        {
            File.CreateSymbolicLink(Path.Combine(root, link), $"usr/{link}");
        }

        return root;
    }

    // In a read-only root none can be made later.
    private static void MakeMountPoints(string root, IEnumerable<PodMount> mounts)
    {
        foreach (var mount in mounts)
        {
            var point = root + mount.Destination;
            if (mount.Type == "bind" && File.Exists(mount.Source))
            {
                Directory.CreateDirectory(Path.GetDirectoryName(point)!);
                File.AppendAllText(point, "");
                continue;
            }

            Directory.CreateDirectory(point);
            if (mount.Source == "tmpfs" && mount.Destination != "/dev")
            {
                // runc gives a tmpfs the mode of the directory that it covers.
                const UnixFileMode Everyone = (UnixFileMode)0x1FF;
                File.SetUnixFileMode(point, Everyone | UnixFileMode.StickyBit);
            }
        }
    }

    private static async Task<PodMount> MountAsync(Manifests manifests, V1PodSpec pod, V1VolumeMount mount, string directory)
    {
        var volume = pod.Volumes.Single(volume => volume.Name == mount.Name);
        if (volume.EmptyDir is not null)
        {
            var (group, size) = (pod.SecurityContext.FsGroup, (long)volume.EmptyDir.SizeLimit.ToDecimal());
            return new(mount.MountPath, "tmpfs", "tmpfs", "nosuid", "nodev", string.Create(CultureInfo.InvariantCulture, $"gid={group}"), string.Create(CultureInfo.InvariantCulture, $"size={size}"));
        }

        // As the kubelet lays it out, so that all files change at once: the files are links into a directory that is a link itself.
        var secret = Path.Combine(directory, $"volume-{volume.Name}");
        var data = Path.Combine(secret, "..2026_11_27");
        Directory.CreateDirectory(data);
        File.CreateSymbolicLink(Path.Combine(secret, "..data"), "..2026_11_27");
        foreach (var (key, value) in ContainerEnvironment.DataOf(manifests, null, volume.Secret.SecretName))
        {
            await File.WriteAllTextAsync(Path.Combine(data, key), value);
            File.SetUnixFileMode(Path.Combine(data, key), (UnixFileMode)volume.Secret.DefaultMode!);
            File.CreateSymbolicLink(Path.Combine(secret, key), $"..data/{key}");
        }

        await ServerProcess.RunAsync("chown", "-R", $"root:{pod.SecurityContext.FsGroup}", secret);
        return PodMount.Bind(mount.MountPath, secret);
    }
}
