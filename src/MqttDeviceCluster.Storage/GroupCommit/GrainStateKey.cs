using System.Text;

namespace MqttDeviceCluster.Storage.GroupCommit;

/// <summary>
/// What names a record: every part verbatim and compared byte by byte. Ids such as <c>0a</c>, <c>a</c>, <c>A</c> and <c>00a</c> stay different records, and so do
/// two grain types that share a state name.
/// </summary>
internal readonly record struct GrainStateKey(string ServiceId, string GrainType, string GrainKey, string StateName)
{
    public static GrainStateKey Create(string serviceId, GrainId grainId, string stateName) =>
        new(serviceId, Decode(grainId.Type.Value, grainId), Decode(grainId.Key, grainId), stateName);

    /// <summary>Gets a grain type as it is stored, or <see langword="null"/> if it is no UTF-8: no record has it.</summary>
    public static string? DecodeType(GrainType grainType) => Decode(grainType.Value);

    private static string Decode(IdSpan value, GrainId grainId) =>
        Decode(value) ?? throw new ArgumentException($"Grain '{grainId}' cannot be stored: its id is not valid UTF-8.", nameof(grainId));

    private static string? Decode(IdSpan value)
    {
        var text = value.ToString() ?? "";

        // An id may be made of any bytes. Those that are no UTF-8 would all become U+FFFD, and different grains one record.
        return text.Contains('\uFFFD', StringComparison.Ordinal) && !value.AsSpan().SequenceEqual(Encoding.UTF8.GetBytes(text)) ? null : text;
    }
}
