using Microsoft.Extensions.Logging.Abstractions;
using MqttDeviceCluster.Silo.Diagnostics;

namespace MqttDeviceCluster.Tests.Silo.Diagnostics;

public sealed class SiloLossesTests
{
    private static readonly SiloAddress Local = SiloAddress.FromParsableString("127.0.0.1:11111@1");
    private static readonly SiloAddress Other = SiloAddress.FromParsableString("127.0.0.1:11112@1");

    private readonly Oracle _oracle = new();
    private readonly SiloLosses _losses;

    public SiloLossesTests() => _losses = new(_oracle, NullLogger<SiloLosses>.Instance);

    [Theory]
    [InlineData(1, SiloStatus.Joining, SiloStatus.Active, SiloStatus.Dead)]
    [InlineData(1, SiloStatus.Active, SiloStatus.Dead, SiloStatus.Dead)]
    [InlineData(0, SiloStatus.Joining, SiloStatus.Active, SiloStatus.ShuttingDown, SiloStatus.Stopping, SiloStatus.Dead)]
    [InlineData(0, SiloStatus.Active, SiloStatus.ShuttingDown, SiloStatus.Dead)]
    [InlineData(0, SiloStatus.Active, SiloStatus.Stopping, SiloStatus.Dead)]
    [InlineData(0, SiloStatus.Joining, SiloStatus.Dead)]
    [InlineData(0, SiloStatus.Dead)]
    public void Count_AnotherSilo_IsOfThoseThatWereActiveToTheEnd(int expected, params SiloStatus[] statuses)
    {
        foreach (var status in statuses)
        {
            _losses.SiloStatusChangeNotification(Other, status);
        }

        Assert.Equal(expected, _losses.Count);
    }

    [Fact]
    public void Count_TheSiloItself_IsNone()
    {
        _losses.SiloStatusChangeNotification(Local, SiloStatus.Active);
        _losses.SiloStatusChangeNotification(Local, SiloStatus.Dead);
        Assert.Equal(0, _losses.Count);
    }

    [Fact]
    public async Task Count_SiloThatWasThereBefore_IsKnownFromTheStart()
    {
        _oracle.Statuses[Other] = SiloStatus.Active;
        SiloLifecycle lifecycle = new();
        _losses.Participate(lifecycle);
        await lifecycle.Start!(TestContext.Current.CancellationToken);
        _oracle.Listener!.SiloStatusChangeNotification(Other, SiloStatus.Dead);
        Assert.Equal(1, _losses.Count);

        await lifecycle.Stop!(TestContext.Current.CancellationToken);
        Assert.Null(_oracle.Listener);
    }

    private sealed class Oracle : ISiloStatusOracle
    {
        public Dictionary<SiloAddress, SiloStatus> Statuses { get; } = [];

        public ISiloStatusListener? Listener { get; private set; }

        public SiloStatus CurrentStatus => SiloStatus.Active;

        public string SiloName => "silo";

        public SiloAddress SiloAddress => Local;

        public SiloStatus GetApproximateSiloStatus(SiloAddress siloAddress) => Statuses[siloAddress];

        public Dictionary<SiloAddress, SiloStatus> GetApproximateSiloStatuses(bool onlyActive = false) => Statuses;

        public SiloAddress[] GetActiveSilos() => [.. Statuses.Keys];

        public bool TryGetSiloName(SiloAddress siloAddress, out string siloName) => throw new NotSupportedException();

        public bool IsFunctionalDirectory(SiloAddress siloAddress) => throw new NotSupportedException();

        public bool IsDeadSilo(SiloAddress silo) => throw new NotSupportedException();

        public bool SubscribeToSiloStatusEvents(ISiloStatusListener observer)
        {
            Listener = observer;
            return true;
        }

        public bool UnSubscribeFromSiloStatusEvents(ISiloStatusListener observer)
        {
            Listener = null;
            return true;
        }
    }

    private sealed class SiloLifecycle : ISiloLifecycle
    {
        public Func<CancellationToken, Task>? Start { get; private set; }

        public Func<CancellationToken, Task>? Stop { get; private set; }

        public int HighestCompletedStage => 0;

        public int LowestStoppedStage => 0;

        public IDisposable Subscribe(string observerName, int stage, ILifecycleObserver observer)
        {
            (Start, Stop) = (observer.OnStart, observer.OnStop);
            return null!;
        }
    }
}
