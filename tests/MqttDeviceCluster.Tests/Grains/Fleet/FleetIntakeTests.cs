using Microsoft.Extensions.Time.Testing;

namespace MqttDeviceCluster.Tests.Grains.Fleet;

public sealed class FleetIntakeTests
{
    private readonly FakeTimeProvider _time = new(TestClock.Noon);
    private readonly OwnIntake _own = new();
    private readonly FleetIntake _intake;

    public FleetIntakeTests() => _intake = new(_time, _own);

    private static DateTimeOffset At(int minutes) => TestClock.Noon.AddMinutes(minutes);

    private void Note(int silo, DateTimeOffset? since, bool isThere = true) => _intake.Note(FakeSilos.Address(silo), isThere, since);

    [Fact]
    public void ListeningSince_HostWithoutAnIntake_CountsSinceItsStart()
    {
        FleetIntake intake = new(_time);
        _time.Advance(TimeSpan.FromHours(1));

        Assert.Equal(TestClock.Noon, intake.ListeningSince);
        Assert.False(intake.IsHere);
        Assert.Null(intake.OwnListeningSince);
    }

    [Fact]
    public void ListeningSince_NobodyIsKnownToListen_IsNull() => Assert.Null(_intake.ListeningSince);

    [Fact]
    public void ListeningSince_OwnIntake_IsItsOwn()
    {
        (_own.IsHere, _own.ListeningSince) = (true, At(-5));
        Assert.Equal(At(-5), _intake.ListeningSince);
        Assert.True(_intake.IsHere);

        _own.ListeningSince = null; // An outage of our own.
        Assert.Null(_intake.ListeningSince);
    }

    [Fact]
    public void ListeningSince_SeveralListen_TheLastToComeBackDecides()
    {
        (_own.IsHere, _own.ListeningSince) = (true, At(-5));
        Note(2, At(-2));
        Note(3, At(-9));
        Assert.Equal(At(-2), _intake.ListeningSince);

        Note(3, null);
        Assert.Null(_intake.ListeningSince);

        Note(3, null, isThere: false);
        Assert.Equal(At(-2), _intake.ListeningSince);
    }

    [Fact]
    public void ListeningSince_OnlyAnotherListens_IsItsReportWhileThatIsFresh()
    {
        Note(2, At(-2));
        _time.Advance(FleetIntake.Validity);
        Assert.Equal(At(-2), _intake.ListeningSince);

        _time.Advance(TimeSpan.FromTicks(1));
        Assert.Null(_intake.ListeningSince);

        Note(2, At(-2));
        Assert.Equal(At(-2), _intake.ListeningSince);
    }

    private sealed class OwnIntake : IDeviceIntake
    {
        public TimeSpan OutageDetectionTime { get; init; }

        public bool IsHere { get; set; }

        public DateTimeOffset? ListeningSince { get; set; }
    }
}
