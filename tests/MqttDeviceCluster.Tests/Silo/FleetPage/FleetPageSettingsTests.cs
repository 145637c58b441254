using MqttDeviceCluster.Silo.Hosting;
using MqttDeviceCluster.Tests.Silo.Hosting;

namespace MqttDeviceCluster.Tests.Silo.FleetPage;

public sealed class FleetPageSettingsTests
{
    private const string Token = "0123456789abcdef";
    private static readonly (string, string) Public = ("Urls", "http://127.0.0.1:1;http://*:8080");
    private static readonly (string, string) Enabled = ("FleetPage:Enabled", "true");

    [Fact]
    public void From_Loopback_HasThePageUnlessItIsOff()
    {
        Assert.Null(SiloSettingsTests.From().FleetPage?.Token);
        Assert.NotNull(SiloSettingsTests.From().FleetPage);
        Assert.Equal(Token, SiloSettingsTests.From(("FleetPage:Token", Token)).FleetPage?.Token);
        Assert.Null(SiloSettingsTests.From(("FleetPage:Enabled", "false")).FleetPage);
    }

    [Fact]
    public void From_OtherAddresses_HasThePageOnlyEnabledWithAToken()
    {
        Assert.Null(SiloSettingsTests.From(Public).FleetPage);
        Assert.Null(SiloSettingsTests.From(Public, ("FleetPage:Token", Token)).FleetPage);
        Assert.Equal(Token, SiloSettingsTests.From(Public, Enabled, ("FleetPage:Token", Token)).FleetPage?.Token);
        Assert.NotNull(SiloSettingsTests.From(("HTTP_PORTS", "8080"), Enabled, ("FleetPage:Token", Token)).FleetPage);
        foreach (var elsewhere in new[] { Public, ("HTTP_PORTS", "8080"), ("Kestrel:Endpoints:Http:Url", "http://*:80") })
        {
            var e = Assert.Throws<SiloStartException>(() => SiloSettingsTests.From(elsewhere, Enabled));
            Assert.Contains("set FleetPage:Token (at least 16 characters), or FleetPage:Enabled to false", e.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("0123456789secre")]
    [InlineData("")]
    [InlineData("01234567 89secret")]
    [InlineData("0123456789äsecret")]
    public void From_BadToken_IsSaidWithoutIt(string token)
    {
        var e = Assert.Throws<SiloStartException>(() => SiloSettingsTests.From(("FleetPage:Token", token)));
        Assert.Contains("FleetPage:Token must be at least 16 characters", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secre", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ToString_Settings_HoldsNoToken() => Assert.DoesNotContain(Token, SiloSettingsTests.From(("FleetPage:Token", Token)).ToString(), StringComparison.Ordinal);
}
