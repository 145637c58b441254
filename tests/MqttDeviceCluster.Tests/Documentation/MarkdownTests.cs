using System.Text.RegularExpressions;

namespace MqttDeviceCluster.Tests.Documentation;

/// <summary>What the Markdown files of the repository link to is there.</summary>
public sealed partial class MarkdownTests
{
    private static readonly string Root = FindRoot();

    private static readonly Dictionary<string, string> Files = Directory
        .EnumerateFiles(Root, "*.md", new EnumerationOptions { RecurseSubdirectories = true })
        .Where(static file => !Path.GetRelativePath(Root, file).Split(Path.DirectorySeparatorChar).Any(static part => part is "bin" or "obj" || (part.StartsWith('.') && part != ".")))
        .ToDictionary(static file => file, static file => WithoutCode(File.ReadAllText(file)));

    [Fact]
    public void Links_PointAtFilesAndHeadingsThatExist()
    {
        List<string> broken = [];
        var links = 0;
        foreach (var (file, text) in Files)
        {
            foreach (var target in Link().Matches(text).Select(static match => match.Groups["target"].Value).Where(static target => !IsAbsolute(target)))
            {
                links++;
                var parts = target.Split('#', 2);
                var path = parts[0].Length == 0 ? file : Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file)!, parts[0]));
                if (!File.Exists(path) && !Directory.Exists(path))
                {
                    broken.Add($"{Path.GetRelativePath(Root, file)}: {target}: there is no such file");
                }
                else if (parts.Length == 2 && !(Files.TryGetValue(path, out var other) && Anchors(other).Contains(parts[1])))
                {
                    broken.Add($"{Path.GetRelativePath(Root, file)}: {target}: there is no such heading");
                }
            }
        }

        Assert.Empty(broken);
        Assert.True(links > 10, $"Only {links} links were found: are they written in another way now?");
    }

    [Fact]
    public void PackageReadmes_LinkToNothingThatIsOnlyInTheRepository()
    {
        var packed = Directory.GetFiles(Path.Combine(Root, "src"), "*.csproj", SearchOption.AllDirectories)
            .Where(static project => File.ReadAllText(project).Contains("<IsPackable>true</IsPackable>", StringComparison.Ordinal))
            .Select(static project => Path.Combine(Path.GetDirectoryName(project)!, "README.md"))
            .ToList();

        Assert.Equal(6, packed.Count);
        Assert.All(packed, static file => Assert.All(
            Link().Matches(Files[file]).Select(static match => match.Groups["target"].Value),
            target => Assert.True(IsAbsolute(target) || target.StartsWith('#'), $"{file}: {target}")));
    }

    [Theory]
    [InlineData("How fast", "how-fast")]
    [InlineData("Coming from `mqtt_device_cluster` (Python)", "coming-from-mqtt_device_cluster-python")]
    [InlineData("What is promised, whatever fails", "what-is-promised-whatever-fails")]
    public void Anchors_AreThoseThatTheUsualViewersGive(string heading, string anchor) => Assert.Equal([anchor], Anchors($"# {heading}\n"));

    private static bool IsAbsolute(string target) => Uri.TryCreate(target, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https";

    private static HashSet<string> Anchors(string text)
    {
        HashSet<string> anchors = [];
        foreach (Match heading in Heading().Matches(text))
        {
            var anchor = NotInAnchor().Replace(heading.Groups["text"].Value.Trim().ToLowerInvariant(), "").Replace(' ', '-');
            for (var number = 1; !anchors.Add(number == 1 ? anchor : $"{anchor}-{number - 1}"); number++)
            {
                // The same heading again has a number.
            }
        }

        return anchors;
    }

    // In a block of code a bracket is no link and a # no heading.
    private static string WithoutCode(string text) => CodeBlock().Replace(text, "");

    private static string FindRoot()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory.FullName, "MqttDeviceCluster.sln")))
        {
            directory = directory.Parent ?? throw new InvalidOperationException("The tests are not below the solution.");
        }

        return directory.FullName;
    }

    [GeneratedRegex("""^```.*?^```\s*$""", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex CodeBlock();

    [GeneratedRegex("""\]\((?<target>[^)\s]+)\)""")]
    private static partial Regex Link();

    [GeneratedRegex("^#{1,6} (?<text>.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"[^\p{L}\p{N}\p{Pc}\- ]")]
    private static partial Regex NotInAnchor();
}
