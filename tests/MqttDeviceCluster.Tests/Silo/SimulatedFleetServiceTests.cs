using Microsoft.Extensions.Logging.Abstractions;
using MqttDeviceCluster.Silo;
using MqttDeviceCluster.Tests.Silo.Hosting;
using MqttDeviceCluster.Tests.Simulator;
using MQTTnet;

namespace MqttDeviceCluster.Tests.Silo;

public sealed class SimulatedFleetServiceTests : IAsyncLifetime
{
    private readonly SimulatorBroker _broker = new();

    public ValueTask InitializeAsync() => _broker.InitializeAsync();

    public ValueTask DisposeAsync() => _broker.DisposeAsync();

    [Fact]
    public async Task Start_ADevice_IsThereWithItsPins()
    {
        using SimulatedFleetService service = new(
            SiloSettingsTests.From(("Simulate", "1"), ("ConnectionStrings:mqtt", _broker.Uri.OriginalString)),
            NullLoggerFactory.Instance,
            TimeProvider.System,
            NullLogger<SimulatedFleetService>.Instance);

        await service.StartAsync(TestContext.Current.CancellationToken);

        Assert.Equal("device/020000000001/status", (await _broker.NextAsync()).Topic);
        var update = await _broker.NextAsync();
        Assert.Equal("device/020000000001/pin/update", update.Topic);
        Assert.Equal("""[{"pin":13,"mode":3,"state":0},{"pin":14,"mode":3,"state":0}]""", update.ConvertPayloadToString());
        await service.StopAsync(TestContext.Current.CancellationToken);
    }
}
