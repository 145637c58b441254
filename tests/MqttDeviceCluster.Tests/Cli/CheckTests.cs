using MqttDeviceCluster.Cli;
using MqttDeviceCluster.Tests.Grains.Fleet;
using MqttDeviceCluster.Tests.Streaming.Mqtt.Link;

namespace MqttDeviceCluster.Tests.Cli;

public sealed class CheckTests
{
    [Fact]
    public async Task Check_FileThatDoesNotExist_IsBadInputInOneLine()
    {
        var (code, output, error) = await RunAsync(TimeProvider.System, "check", "--password-file", "/no/such/file");

        Assert.Equal((2, "", "mdc: The MQTT credentials cannot be used: PasswordFile '/no/such/file' does not exist.\n"), (code, output, error));
    }

    [Fact]
    public async Task Check_BrokerAnswersTooLate_DoesNotSayThatThereIsNone()
    {
        using RawBroker broker = new();
        TimerClock clock = new();
        var running = RunAsync(clock, "check", "--broker", broker.ConnectionString, "--quiet", "20s");
        using var connection = await broker.AcceptAsync(sessionPresent: false);
        var subscribe = await connection.ReadAsync(0x82);
        clock.Advance(TimeSpan.FromSeconds(15));
        await connection.SendAsync(0x90, [subscribe.Body[0], subscribe.Body[1], 0, 0, 0, 0]);

        // Half a minute is over before the broker could be silent for 20 s.
        while (await clock.BegunAsync() != TimeSpan.FromSeconds(15))
        {
        }

        clock.Advance(TimeSpan.FromSeconds(15));
        await connection.ReadAsync(0xE0);
        connection.Dispose();

        var (code, output, _) = await running;
        Assert.Equal((1, $"whether there are retained messages on command topics of {broker.ConnectionString} is unknown: it took too long\n"), (code, output));
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(TimeProvider time, params string[] arguments)
    {
        using StringWriter output = new() { NewLine = "\n" }, error = new() { NewLine = "\n" };
        var code = await Mdc.RunAsync(arguments, new CliEnvironment { Output = output, Error = error, TimeProvider = time }, TestContext.Current.CancellationToken);
        return (code, output.ToString(), error.ToString());
    }
}
