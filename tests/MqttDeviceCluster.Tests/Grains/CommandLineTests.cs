namespace MqttDeviceCluster.Tests.Grains;

public sealed class CommandLineTests
{
    private static CancellationToken None => CancellationToken.None;

    [Fact]
    public async Task TryEnter_SeveralInLine_TakeTurnsInOrder()
    {
        CommandLine line = new(8);
        Assert.True(line.TryEnter(None)!.IsCompletedSuccessfully);
        var turns = Enumerable.Range(0, 5).Select(_ => line.TryEnter(None)!).ToArray();

        foreach (var turn in turns)
        {
            Assert.All(turns.SkipWhile(t => t != turn), t => Assert.False(t.IsCompleted));
            line.Leave();
            await turn.WaitAsync(TestClock.Bound, TestContext.Current.CancellationToken);
        }

        line.Leave();
        Assert.True(line.TryEnter(None)!.IsCompletedSuccessfully);
    }

    [Fact]
    public void TryEnter_LineFull_ReturnsNull()
    {
        CommandLine line = new(2);
        _ = line.TryEnter(None);
        Assert.NotNull(line.TryEnter(None));
        Assert.NotNull(line.TryEnter(None));

        Assert.Null(line.TryEnter(None));
        Assert.Equal(2, line.Waiting);
    }

    [Fact]
    public async Task TryEnter_CancelledInLine_IsPassedOverAndFreesItsPlace()
    {
        CommandLine line = new(2);
        _ = line.TryEnter(None);
        using CancellationTokenSource cancellation = new();
        var cancelled = line.TryEnter(cancellation.Token)!;
        var next = line.TryEnter(None)!;

        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        Assert.NotNull(line.TryEnter(None));
        line.Leave();

        await next.WaitAsync(TestClock.Bound, TestContext.Current.CancellationToken);
    }

    [Fact]
    public void TryEnter_AlreadyCancelled_TakesNoTurn()
    {
        CommandLine line = new(2);

        Assert.True(line.TryEnter(new CancellationToken(canceled: true))!.IsCanceled);
        Assert.True(line.TryEnter(None)!.IsCompletedSuccessfully);
    }

    [Fact]
    public async Task Leave_TurnAndCancellationRace_TurnIsNeitherLostNorGivenTwice()
    {
        for (var i = 0; i < 500; i++)
        {
            CommandLine line = new(4);
            _ = line.TryEnter(None);
            using CancellationTokenSource cancellation = new();
            var racing = line.TryEnter(cancellation.Token)!;

            var cancel = Task.Run(cancellation.Cancel, None);
            line.Leave();
            await cancel;

            // Whoever wins: after it the line is free exactly when the turn was not taken.
            await Task.WhenAny(racing).WaitAsync(TestClock.Bound, TestContext.Current.CancellationToken);
            var probe = line.TryEnter(None)!;
            Assert.Equal(racing.IsCanceled, probe.IsCompletedSuccessfully);
        }
    }
}
