using System.Diagnostics;
using System.Globalization;

namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>The command <c>ip</c> of iproute2.</summary>
internal static class Ip
{
    /// <summary>Where it keeps the names of namespaces.</summary>
    public const string Names = "/var/run/netns";

    private const string Links = "/sys/class/net";

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

    /// <summary>
    /// Removes the namespaces and links that runs left behind which were killed, with the addresses that the next one wants: those named by a prefix and the number of a process that is
    /// gone.
    /// </summary>
    public static async Task RemoveLeftoversAsync(string prefix)
    {
        if (!Environment.IsPrivilegedProcess)
        {
            return;
        }

        foreach (var name in Leftovers(Names, prefix))
        {
            await RunAsync("netns", "del", name);
        }

        // Asked for after those went: they took the ends of their cables with them.
        foreach (var name in Leftovers(Links, prefix))
        {
            await RunAsync("link", "del", name);
        }
    }

    public static async Task RunAsync(params string[] arguments)
    {
        if (await TryAsync(arguments) is { } problem)
        {
            throw new InvalidOperationException($"ip {string.Join(' ', arguments)}: {problem}");
        }
    }

    private static List<string> Leftovers(string directory, string prefix) => !Directory.Exists(directory)
        ? []
        : [.. Directory.GetFileSystemEntries(directory, $"{prefix}*").Select(static path => Path.GetFileName(path)).Where(name => !IsAlive(name.AsSpan(prefix.Length)))];

    private static bool IsAlive(ReadOnlySpan<char> name)
    {
        var digits = name[..(name.IndexOfAnyExceptInRange('0', '9') is var end and >= 0 ? end : name.Length)];
        return !int.TryParse(digits, CultureInfo.InvariantCulture, out var owner) || Directory.Exists(string.Create(CultureInfo.InvariantCulture, $"/proc/{owner}"));
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
