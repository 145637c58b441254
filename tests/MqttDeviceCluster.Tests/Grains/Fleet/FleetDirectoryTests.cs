using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using MqttDeviceCluster.Fleet;

namespace MqttDeviceCluster.Tests.Grains.Fleet;

public sealed class FleetDirectoryTests
{
    private readonly FakeTimeProvider _time = new(TestClock.Noon);
    private readonly FakeSilos _silos = new();
    private readonly FakeScan _scan = new();
    private readonly FakeFleetService _one;
    private readonly FakeFleetService _two;

    public FleetDirectoryTests()
    {
        (_one, _two) = (new(_time), new(_time));
        _silos.Add(1, _one);
        _silos.Add(2, _two);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static DeviceState State(Presence presence = Presence.Online, int pin13 = 0, int lastSeen = 0) => new()
    {
        FirstSeen = TestClock.Noon.AddDays(-1),
        LastSeen = TestClock.Noon.AddSeconds(lastSeen),
        Presence = (int)presence,
        Pins = [new() { Pin = 13, Mode = (int)PinMode.Output, State = pin13, ReceivedAt = TestClock.Noon }],
    };

    private FleetDirectory Directory(bool scans = true) => new(_silos, _silos, _silos, _time, NullLogger<FleetDirectory>.Instance, scans ? _scan : null);

    private Task<DevicePage> PageAsync(DeviceFilter? filter = null, string? continuation = null, int max = 1_000, bool scans = true) =>
        Directory(scans).ListAsync(filter ?? new(), continuation, max, Token);

    private async Task<List<DeviceSnapshot>> AllAsync(DeviceFilter? filter = null, int max = 1_000, bool scans = true)
    {
        List<DeviceSnapshot> all = [];
        string? continuation = null;
        do
        {
            var page = await PageAsync(filter, continuation, max, scans);
            Assert.InRange(page.Devices.Length, 0, max);
            all.AddRange(page.Devices);
            continuation = page.Continuation;
        }
        while (continuation is not null);
        return all;
    }

    private static IEnumerable<string> Ids(IEnumerable<DeviceSnapshot> devices) => devices.Select(device => device.DeviceId);

    [Fact]
    public async Task ListAsync_OnlyStored_IsAsStored()
    {
        _scan.Add("a", State(Presence.Offline) with { Firmware = "1.6.0" });

        var device = Assert.Single((await PageAsync()).Devices);

        Assert.Equal(
            ("a", Presence.Offline, "1.6.0", TestClock.Noon.AddDays(-1), TestClock.Noon),
            (device.DeviceId, device.Presence.State, device.Firmware, device.FirstSeen, device.LastSeen));
        Assert.Equal(13, Assert.Single(device.Pins).Pin);
        Assert.Equal(_time.GetUtcNow(), device.AsOf); // No silo has it in memory, so what is stored is true now.
    }

    [Fact]
    public async Task ListAsync_SomeSiloHasItInMemory_IsWhatThatOneKnows()
    {
        _scan.Add("a", State());
        _two.Add("a", State(pin13: 1, lastSeen: 60));

        var device = Assert.Single((await PageAsync()).Devices);

        Assert.Equal(PinState.High, Assert.Single(device.Pins).State);
        Assert.Equal(TestClock.Noon.AddSeconds(60), device.LastSeen);
    }

    [Theory]
    [InlineData(60, 30)]
    [InlineData(30, 60)]
    public async Task ListAsync_TwoSilosHaveItInMemory_TheOneThatHeardItLastCounts(int one, int two)
    {
        _scan.Add("a", State());
        _one.Add("a", State(lastSeen: one));
        _two.Add("a", State(lastSeen: two));

        Assert.Equal(TestClock.Noon.AddSeconds(60), Assert.Single((await PageAsync()).Devices).LastSeen);
    }

    [Fact]
    public async Task ListAsync_FilterOnWhatIsNewerInMemory_SeesIt()
    {
        _scan.Add("went", State());
        _one.Add("went", State(Presence.Offline, pin13: 1));
        _scan.Add("there", State());

        Assert.Equal(["went"], Ids((await PageAsync(new(Presence: Presence.Offline))).Devices));
        Assert.Equal(["there"], Ids((await PageAsync(new(Presence: Presence.Online))).Devices));
        Assert.Equal(["went"], Ids((await PageAsync(new(Pin: new(13, State: PinState.High)))).Devices));
        Assert.Equal(["there"], Ids((await PageAsync(new(IdPrefix: "t"))).Devices));
        Assert.Empty((await PageAsync(new(IdPrefix: "T"))).Devices);
    }

    [Fact]
    public async Task ListAsync_RowThatWasNeverHeardOf_IsNotListed()
    {
        _scan.Add("asked", new());
        _scan.Add("old", State() with { FirstSeen = null }); // A row of the first version.
        _scan.Add("forgotten", State());
        _one.Add("asked", new());

        Assert.Equal(["forgotten", "old"], Ids((await PageAsync()).Devices));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(1_000)]
    public async Task ListAsync_PageByPage_HasEveryDeviceOnce(int max)
    {
        var ids = Enumerable.Range(0, 50).Select(i => $"{i:000}").ToArray();
        foreach (var id in ids)
        {
            _scan.Add(id, State());
        }

        Assert.Equal(ids, Ids(await AllAsync(max: max)));
    }

    [Fact]
    public async Task ListAsync_RareDevice_ReturnsToTheCallerInBetween()
    {
        for (var i = 0; i < 30_000; i++)
        {
            _scan.Add($"{i:00000}", State());
        }

        _scan.Add("25000", State(Presence.Offline));
        var page = await PageAsync(new(Presence: Presence.Offline));

        Assert.Empty(page.Devices);
        Assert.NotNull(page.Continuation);
        Assert.Equal(20_000, _scan.Reads.Sum());
        Assert.Equal(["25000"], Ids(await AllAsync(new(Presence: Presence.Offline))));
    }

    [Fact]
    public async Task ListAsync_HalfOfTheDevicesPass_DoesNotReadInCrumbs()
    {
        for (var i = 0; i < 10_000; i++)
        {
            _scan.Add($"{i:00000}", State(i % 2 == 0 ? Presence.Online : Presence.Offline));
        }

        Assert.Equal(5_000, (await AllAsync(new(Presence: Presence.Offline))).Count);
        Assert.All(_scan.Reads, read => Assert.InRange(read, 500, 1_000));
    }

    [Fact]
    public async Task ListAsync_StoreFails_SaysSoWithoutTheCause()
    {
        _scan.Failure = new InvalidOperationException("The database is away.");

        var exception = await Assert.ThrowsAsync<FleetUnavailableException>(() => PageAsync());

        Assert.Equal("The database is away.", exception.Message);
        Assert.Null(exception.InnerException); // It could not be read where the caller is.
    }

    [Fact]
    public async Task ListAsync_AnotherSiloIsDying_IsAsOfWhenItWasStored()
    {
        _scan.Add("a", State());
        _scan.Add("b", State());
        _one.Add("b", State(lastSeen: 60));
        _two.Failure = new TimeoutException();

        var devices = (await PageAsync()).Devices;

        Assert.Equal(FakeScan.StoredAt, devices[0].AsOf);
        Assert.Equal(_time.GetUtcNow(), devices[1].AsOf);
    }

    [Fact]
    public async Task ListAsync_ThisSiloDoesNotAnswerItself_Fails()
    {
        _scan.Add("a", State());
        _one.Failure = new TimeoutException();

        await Assert.ThrowsAsync<TimeoutException>(() => PageAsync());
    }

    [Fact]
    public async Task ListAsync_SilosThatStop_AreAskedAndDeadOnesAreNot()
    {
        FakeFleetService stopping = new(_time);
        FakeFleetService dead = new(_time);
        _silos.Add(3, stopping, SiloStatus.ShuttingDown);
        _silos.Add(4, dead, SiloStatus.Dead);
        _scan.Add("a", State());
        stopping.Add("a", State(pin13: 1));

        Assert.Equal(PinState.High, Assert.Single((await PageAsync()).Devices).Pins[0].State);
        Assert.Equal(0, dead.Calls);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(1_000)]
    public async Task ListAsync_StoreThatCannotBeRead_HasWhatTheSilosHaveInMemory(int max)
    {
        foreach (var id in new[] { "b", "a", "d", "xa" })
        {
            _one.Add(id, State());
        }

        foreach (var id in new[] { "c", "d", "e" })
        {
            _two.Add(id, State());
        }

        _two.Add("asked", new());

        Assert.Equal(["a", "b", "c", "d", "e", "xa"], Ids(await AllAsync(max: max, scans: false)));
        Assert.Equal(["xa"], Ids(await AllAsync(new(IdPrefix: "x"), max, scans: false)));
        Assert.Empty(_scan.Reads);
    }
}
