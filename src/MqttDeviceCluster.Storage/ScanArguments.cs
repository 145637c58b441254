using MqttDeviceCluster.Storage.GroupCommit;

namespace MqttDeviceCluster.Storage;

/// <summary>The checks that every <see cref="IGrainStateScanner"/> makes.</summary>
internal static class ScanArguments
{
    /// <summary>Gets the range to scan, or <see langword="null"/> if nothing can be in it: only what is valid Unicode is stored.</summary>
    public static GrainStateRange? Check(string serviceId, GrainType grainType, string stateName, string? keyPrefix, string? continuation, int maxRecords)
    {
        ArgumentNullException.ThrowIfNull(stateName);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxRecords, 1);
        keyPrefix ??= "";
        if (continuation is not null && !(continuation.StartsWith(keyPrefix, StringComparison.Ordinal) && UnicodeText.IsValid(continuation)))
        {
            throw new ArgumentException($"The continuation is not of a scan of keys that begin with '{keyPrefix}'.", nameof(continuation));
        }

        return GrainStateKey.DecodeType(grainType) is { } type && UnicodeText.IsValid(keyPrefix) && UnicodeText.IsValid(stateName)
            ? new GrainStateRange(serviceId, type, stateName, keyPrefix, continuation)
            : null;
    }
}
