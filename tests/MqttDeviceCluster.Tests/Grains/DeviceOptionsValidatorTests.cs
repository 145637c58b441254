using Microsoft.Extensions.Options;

namespace MqttDeviceCluster.Tests.Grains;

public sealed class DeviceOptionsValidatorTests
{
    [Fact]
    public void ValidateConfiguration_Defaults_AreValid() => new DeviceOptionsValidator(Options.Create(new DeviceOptions())).ValidateConfiguration();

    [Fact]
    public void ValidateConfiguration_SeveralProblems_NamesThemAllWithTheirValues()
    {
        DeviceOptionsValidator validator = new(Options.Create(new DeviceOptions
        {
            MaxWaitingCommands = 0,
            MaxConcurrentWaits = 65537,
            MaxPins = -3,
            LastSeenWriteInterval = TimeSpan.Zero,
        }));

        var exception = Assert.Throws<OrleansConfigurationException>(validator.ValidateConfiguration);

        Assert.All(
            ["MaxWaitingCommands", "65537", "-3", "00:00:00"], part => Assert.Contains(part, exception.Message, StringComparison.Ordinal));
    }
}
