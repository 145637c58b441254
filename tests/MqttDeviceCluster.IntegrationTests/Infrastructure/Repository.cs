namespace MqttDeviceCluster.IntegrationTests.Infrastructure;

/// <summary>The files of the repository that the tests were built from.</summary>
internal static class Repository
{
    /// <summary>Gets its root directory.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Returns the directory where a project of <c>src</c> was built, as these tests were.</summary>
    // .../tests/<this project>/bin/<configuration>/<framework>/ → .../src/<project>/bin/<configuration>/<framework>/
    public static string BuildOf(string project)
    {
        DirectoryInfo framework = new(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        var directory = Path.Combine(Root, project, "bin", framework.Parent!.Name, framework.Name);
        return Directory.Exists(directory) ? directory : throw new InvalidOperationException($"{directory} is not built.");
    }

    private static string FindRoot()
    {
        DirectoryInfo? root = new(AppContext.BaseDirectory);
        while (root is not null && !File.Exists(Path.Combine(root.FullName, "MqttDeviceCluster.sln")))
        {
            root = root.Parent;
        }

        return root?.FullName ?? throw new InvalidOperationException($"{AppContext.BaseDirectory} is not below the solution.");
    }
}
