using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace MqttDeviceCluster.IntegrationTests.Tracing;

/// <summary>
/// A trace as text, so that a test says all of it at once: a span stands below its parent, with its kind, name and status, and below that a line for each group of attributes:
/// <c>mdc: command.id=COMMAND</c>. Ids that differ from run to run have names.
/// </summary>
internal static class SpanTree
{
    // What a library says of itself besides (addresses, activations, stack traces) is not ours to pin.
    private static readonly string[] Shown = ["error.type", "exception.type", "mdc.", "messaging.", "mqtt."];

    /// <summary>Asserts that the spans are those of <paramref name="expected"/>, and no others.</summary>
    /// <param name="expected">The tree, as <see cref="Render"/> has it.</param>
    /// <param name="spans">The spans.</param>
    /// <param name="names">What ids are called: the caller's span, for example.</param>
    public static void AssertEqual(string expected, IReadOnlyList<Activity> spans, params (object Id, string Name)[] names)
    {
        var actual = Render(spans, names);
        if (actual != expected)
        {
            Assert.Fail($"Expected the trace\n\n{expected}\n\nbut it is\n\n{actual}");
        }
    }

    /// <summary>Renders spans in the order in which they began; those whose parent is none of them stand at the top.</summary>
    public static string Render(IReadOnlyList<Activity> spans, params (object Id, string Name)[] names)
    {
        var known = spans.Select(static span => span.SpanId).ToHashSet();
        StringBuilder text = new();
        foreach (var top in spans.Where(span => !known.Contains(span.ParentSpanId)))
        {
            Append(text, spans, top, $", below {top.ParentSpanId}", 0);
        }

        foreach (var (id, name) in names.Concat(CommandsAndDevices(spans)))
        {
            text.Replace($"{id}", name);
        }

        return text.ToString().TrimEnd();
    }

    private static void Append(StringBuilder text, IReadOnlyList<Activity> spans, Activity span, string place, int depth)
    {
        var indent = new string(' ', 2 * depth);

        // Orleans' own spans have none.
        var isUnexplained = string.IsNullOrEmpty(span.StatusDescription) && span.Source.Name.StartsWith("MqttDeviceCluster.", StringComparison.Ordinal);
        var status = span.Status == ActivityStatusCode.Unset ? "" : $", {span.Status}{(isUnexplained ? " without a sentence" : "")}";
        text.Append(CultureInfo.InvariantCulture, $"{indent}- {span.Kind} {span.DisplayName}{status}{place}\n");
        var events = span.Events.SelectMany(static happened => happened.Tags).Where(static tag => tag.Key == "exception.type");
        var shown = span.TagObjects.Concat(events).Where(static tag => Shown.Any(prefix => tag.Key.StartsWith(prefix, StringComparison.Ordinal)));
        foreach (var group in shown.OrderBy(static tag => tag.Key, StringComparer.Ordinal).GroupBy(static tag => tag.Key.Split('.')[0]))
        {
            text.Append(CultureInfo.InvariantCulture, $"{indent}  {group.Key}: {string.Join(", ", group.Select(tag => $"{tag.Key[(group.Key.Length + 1)..]}={tag.Value}"))}\n");
        }

        foreach (var link in span.Links)
        {
            text.Append(CultureInfo.InvariantCulture, $"{indent}  link: {link.Context.TraceId}-{link.Context.SpanId}\n");
        }

        foreach (var child in spans.Where(other => other.ParentSpanId == span.SpanId))
        {
            Append(text, spans, child, "", depth + 1);
        }
    }

    // A conversation is the command without dashes.
    private static IEnumerable<(object Id, string Name)> CommandsAndDevices(IReadOnlyList<Activity> spans)
    {
        foreach (var command in Values(DeviceSpans.CommandTag))
        {
            yield return (command, "COMMAND");
            yield return (Guid.Parse(command).ToString("N"), "COMMAND");
        }

        foreach (var device in Values(DeviceSpans.DeviceTag))
        {
            yield return (device, "DEVICE");
        }

        IEnumerable<string> Values(string tag)
        {
            var values = spans.Select(span => span.GetTagItem(tag) as string).OfType<string>().Distinct().ToList();
            Assert.True(values.Count < 2, $"Spans of one command have different {tag}: {string.Join(", ", values)}.");
            return values;
        }
    }
}
