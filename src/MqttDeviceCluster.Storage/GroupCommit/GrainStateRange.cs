using System.Text;

namespace MqttDeviceCluster.Storage.GroupCommit;

/// <summary>The records that a page of a scan is taken from.</summary>
/// <param name="ServiceId">Their service.</param>
/// <param name="GrainType">Their grain type.</param>
/// <param name="StateName">Their state name.</param>
/// <param name="KeyPrefix">How their keys begin; valid Unicode, empty for all.</param>
/// <param name="After">The key that they come after, which begins with <paramref name="KeyPrefix"/>, or <see langword="null"/> to start with the first.</param>
internal readonly record struct GrainStateRange(string ServiceId, string GrainType, string StateName, string KeyPrefix, string? After)
{
    /// <summary>
    /// Gets the least key that comes, by the bytes of its UTF-8, after every key that begins with <see cref="KeyPrefix"/>; <see langword="null"/> if there is none.
    /// </summary>
    /// <remarks>
    /// UTF-8 sorts as code points do, so it is the prefix with its last code point raised by one; surrogates are none, and a last U+10FFFF gives way to the one before it.
    /// Counting up a UTF-16 unit or a byte instead would give text that has no UTF-8, or that sorts elsewhere.
    /// </remarks>
    public string? UpperBound
    {
        get
        {
            var runes = KeyPrefix.EnumerateRunes().ToArray().AsSpan();
            while (runes is [.., var last])
            {
                runes = runes[..^1];
                if (last.Value == 0x10FFFF)
                {
                    continue;
                }

                StringBuilder bound = new();
                foreach (var rune in runes)
                {
                    bound.Append(rune);
                }

                return bound.Append(last.Value == 0xD7FF ? new Rune(0xE000) : new Rune(last.Value + 1)).ToString();
            }

            return null;
        }
    }
}

/// <summary>How big a page may be.</summary>
/// <param name="MaxRecords">How many records it may have.</param>
/// <param name="MaxBytes">After how many bytes of state it ends.</param>
internal readonly record struct GrainStatePageLimits(int MaxRecords, int MaxBytes);

/// <summary>A page of records as they are stored.</summary>
/// <param name="Records">In the byte order of their keys; at least one if <paramref name="HasMore"/>.</param>
/// <param name="HasMore">Whether the page ended for its limits, with records left.</param>
internal sealed record StoredGrainStatePage(IReadOnlyList<ScannedGrainState> Records, bool HasMore);

/// <summary>A record as it is stored, with its key.</summary>
internal readonly record struct ScannedGrainState(string GrainKey, ReadOnlyMemory<byte> Payload, DateTimeOffset? ModifiedAt);
