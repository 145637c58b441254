using System.Diagnostics;

namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>The command <c>ip</c> of iproute2.</summary>
internal static class Ip
{
    /// <summary>Makes a network namespace, or skips the test where none can be made, also when CI is set: a container may forbid it.</summary>
    public static async Task AddNamespaceOrSkipAsync(string name)
    {
        if (!Environment.IsPrivilegedProcess || !File.Exists("/usr/sbin/ip"))
        {
            Assert.Skip("A network namespace needs root and iproute2.");
        }

        if (await TryAsync("netns", "add", name) is { } problem)
        {
            Assert.Skip($"A network namespace cannot be made here: {problem}");
        }
    }

    public static async Task RunAsync(params string[] arguments)
    {
        if (await TryAsync(arguments) is { } problem)
        {
            throw new InvalidOperationException($"ip {string.Join(' ', arguments)}: {problem}");
        }
    }

    // Returns what went wrong.
    private static async Task<string?> TryAsync(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("ip", arguments) { RedirectStandardError = true })!;
        var error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0 ? null : error.Trim();
    }
}
