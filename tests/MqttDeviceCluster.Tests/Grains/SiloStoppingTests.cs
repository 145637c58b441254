using Microsoft.Extensions.Time.Testing;

namespace MqttDeviceCluster.Tests.Grains;

public sealed class SiloStoppingTests : IDisposable
{
    private readonly FakeTimeProvider _time = new(TestClock.Noon);
    private readonly SiloStopping _stopping;

    public SiloStoppingTests() => _stopping = new(_time);

    public void Dispose() => _stopping.Dispose();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Stop_NothingRuns_EndsEverythingAtOnce()
    {
        await _stopping.StopAsync(Token).WaitAsync(TestClock.Bound, Token);
        Assert.True(_stopping.Closing.IsCancellationRequested && _stopping.Token.IsCancellationRequested);
        Assert.False(_stopping.TryBegin());
    }

    [Fact]
    public async Task Stop_CommandsRun_WaitsForThemAndLetsNoneBegin()
    {
        Assert.True(_stopping.TryBegin() && _stopping.TryBegin());
        var stop = _stopping.StopAsync(Token);
        Assert.True(_stopping.Closing.IsCancellationRequested);
        Assert.False(_stopping.TryBegin());
        _stopping.End();
        Assert.False(stop.IsCompleted || _stopping.Token.IsCancellationRequested);

        _stopping.End();
        await stop.WaitAsync(TestClock.Bound, Token);
        Assert.True(_stopping.Token.IsCancellationRequested);
    }

    [Fact]
    public async Task Stop_CommandDoesNotEnd_IsInterruptedAfterTheFinishTime()
    {
        Assert.True(_stopping.TryBegin());
        var stop = _stopping.StopAsync(Token);
        _time.Advance(SiloStopping.FinishTime - TimeSpan.FromMilliseconds(1));
        Assert.False(stop.IsCompleted || _stopping.Token.IsCancellationRequested);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        await stop.WaitAsync(TestClock.Bound, Token);
        Assert.True(_stopping.Token.IsCancellationRequested);
    }

    [Fact]
    public async Task Stop_NoTimeLeft_IsInterruptedAtOnce()
    {
        Assert.True(_stopping.TryBegin());
        await _stopping.StopAsync(new(canceled: true)).WaitAsync(TestClock.Bound, Token);
        Assert.True(_stopping.Token.IsCancellationRequested);
    }
}
