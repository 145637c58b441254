using MqttDeviceCluster.Fleet;
using MqttDeviceCluster.Tests.Grains;
using MqttDeviceCluster.Tests.Grains.Fleet;

namespace MqttDeviceCluster.Tests.Client;

/// <summary>What a watcher makes of the batches of silos "A", "B" and so on. An event is a device "a1" added.</summary>
public sealed class WatchSourcesTests
{
    private static readonly Guid First = Guid.NewGuid();
    private static readonly Guid Second = Guid.NewGuid();

    private readonly List<DeviceEvent> _events = [];
    private readonly WatchSources _sources;

    public WatchSourcesTests() => _sources = new(_events.Add, TimeProvider.System);

    private void Take(string silo, long first, string devices = "", Guid? id = null, bool leaving = false, params string[] lost) => _sources.Take(new WatchBatch(
        new(silo, id ?? First),
        first,
        [.. devices.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(device => new DeviceAddedEvent(device, TestClock.Noon))],
        leaving,
        [.. lost]));

    private void TakeReceipt(string silos, string unreachable = "", string leaving = "", Guid? id = null) =>
        _sources.Take(new WatchReceipt([.. silos.Select(silo => new WatchSource($"{silo}", id ?? First))], Names(unreachable), Names(leaving)));

    private static System.Collections.Immutable.ImmutableArray<string> Names(string silos) => [.. silos.Select(silo => $"{silo}")];

    /// <summary>Returns what was told since the last call.</summary>
    private string Told()
    {
        var told = string.Join(' ', _events.Select(value => value is DeviceAddedEvent ? value.DeviceId : TestWatch.Word(value)));
        _events.Clear();
        return told;
    }

    [Fact]
    public void Take_BatchesInOrder_ArePassedOn()
    {
        TakeReceipt("AB");
        Take("A", 0, "a0 a1");
        Take("B", 0, "b0");
        Take("A", 2, "a2");

        Assert.Equal("a0 a1 b0 a2", Told());
    }

    [Fact]
    public void Take_BatchThatComesAgain_IsNotToldTwice()
    {
        Take("A", 0, "a0 a1");
        Take("A", 0, "a0 a1");
        Take("A", 1, "a1 a2"); // Half of it is known.
        Take("A", 0, "a0");

        Assert.Equal("a0 a1 a2", Told());
    }

    [Fact]
    public void Take_NumbersJump_IsAGapThatCounts()
    {
        Take("A", 0, "a0");
        Take("A", 5, "a5");
        Take("A", 10); // Dropped at the end: an empty batch.
        Take("A", 10, "a10");

        Assert.Equal("a0 SlowWatcher(4) a5 SlowWatcher(4) a10", Told());
    }

    [Fact]
    public void Take_FirstBatchJumps_IsAGapThatCountsIfTheSiloWasKnown()
    {
        TakeReceipt("A");
        Take("A", 3, "a3");

        Assert.Equal("SlowWatcher(3) a3", Told());
    }

    [Fact]
    public void Take_SeveralSilosTellOfALoss_IsOneGap()
    {
        TakeReceipt("ABC");
        Take("A", 0, "a0", lost: "C");
        Take("B", 0, "b0", lost: "C");
        TakeReceipt("AB");
        TakeReceipt("AB");

        Assert.Equal("SiloLost() a0 b0", Told());
    }

    [Fact]
    public void Take_LateBatchOfALostSilo_IsDropped()
    {
        TakeReceipt("AC");
        Take("A", 0, lost: "C");
        Told();

        Take("C", 0, "c0");
        TakeReceipt("AC"); // From a silo that has not heard of it yet.

        Assert.Equal("", Told());
    }

    [Fact]
    public void Take_LossOfASiloThatWasNeverPartOfIt_IsNoGap()
    {
        TakeReceipt("A");
        Take("A", 0, lost: "Z");

        Assert.Equal("", Told());
    }

    [Fact]
    public void Take_SiloLeaves_IsNoGap()
    {
        TakeReceipt("AB");
        Take("B", 0, "b0", leaving: true);
        Take("B", 0, "b0", leaving: true); // Its answer was lost.
        TakeReceipt("A", leaving: "B");
        TakeReceipt("A");
        TakeReceipt("A");
        Take("A", 0, lost: "B"); // It is dead now, as it should be.

        Assert.Equal("b0", Told());
    }

    [Fact]
    public void Take_SiloAboutToLeaveOrOutOfReach_IsStillPartOfIt()
    {
        TakeReceipt("ABC");
        for (var i = 0; i < 3; i++)
        {
            TakeReceipt("A", unreachable: "C", leaving: "B");
        }

        Take("B", 0, "b0");
        Take("C", 0, "c0");

        Assert.Equal("b0 c0", Told());
    }

    [Fact]
    public void Take_ReceiptLacksASilo_IsAGapOnlyWhenTheNextOneDoesToo()
    {
        TakeReceipt("AB");
        TakeReceipt("A"); // By a silo that has not heard of B yet.
        TakeReceipt("AB");
        TakeReceipt("A");
        Assert.Equal("", Told());

        TakeReceipt("A");

        Assert.Equal("SiloLost()", Told());
    }

    [Fact]
    public void Take_SiloTakenForLostThatIsNot_IsToldWithAGap()
    {
        TakeReceipt("AB");
        Take("B", 0, "b0");
        TakeReceipt("A");
        TakeReceipt("A");
        Told();

        Take("B", 4, "b4");
        Take("B", 5, "b5");

        Assert.Equal("Reconnected() b4 b5", Told());
    }

    [Fact]
    public void Take_SiloHadGivenTheWatchUp_IsAGapAndNumbersBeginAnew()
    {
        TakeReceipt("A");
        Take("A", 0, "a0 a1 a2");
        TakeReceipt("A", id: Second);
        Take("A", 0, "n0", id: Second);

        Assert.Equal("a0 a1 a2 Reconnected() n0", Told());
    }

    [Fact]
    public void Take_SiloHadGivenTheWatchUp_ItsBatchMayComeBeforeTheReceipt()
    {
        TakeReceipt("A");
        Take("A", 0, "a0 a1 a2");
        Take("A", 0, "n0", id: Second);
        TakeReceipt("A", id: Second);
        TakeReceipt("A", id: First); // An answer that was long on its way.

        Assert.Equal("a0 a1 a2 Reconnected() n0", Told());
    }

    [Fact]
    public void Take_LateBatchOfAWatchThatWasGivenUp_IsDropped()
    {
        TakeReceipt("A");
        Take("A", 0, "a0 a1");
        TakeReceipt("A", id: Second);
        Take("A", 0, "n0", id: Second);
        Told();

        Take("A", 1, "a1 a2");
        Take("A", 1, "n1", id: Second);

        Assert.Equal("n1", Told());
    }
}
