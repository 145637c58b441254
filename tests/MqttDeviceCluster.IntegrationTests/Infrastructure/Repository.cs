namespace MqttDeviceCluster.IntegrationTests.Infrastructure;

/// <summary>Where the solution is that these tests were built in.</summary>
internal static class Repository
{
    // .../tests/<this project>/bin/<configuration>/<framework>/
    private static readonly DirectoryInfo Framework = new(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));

    /// <summary>Gets the directory of the solution.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Gets how the tests were built: <c>Release</c> or <c>Debug</c>.</summary>
    public static string Configuration => Framework.Parent!.Name;

    /// <summary>Gets the name of the framework, such as <c>net10.0</c>.</summary>
    public static string TargetFramework => Framework.Name;

    /// <summary>Gets the directory that a project of <c>src</c> was built into.</summary>
    public static string OutputOf(string project) => BuildOf(Path.Combine("src", project));

    /// <summary>Returns the directory that a project anywhere in the repository was built into.</summary>
    public static string BuildOf(string projectPath)
    {
        var directory = Path.Combine(Root, projectPath, "bin", Configuration, TargetFramework);
        return Directory.Exists(directory) ? directory : throw new InvalidOperationException($"{directory} is not built.");
    }

    private static string FindRoot()
    {
        for (var directory = Framework; directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "MqttDeviceCluster.sln")))
            {
                return directory.FullName;
            }
        }

        throw new InvalidOperationException($"{Framework} is not below the solution.");
    }
}
