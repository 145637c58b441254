using Microsoft.Extensions.Time.Testing;
using MqttDeviceCluster.Silo.Hosting;

namespace MqttDeviceCluster.Tests.Silo.Hosting;

public sealed class LeavingInTurnTests
{
    private static readonly SiloAddress First = SiloAddress.FromParsableString("127.0.0.1:11111@1");
    private static readonly SiloAddress Second = SiloAddress.FromParsableString("127.0.0.1:11112@1");
    private static readonly SiloAddress Third = SiloAddress.FromParsableString("127.0.0.1:11113@1");

    private readonly FakeTimeProvider _time = new();
    private readonly Members _members = new();

    [Fact]
    public void Wait_NoOtherMember_TakesNoTime()
    {
        _members.Set(1, (Second, SiloStatus.Active), (First, SiloStatus.Dead));
        Assert.True(WaitAs(Second).IsCompletedSuccessfully);
    }

    [Fact]
    public void Wait_NoMemberItself_TakesNoTime()
    {
        _members.Set(1, (First, SiloStatus.Active), (Second, SiloStatus.Joining));
        Assert.True(WaitAs(Second).IsCompletedSuccessfully);
        Assert.True(WaitAs(Third).IsCompletedSuccessfully);
    }

    [Fact]
    public void Wait_AllToldTogether_TheFirstByAddressGoesAndTheOthersFollowOneByOne()
    {
        _members.Set(1, (Third, SiloStatus.Active), (First, SiloStatus.Active), (Second, SiloStatus.Active));
        Assert.True(WaitAs(First).IsCompletedSuccessfully);
        var (second, third) = (WaitAs(Second), WaitAs(Third));

        _members.Set(2, (First, SiloStatus.ShuttingDown), (Second, SiloStatus.Active), (Third, SiloStatus.Active));
        Advance(TimeSpan.FromSeconds(2));
        Assert.False(second.IsCompleted || third.IsCompleted);

        // Both saw it go at once, and still do not go together.
        _members.Set(3, (First, SiloStatus.Dead), (Second, SiloStatus.Active), (Third, SiloStatus.Active));
        Advance(LeavingInTurn.Slot / 2);
        Assert.True(second.IsCompletedSuccessfully);
        Assert.False(third.IsCompleted);
        _members.Set(4, (First, SiloStatus.Dead), (Second, SiloStatus.ShuttingDown), (Third, SiloStatus.Active));
        Advance(2 * LeavingInTurn.Slot);
        Assert.False(third.IsCompleted);
        _members.Set(5, (First, SiloStatus.Dead), (Second, SiloStatus.Dead), (Third, SiloStatus.Active));
        Advance(LeavingInTurn.Slot / 2);
        Assert.True(third.IsCompletedSuccessfully);
    }

    [Fact]
    public void Wait_OnlyOneIsTold_GoesAfterTheTimeOfThoseBeforeIt()
    {
        _members.Set(1, (First, SiloStatus.Active), (Second, SiloStatus.Active), (Third, SiloStatus.Active));
        var third = WaitAs(Third);
        Advance(2 * LeavingInTurn.Slot - TimeSpan.FromMilliseconds(50));
        Assert.False(third.IsCompleted);
        Advance(TimeSpan.FromMilliseconds(50));
        Assert.True(third.IsCompletedSuccessfully);
    }

    [Fact]
    public void Wait_AnotherHangsInItsStop_EndsAllTheSame()
    {
        _members.Set(1, (First, SiloStatus.ShuttingDown), (Second, SiloStatus.Active));
        var second = WaitAs(Second);
        Advance(LeavingInTurn.MaxWait - TimeSpan.FromSeconds(1));
        Assert.False(second.IsCompleted);
        Advance(TimeSpan.FromSeconds(1));
        Assert.True(second.IsCompletedSuccessfully);
    }

    private Task WaitAs(SiloAddress silo) => new LeavingInTurn(_members, new Local(silo), _time).WaitAsync(TestContext.Current.CancellationToken);

    // In steps, as time passes: a wait that begins another one would see it all at once.
    private void Advance(TimeSpan time)
    {
        for (var step = TimeSpan.FromMilliseconds(50); time > TimeSpan.Zero; time -= step)
        {
            _time.Advance(step);
        }
    }

    private sealed class Local(SiloAddress silo) : ILocalSiloDetails
    {
        public string Name => "silo";

        public string ClusterId => "cluster";

        public string DnsHostName => "host";

        public SiloAddress SiloAddress => silo;

        public SiloAddress GatewayAddress => silo;
    }
}
