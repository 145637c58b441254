using System.Buffers;
using System.Text;

namespace MqttDeviceCluster.Storage;

/// <summary>Tells text that has a UTF-8 form from text with half of a surrogate pair, which would become U+FFFD.</summary>
internal static class UnicodeText
{
    public static bool IsValid(string text)
    {
        for (var rest = text.AsSpan(); !rest.IsEmpty;)
        {
            if (Rune.DecodeFromUtf16(rest, out _, out var consumed) != OperationStatus.Done)
            {
                return false;
            }

            rest = rest[consumed..];
        }

        return true;
    }
}
