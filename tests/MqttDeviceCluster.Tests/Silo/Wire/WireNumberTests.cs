using System.Globalization;
using System.Numerics;
using System.Text;
using MqttDeviceCluster.Silo.Wire;

namespace MqttDeviceCluster.Tests.Silo.Wire;

public sealed class WireNumberTests
{
    [Theory]
    [InlineData("0", 0)]
    [InlineData("-0", 0)]
    [InlineData("0.000", 0)]
    [InlineData("0e99999999999", 0)]
    [InlineData("13.0", 13)]
    [InlineData("13.000000000000000000000000000000", 13)]
    [InlineData("1.3e1", 13)]
    [InlineData("1300e-2", 13)]
    [InlineData("0.00013E+5", 13)]
    [InlineData("-1.5e1", -15)]
    [InlineData("100200300", 100200300)]
    [InlineData("9223372036854775807", long.MaxValue)]
    [InlineData("-9223372036854775808", long.MinValue)]
    [InlineData("1e18", 1_000_000_000_000_000_000)]
    public void TryGetInt64_Integer_IsExact(string text, long expected)
    {
        Assert.True(WireNumber.TryGetInt64(Encoding.ASCII.GetBytes(text), out var value));
        Assert.Equal(expected, value);
    }

    [Theory]
    [InlineData("13.5")]
    [InlineData("0.99999999999999999999999999999999999999")]
    [InlineData("1e-1")]
    [InlineData("1e-99999999999")]
    [InlineData("9223372036854775808")]
    [InlineData("1e19")]
    [InlineData("1e99999999999")]
    [InlineData("123456789012345678901234567890")]
    public void TryGetInt64_NoInteger_IsRefused(string text) =>
        Assert.False(WireNumber.TryGetInt64(Encoding.ASCII.GetBytes(text), out _));

    [Fact]
    public void TryGetInt64_RandomDecimals_AgreesWithBigInteger()
    {
        var random = new Random(11);
        for (var i = 0; i < 20_000; i++)
        {
            var digits = random.NextInt64(0, 1_000_000);
            var fraction = random.Next(4) == 0 ? "" : "." + random.Next(0, 1000).ToString("000", CultureInfo.InvariantCulture);
            var power = random.Next(-6, 16);
            var text = string.Create(CultureInfo.InvariantCulture, $"{(random.Next(2) == 0 ? "-" : "")}{digits}{fraction}e{power}");

            var scaled = BigInteger.Parse(digits + fraction.TrimStart('.'), CultureInfo.InvariantCulture);
            var shift = power - Math.Max(0, fraction.Length - 1);
            var exact = shift >= 0 || scaled % BigInteger.Pow(10, -shift) == 0;
            var expected = !exact ? 0 : shift >= 0 ? scaled * BigInteger.Pow(10, shift) : scaled / BigInteger.Pow(10, -shift);
            expected = text[0] == '-' ? -expected : expected;

            var found = WireNumber.TryGetInt64(Encoding.ASCII.GetBytes(text), out var value);
            if (found)
            {
                Assert.True(exact && value == expected, $"{text} became {value}");
            }
            else
            {
                Assert.True(!exact || BigInteger.Abs(expected) > long.MaxValue, $"{text} was refused");
            }
        }
    }
}
