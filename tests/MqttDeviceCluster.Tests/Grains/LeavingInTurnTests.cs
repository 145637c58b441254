using Microsoft.Extensions.Time.Testing;
using MqttDeviceCluster.Tests.Grains.Fleet;

namespace MqttDeviceCluster.Tests.Grains;

public sealed class LeavingInTurnTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly FakeSilos _silos = new();

    [Fact]
    public void Wait_NoOtherMember_TakesNoTime()
    {
        Set(1, SiloStatus.Dead);
        Set(2, SiloStatus.Active);
        Assert.True(WaitAs(2).IsCompletedSuccessfully);
    }

    [Fact]
    public void Wait_NoMemberItself_TakesNoTime()
    {
        Set(1, SiloStatus.Active);
        Set(2, SiloStatus.Joining);
        Assert.True(WaitAs(2).IsCompletedSuccessfully);
        Assert.True(WaitAs(3).IsCompletedSuccessfully);
    }

    [Fact]
    public void Wait_AllToldTogether_TheFirstGoesAndTheOthersFollowOneByOne()
    {
        SetAll(3);
        Assert.True(WaitAs(1).IsCompletedSuccessfully);
        var (second, third) = (WaitAs(2), WaitAs(3));

        Set(1, SiloStatus.ShuttingDown);
        Advance(TimeSpan.FromSeconds(2));
        Assert.False(second.IsCompleted || third.IsCompleted);

        // Both saw it go at once, and still do not go together.
        Set(1, SiloStatus.Dead);
        Advance(LeavingInTurn.Slot / 2);
        Assert.True(second.IsCompletedSuccessfully);
        Assert.False(third.IsCompleted);
        Set(2, SiloStatus.ShuttingDown);
        Advance(2 * LeavingInTurn.Slot);
        Assert.False(third.IsCompleted);
        Set(2, SiloStatus.Dead);
        Advance(LeavingInTurn.Slot / 2);
        Assert.True(third.IsCompletedSuccessfully);
    }

    [Fact]
    public void Wait_OnlyOneIsTold_GoesAfterTheTimeOfThoseBeforeIt()
    {
        SetAll(3);
        var third = WaitAs(3);
        Advance((2 * LeavingInTurn.Slot) - TimeSpan.FromMilliseconds(50));
        Assert.False(third.IsCompleted);
        Advance(TimeSpan.FromMilliseconds(50));
        Assert.True(third.IsCompletedSuccessfully);
    }

    [Fact]
    public void Wait_AnotherHangsInItsStop_EndsAllTheSameAndNotForAllTogether()
    {
        SetAll(3);
        Set(1, SiloStatus.ShuttingDown);
        var (second, third) = (WaitAs(2), WaitAs(3));
        Advance(LeavingInTurn.MaxWait - TimeSpan.FromMilliseconds(50));
        Assert.False(second.IsCompleted || third.IsCompleted);
        Advance(TimeSpan.FromMilliseconds(50));
        Assert.True(second.IsCompletedSuccessfully);
        Assert.False(third.IsCompleted);
        Advance(LeavingInTurn.Slot);
        Assert.True(third.IsCompletedSuccessfully);
    }

    [Fact]
    public async Task Wait_ThereIsNoTimeLeft_IsCancelled()
    {
        SetAll(2);
        using CancellationTokenSource enough = new();
        var second = new LeavingInTurn(_silos, new Local(2), _time).WaitAsync(enough.Token);
        await enough.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
    }

    private void SetAll(int count)
    {
        for (var number = 1; number <= count; number++)
        {
            Set(number, SiloStatus.Active);
        }
    }

    private void Set(int number, SiloStatus status) => _silos.Add(number, new FakeFleetService(_time), status);

    private Task WaitAs(int number) => new LeavingInTurn(_silos, new Local(number), _time).WaitAsync(TestContext.Current.CancellationToken);

    // In steps, as time passes: a wait that begins another one would see it all at once.
    private void Advance(TimeSpan time)
    {
        for (var step = TimeSpan.FromMilliseconds(50); time > TimeSpan.Zero; time -= step)
        {
            _time.Advance(step);
        }
    }

    private sealed class Local(int number) : ILocalSiloDetails
    {
        public string Name => "silo";

        public string ClusterId => "cluster";

        public string DnsHostName => "host";

        public SiloAddress SiloAddress => FakeSilos.Address(number);

        public SiloAddress GatewayAddress => SiloAddress;
    }
}
