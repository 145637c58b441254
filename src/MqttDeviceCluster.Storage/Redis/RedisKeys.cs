using System.Text;
using System.Text.Unicode;

namespace MqttDeviceCluster.Storage.Redis;

/// <summary>The keys of Orleans' Redis storage: <c>{service id}/state/{grain type}/{grain key}/{state name}</c>.</summary>
internal sealed class RedisKeys(string serviceId, string grainType, string stateName)
{
    private readonly byte[] _prefix = Encoding.UTF8.GetBytes($"{serviceId}/state/{grainType}/");
    private readonly byte[] _suffix = Encoding.UTF8.GetBytes($"/{stateName}");

    /// <summary>Gets the pattern that finds them, with the signs that mean something in one escaped.</summary>
    public byte[] Pattern => [.. Escape(_prefix), (byte)'*', .. Escape(_suffix)];

    /// <summary>
    /// Gets the grain key in a key that the pattern found. One that is not UTF-8 is a stranger's: as text it would be another key, and a scan that goes on after it might come
    /// by it again.
    /// </summary>
    public ReadOnlyMemory<byte>? GrainKey(byte[] key) =>
        key.Length >= _prefix.Length + _suffix.Length && key.AsSpan().StartsWith(_prefix) && key.AsSpan().EndsWith(_suffix)
        && Utf8.IsValid(key.AsSpan(_prefix.Length, key.Length - _prefix.Length - _suffix.Length))
            ? key.AsMemory(_prefix.Length, key.Length - _prefix.Length - _suffix.Length)
            : null;

    public byte[] Key(ReadOnlyMemory<byte> grainKey) => [.. _prefix, .. grainKey.Span, .. _suffix];

    private static IEnumerable<byte> Escape(byte[] text) => text.SelectMany(b => (char)b is '*' or '?' or '[' or ']' or '^' or '\\' ? (byte[])[(byte)'\\', b] : [b]);
}
