using System.Diagnostics;

namespace MqttDeviceCluster.IntegrationTests.Infrastructure;

public sealed class MosquittoBrokerTests
{
    [Fact]
    public async Task Restart_RetainedMessage_IsKeptAtTheSamePort()
    {
        await using var broker = await MosquittoBroker.StartAsync();
        var port = broker.Port;
        await RunAsync("mosquitto_pub", "-p", $"{port}", "-t", "kept", "-m", "yes", "-r", "-q", "1");

        await broker.RestartAsync();

        Assert.Equal(port, broker.Port);
        Assert.Equal("yes", await RunAsync("mosquitto_sub", "-p", $"{port}", "-t", "kept", "-C", "1", "-W", "10"));
    }

    [Fact]
    public async Task Suspend_ThenResume_AnswersOnlyAfterwards()
    {
        await using var broker = await MosquittoBroker.StartAsync();

        broker.Suspend();
        var publish = RunAsync("mosquitto_pub", "-p", $"{broker.Port}", "-t", "late", "-m", "1", "-q", "1");
        // Nothing tells that an answer does not come.
        await Task.Delay(300, TestContext.Current.CancellationToken);
        Assert.False(publish.IsCompleted);

        broker.Resume();
        await publish.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Kill_NotSavedYet_ForgetsRetainedMessage()
    {
        await using var broker = await MosquittoBroker.StartAsync();
        await RunAsync("mosquitto_pub", "-p", $"{broker.Port}", "-t", "kept", "-m", "yes", "-r", "-q", "1");

        await broker.KillAsync();
        await broker.StartAsync();

        await RunAsync("mosquitto_pub", "-p", $"{broker.Port}", "-t", "kept/new", "-m", "new", "-r", "-q", "1");
        Assert.Equal("new", await RunAsync("mosquitto_sub", "-p", $"{broker.Port}", "-t", "kept/#", "-C", "1", "-W", "10"));
    }

    private static async Task<string> RunAsync(string program, params string[] arguments)
    {
        using Process process = new()
        {
            StartInfo = new ProcessStartInfo(MosquittoBroker.Find(program), ["-h", "127.0.0.1", .. arguments]) { RedirectStandardOutput = true },
        };
        process.Start();
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, process.ExitCode);
        return output.TrimEnd('\n');
    }
}
