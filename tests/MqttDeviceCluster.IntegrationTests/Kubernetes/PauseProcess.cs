using System.Diagnostics;
using System.Globalization;
using System.Runtime.Versioning;
using MqttDeviceCluster.IntegrationTests.Faults;

namespace MqttDeviceCluster.IntegrationTests.Kubernetes;

/// <summary>Process 1 of a pod whose containers share a process namespace: it does nothing, as the kubelet's does, and the silo is not the one that the kernel keeps some signals from.</summary>
[SupportedOSPlatform("linux")]
internal sealed class PauseProcess : IDisposable
{
    private readonly Process _unshare;

    private PauseProcess(Process unshare) => _unshare = unshare;

    /// <summary>Gets the file of its namespace, to join.</summary>
    public string Namespace => string.Create(CultureInfo.InvariantCulture, $"/proc/{Child()}/ns/pid");

    public static async Task<PauseProcess> StartAsync()
    {
        PauseProcess pause = new(Process.Start("unshare", ["--pid", "--fork", "--kill-child", "sleep", "infinity"]));
        try
        {
            await Until.TrueAsync(() => pause.Child() is not null, "the pod's first process");
            return pause;
        }
        catch
        {
            pause.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        _unshare.Kill();
        _unshare.WaitForExit();
        _unshare.Dispose();
    }

    private int? Child() => int.TryParse(File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{_unshare.Id}/task/{_unshare.Id}/children")), CultureInfo.InvariantCulture, out var id) ? id : null;
}
