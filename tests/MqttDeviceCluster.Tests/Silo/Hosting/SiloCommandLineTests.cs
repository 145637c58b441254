using MqttDeviceCluster.Silo.Hosting;

namespace MqttDeviceCluster.Tests.Silo.Hosting;

public sealed class SiloCommandLineTests
{
    [Fact]
    public void Parse_Settings_InBothForms()
    {
        var parsed = SiloCommandLine.Parse(["--simulate", "10", "--ConnectionStrings:mqtt=mqtt://u:p=q@h", "--urls", "http://127.0.0.1:1", "--Logging:LogLevel:Orleans=Debug"]);
        Assert.Equal("10", parsed.Settings["Simulate"]);
        Assert.Equal("mqtt://u:p=q@h", parsed.Settings["ConnectionStrings:mqtt"]);
        Assert.Equal("http://127.0.0.1:1", parsed.Settings["Urls"]);
        Assert.Equal("Debug", parsed.Settings["Logging:LogLevel:Orleans"]);
        Assert.False(parsed.Help);
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("-h")]
    [InlineData("--simulate", "3", "--help")]
    public void Parse_Help_IsAsked(params string[] args) => Assert.True(SiloCommandLine.Parse(args).Help);

    [Theory]
    [InlineData("'--simulat' is not an option", "--simulat=3")]
    [InlineData("'--Orlean:ClusterId' is not an option", "--Orlean:ClusterId", "x")]
    [InlineData("'mqtt://u:secret@h' is not an option", "mqtt://u:secret@h")]
    [InlineData("'--' is not an option", "--")]
    [InlineData("'-x' is not an option", "-x")]
    [InlineData("'--simulate' needs a value", "--simulate")]
    [InlineData("'--simulate' needs a value", "--simulate", "--help")]
    public void Parse_BadArgument_SaysWhich(string problem, params string[] args)
    {
        var e = Assert.Throws<SiloStartException>(() => SiloCommandLine.Parse(args));
        Assert.StartsWith(problem, e.Message, StringComparison.Ordinal);
        Assert.Equal(SiloExitCodes.BadUsage, e.ExitCode);
    }
}
