using System.Text;

namespace MqttDeviceCluster.Streaming.Mqtt;

/// <summary>A topic in which one whole level, a name in braces such as <c>{key}</c>, is the stream key.</summary>
internal sealed class MqttTopicTemplate
{
    private readonly string _text;
    private readonly string[] _levels;
    private readonly int _keyLevel;
    private readonly bool _open;
    private readonly string _prefix;
    private readonly string _suffix;

    private MqttTopicTemplate(string text, string[] levels, int keyLevel)
    {
        _text = text;
        _levels = levels;
        _keyLevel = keyLevel;
        _open = levels[^1] == "#";
        HasWildcards = levels.Any(level => level is "+" or "#");
        Filter = string.Join('/', levels.Select((level, i) => i == keyLevel ? "+" : level));
        _prefix = string.Concat(levels.Take(keyLevel).Select(level => level + "/"));
        _suffix = string.Concat(levels.Skip(keyLevel + 1).Select(level => "/" + level));
    }

    /// <summary>Gets whether levels other than the key are wildcards.</summary>
    public bool HasWildcards { get; }

    /// <summary>Gets the topic filter to subscribe to.</summary>
    public string Filter { get; }

    /// <exception cref="ArgumentException">The template is not valid; the message says why.</exception>
    public static MqttTopicTemplate Parse(string template)
    {
        ArgumentException.ThrowIfNullOrEmpty(template);
        if (Encoding.UTF8.GetByteCount(template) > ushort.MaxValue || template.Contains('\0'))
        {
            throw Invalid(template, "is longer than 65,535 bytes or contains NUL");
        }

        if (template.StartsWith("$share/", StringComparison.Ordinal))
        {
            throw Invalid(template, "names a shared subscription: set the provider's shared group instead");
        }

        var levels = template.Split('/');
        var keyLevel = -1;
        for (var i = 0; i < levels.Length; i++)
        {
            var level = levels[i];
            if (IsKey(level))
            {
                keyLevel = keyLevel < 0 ? i : throw Invalid(template, "has more than one level for the key");
            }
            else if (level.AsSpan().ContainsAny('{', '}'))
            {
                throw Invalid(template, "has braces other than one whole level such as {key}");
            }
            else if (level == "#" ? i != levels.Length - 1 : level != "+" && level.AsSpan().ContainsAny('+', '#'))
            {
                throw Invalid(template, "has a wildcard that is not a whole level, or a # that is not the last");
            }
        }

        return keyLevel >= 0 ? new(template, levels, keyLevel) : throw Invalid(template, "has no level for the key, such as {key}");
    }

    /// <summary>Returns the stream key if <paramref name="topic"/> matches, or <see langword="null"/>. An empty key does not match.</summary>
    public string? Match(string topic)
    {
        ReadOnlySpan<char> rest = topic;
        ReadOnlySpan<char> key = default;
        for (var i = 0; i < _levels.Length; i++)
        {
            if (_open && i == _levels.Length - 1)
            {
                return key.ToString();
            }

            var slash = rest.IndexOf('/');
            var last = slash < 0;
            var level = last ? rest : rest[..slash];
            if (i == _keyLevel)
            {
                if (level.IsEmpty)
                {
                    return null;
                }

                key = level;
            }
            else if (_levels[i] != "+" && !level.SequenceEqual(_levels[i]))
            {
                return null;
            }

            if (last)
            {
                // "a/#" matches "a" as well.
                return i == _levels.Length - 1 || (_open && i == _levels.Length - 2) ? key.ToString() : null;
            }

            rest = rest[(slash + 1)..];
        }

        return null;
    }

    /// <summary>Returns the topic for <paramref name="key"/>.</summary>
    /// <exception cref="ArgumentException">The key cannot be one level of a topic.</exception>
    public string Format(string key)
    {
        if (string.IsNullOrEmpty(key) || key.AsSpan().ContainsAny("/+#\0"))
        {
            throw new ArgumentException(
                "A stream key that is published to MQTT must be one topic level: not empty, without '/', '+', '#' and NUL.", nameof(key));
        }

        return string.Concat(_prefix, key, _suffix);
    }

    /// <summary>Returns whether some topic matches both templates.</summary>
    public bool Overlaps(MqttTopicTemplate other)
    {
        var mine = Filter.Split('/');
        var theirs = other.Filter.Split('/');
        for (var i = 0; ; i++)
        {
            if (i == mine.Length || i == theirs.Length)
            {
                // "a/#" matches "a" as well.
                return mine.Length == theirs.Length
                    || (mine.Length > theirs.Length ? mine.Length == i + 1 && mine[i] == "#" : theirs.Length == i + 1 && theirs[i] == "#");
            }

            if (mine[i] == "#" || theirs[i] == "#")
            {
                return true;
            }

            if (mine[i] != "+" && theirs[i] != "+" && mine[i] != theirs[i])
            {
                return false;
            }
        }
    }

    /// <summary>Returns whether <paramref name="topic"/> matches the topic filter.</summary>
    public static bool FilterMatches(string filter, string topic)
    {
        var levels = filter.Split('/');
        var parts = topic.Split('/');
        for (var i = 0; i < levels.Length; i++)
        {
            if (levels[i] == "#")
            {
                return true;
            }

            if (i >= parts.Length || (levels[i] != "+" && levels[i] != parts[i]))
            {
                return false;
            }
        }

        return levels.Length == parts.Length;
    }

    public override string ToString() => _text;

    private static bool IsKey(string level) => level is ['{', _, .., '}'] && level[1..^1].All(char.IsAsciiLetterOrDigit);

    private static ArgumentException Invalid(string template, string problem) =>
        new($"The topic template '{template}' {problem}.", nameof(template));
}
