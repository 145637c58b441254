using MqttDeviceCluster.IntegrationTests.Infrastructure;

namespace MqttDeviceCluster.IntegrationTests.Packages;

/// <summary>The code that a Markdown file shows.</summary>
internal static class MarkdownCode
{
    /// <summary>Returns the one fenced block of a language that holds <paramref name="marker"/>.</summary>
    /// <param name="file">The file, from the root of the solution.</param>
    /// <param name="language">What stands behind the opening fence.</param>
    /// <param name="marker">A text of the block that no other one has.</param>
    public static string Block(string file, string language, string marker) =>
        Assert.Single(Blocks(file, language), text => text.Contains(marker, StringComparison.Ordinal));

    /// <summary>Returns the fenced blocks of a language, in their order.</summary>
    /// <inheritdoc cref="Block"/>
    public static IReadOnlyList<string> Blocks(string file, string language)
    {
        List<string> blocks = [];
        List<string>? block = null;
        foreach (var line in File.ReadLines(Path.Combine(Repository.Root, file)))
        {
            if (block is null)
            {
                block = line == $"```{language}" ? [] : null;
            }
            else if (line == "```")
            {
                blocks.Add(string.Join('\n', block) + '\n');
                block = null;
            }
            else
            {
                block.Add(line);
            }
        }

        return blocks;
    }
}
