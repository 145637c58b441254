using System.Buffers.Text;

namespace MqttDeviceCluster.Silo.Wire;

/// <summary>Reads the integer that a JSON number stands for.</summary>
/// <remarks>
/// JSON has one kind of number: <c>13</c>, <c>13.0</c> and <c>1.3e1</c> are the same one, and firmware in Lua or JavaScript writes the
/// second. What is not exactly an integer, or does not fit, is refused and never rounded.
/// </remarks>
internal static class WireNumber
{
    /// <param name="number">The text of a JSON number, already known to be one.</param>
    /// <param name="value">The integer.</param>
    public static bool TryGetInt64(ReadOnlySpan<byte> number, out long value) =>
        (Utf8Parser.TryParse(number, out value, out var consumed) && consumed == number.Length) || TryGetExact(number, out value);

    private static bool TryGetExact(ReadOnlySpan<byte> number, out long value)
    {
        value = 0;
        if (number.IsEmpty)
        {
            return false;
        }

        var negative = number[0] == (byte)'-';
        var mantissa = negative ? number[1..] : number;
        var power = 0;
        if (mantissa.IndexOfAny((byte)'e', (byte)'E') is >= 0 and var e)
        {
            power = Exponent(mantissa[(e + 1)..]);
            mantissa = mantissa[..e];
        }

        var integer = mantissa;
        ReadOnlySpan<byte> fraction = default;
        if (mantissa.IndexOf((byte)'.') is >= 0 and var point)
        {
            integer = mantissa[..point];
            fraction = mantissa[(point + 1)..].TrimEnd((byte)'0');
        }

        // Integer = digits × 10^power, without zeros that say nothing at either end.
        power -= fraction.Length;
        var digits = 0L;
        var zeros = 0;
        if (!Accumulate(integer, ref digits, ref zeros) || !Accumulate(fraction, ref digits, ref zeros))
        {
            return false;
        }

        if (digits == 0)
        {
            return true;
        }

        power += zeros;
        if (power is < 0 or > 18)
        {
            return false;
        }

        for (; power > 0; power--)
        {
            if (digits > long.MaxValue / 10)
            {
                return false;
            }

            digits *= 10;
        }

        value = negative ? -digits : digits;
        return true;
    }

    private static bool Accumulate(ReadOnlySpan<byte> text, ref long digits, ref int zeros)
    {
        foreach (var c in text)
        {
            if (c == (byte)'0')
            {
                zeros += digits == 0 ? 0 : 1;
                continue;
            }

            for (; zeros >= 0; zeros--)
            {
                if (digits > (long.MaxValue - 9) / 10)
                {
                    return false;
                }

                digits *= 10;
            }

            zeros = 0;
            digits += c - (byte)'0';
        }

        return true;
    }

    private static int Exponent(ReadOnlySpan<byte> text)
    {
        // More than a payload could balance with digits: the result is out of range whatever they are.
        const int Clamp = 1_000_000;
        var negative = text[0] == (byte)'-';
        var result = 0;
        foreach (var c in text[(text[0] is (byte)'-' or (byte)'+' ? 1 : 0)..])
        {
            result = Math.Min(Clamp, (result * 10) + (c - (byte)'0'));
        }

        return negative ? -result : result;
    }
}
