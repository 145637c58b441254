namespace MqttDeviceCluster.Tests.Cli;

public sealed class ForgetTests
{
    private const string Id = "544B3B144B8C";
    private const string Question = $"Forget device '{Id}' and all that is stored of it? [y/N] ";

    [Theory]
    [InlineData("y\n")]
    [InlineData(" YES \n")]
    public async Task Forget_Confirmed_Forgets(string answer)
    {
        var cluster = new FakeCluster { Answers = answer };
        var (code, output, error) = await cluster.RunAsync($"forget {Id}", terminalWidth: 80);
        Assert.Equal((0, $"device     {Id}\nforgotten  yes\n", Question), (code, output, error));
        Assert.Equal([Id, "forget"], cluster.Asked);
    }

    [Theory]
    [InlineData("\n")]
    [InlineData("n\n")]
    [InlineData("yep\n")]
    [InlineData("")]
    public async Task Forget_NotConfirmed_AsksNothingOfTheCluster(string answer)
    {
        var cluster = new FakeCluster { Answers = answer };
        var (code, output, error) = await cluster.RunAsync($"forget {Id}", terminalWidth: 80);
        Assert.Equal((1, "", $"{Question}mdc: nothing was forgotten\n"), (code, output, error));
        Assert.Null(cluster.Settings);
    }

    [Fact]
    public async Task Forget_Yes_DoesNotAsk()
    {
        var cluster = new FakeCluster();
        Assert.Equal((0, $$"""{"device":"{{Id}}","forgotten":true}""" + "\n", ""), await cluster.RunAsync($"forget {Id} --yes --json"));

        cluster = new FakeCluster { Forgets = false, Answers = "n\n" };
        Assert.Equal(
            (0, $"device     {Id}\nforgotten  no (the cluster knew no such device)\n", ""), await cluster.RunAsync($"forget {Id} --yes", terminalWidth: 80));
    }

    [Fact]
    public async Task Forget_CancelledWhileAsked_Exits130AndAsksNothingOfTheCluster()
    {
        using var source = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        await source.CancelAsync();
        var cluster = new FakeCluster { Answers = "y\n" };
        var (code, _, _) = await cluster.RunUntilAsync($"forget {Id}", 80, source.Token);
        Assert.Equal(130, code);
        Assert.Null(cluster.Settings);
    }
}
