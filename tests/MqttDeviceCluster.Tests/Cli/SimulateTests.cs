using MqttDeviceCluster.Cli;
using MqttDeviceCluster.Tests.Simulator;
using MQTTnet;

namespace MqttDeviceCluster.Tests.Cli;

public sealed class SimulateTests : IAsyncLifetime
{
    private readonly SimulatorBroker _broker = new();

    public ValueTask InitializeAsync() => _broker.InitializeAsync();

    public ValueTask DisposeAsync() => _broker.DisposeAsync();

    [Fact]
    public async Task Simulate_ADevice_IsThereWithItsPins()
    {
        using CancellationTokenSource interrupt = new(SimulatorBroker.Bound);
        var run = Mdc.RunAsync(
            ["simulate", "--broker", _broker.Uri.OriginalString], new CliEnvironment { Output = TextWriter.Null, Error = TextWriter.Null }, interrupt.Token);

        Assert.Equal("device/020000000001/status", (await _broker.NextAsync()).Topic);
        var update = await _broker.NextAsync();
        Assert.Equal("device/020000000001/pin/update", update.Topic);
        Assert.Equal("""[{"pin":13,"mode":3,"state":0},{"pin":14,"mode":3,"state":0}]""", update.ConvertPayloadToString());
        await interrupt.CancelAsync();
        Assert.Equal(ExitCode.Done, await run);
    }
}
