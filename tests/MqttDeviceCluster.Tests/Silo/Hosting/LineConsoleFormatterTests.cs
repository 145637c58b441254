using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using MqttDeviceCluster.Silo.Hosting;

namespace MqttDeviceCluster.Tests.Silo.Hosting;

public sealed class LineConsoleFormatterTests
{
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 1, 2, 3, 4, 5, 678, TimeSpan.Zero));
    private readonly StartPhase _start = new();

    [Fact]
    public void Write_Message_IsOneLine()
    {
        _start.IsOver = true;
        Assert.Equal("03:04:05.678 warn Device: a b\n", Write(LogLevel.Warning, "a\r\nb", null));
        Assert.Equal("03:04:05.678 warn Device: a [InvalidOperationException: x y]\n", Write(LogLevel.Warning, "a", Thrown("x\ny")));
    }

    [Fact]
    public void Write_WhatSteersATerminal_IsEscaped()
    {
        _start.IsOver = true;
        Assert.Equal("03:04:05.678 warn Device: \\u001B[31mred\\u0007 \\u0000 \\u202Etxt.exe ü 温\tx\n", Write(LogLevel.Warning, "\u001b[31mred\u0007 \0 \u202etxt.exe ü 温\tx", null));
        Assert.EndsWith(" [InvalidOperationException: \\u001B]\n", Write(LogLevel.Warning, "a", Thrown("\u001b")), StringComparison.Ordinal);
        Assert.Contains("Exception: \\u009B1m\n       at ", Write(LogLevel.Error, "a", Thrown("\u009b1m")).ReplaceLineEndings("\n"), StringComparison.Ordinal);
        Assert.Contains("Exception: a\n    03:04:05.678 info forged", Write(LogLevel.Error, "a", Thrown("a\r03:04:05.678 info forged")).ReplaceLineEndings("\n"), StringComparison.Ordinal);
    }

    [Fact]
    public void Write_ErrorAfterTheStart_HasItsStackTrace()
    {
        Assert.DoesNotContain("   at ", Write(LogLevel.Error, "a", Thrown("x")), StringComparison.Ordinal);
        _start.IsOver = true;
        Assert.Contains("   at ", Write(LogLevel.Error, "a", Thrown("x")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Orleans.Runtime.SiloLifecycleSubject")]
    [InlineData("Orleans.Runtime.Silo")]
    public void Write_WhatFailsTheStart_IsLeftToTheSentenceThatTheProcessEndsWith(string category)
    {
        AggregateException failure = new(new SiloStartException("The broker is away."));
        Assert.Equal("", Write(LogLevel.Error, "a", failure, category));
        Assert.NotEqual("", Write(LogLevel.Error, "a", Thrown("x"), category));
        Assert.NotEqual("", Write(LogLevel.Error, "a", failure));
        Assert.NotEqual("", Write(LogLevel.Error, "a", null, category));
        _start.IsOver = true;
        Assert.NotEqual("", Write(LogLevel.Error, "a", failure, category));
    }

    private static InvalidOperationException Thrown(string message)
    {
        try
        {
            throw new InvalidOperationException(message);
        }
        catch (InvalidOperationException e)
        {
            return e;
        }
    }

    private string Write(LogLevel level, string message, Exception? exception, string category = "MqttDeviceCluster.Device")
    {
        using var writer = new StringWriter { NewLine = "\n" };
        new LineConsoleFormatter(_time, _start).Write(
            new LogEntry<string>(level, category, default, message, exception, (state, _) => state), null, writer);
        return writer.ToString();
    }
}
