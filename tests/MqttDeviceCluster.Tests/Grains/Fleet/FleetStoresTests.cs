using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;

namespace MqttDeviceCluster.Tests.Grains.Fleet;

public sealed class FleetStoresTests
{
    private readonly FakeSilos _silos = new();
    private readonly FakeFleetService _own = new(TimeProvider.System);
    private readonly FakeFleetService _other = new(TimeProvider.System);
    private readonly FakeLogger<FleetStores> _log = new();
    private readonly FleetStores _stores;

    public FleetStoresTests()
    {
        _silos.Add(1, _own);
        _silos.Add(2, _other);
        _stores = new(_silos, _silos, _silos, _log);
    }

    [Fact]
    public async Task Run_StoreOfAnotherSiloFails_IsKnownUntilItDoesNotAndSaidOnce()
    {
        await _stores.RunAsync(isListening: true);
        Assert.False(_stores.AnotherFails);

        _other.IsStoreFailing = true;
        await _stores.RunAsync(isListening: true);
        await _stores.RunAsync(isListening: true);
        Assert.True(_stores.AnotherFails);
        Assert.Equal(LogLevel.Warning, Assert.Single(_log.Collector.GetSnapshot()).Level);

        _other.IsStoreFailing = false;
        await _stores.RunAsync(isListening: true);
        Assert.False(_stores.AnotherFails);
        Assert.Equal(0, _own.Calls);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Run_AnotherSiloDoesNotAnswer_IsTakenForWhatItSaidLast(bool failed)
    {
        _other.IsStoreFailing = failed;
        await _stores.RunAsync(isListening: true);

        _other.Failure = new TimeoutException();
        await _stores.RunAsync(isListening: true);

        Assert.Equal(failed, _stores.AnotherFails);
    }

    [Fact]
    public async Task Run_AnotherSiloIsOfAVersionThatCannotSay_HidesNothing()
    {
        // What Orleans answers for a method that is not there.
        FakeFleetService old = new(TimeProvider.System) { Failure = new TypeLoadException() };
        _silos.Add(3, old);
        _other.IsStoreFailing = true;

        await _stores.RunAsync(isListening: true);
        Assert.True(_stores.AnotherFails);

        _other.IsStoreFailing = false;
        await _stores.RunAsync(isListening: true);
        Assert.False(_stores.AnotherFails);
        Assert.Equal(2, old.Calls);
    }

    [Theory]
    [InlineData(SiloStatus.Dead, false)]
    [InlineData(SiloStatus.Joining, false)]
    [InlineData(SiloStatus.ShuttingDown, true)]
    public async Task Run_SiloWhoseStoreFailsIsNotActive_CountsWhileItHasDevices(SiloStatus status, bool counts)
    {
        _other.IsStoreFailing = true;
        _silos.Add(2, _other, status);

        await _stores.RunAsync(isListening: true);

        Assert.Equal(counts, _stores.AnotherFails);
    }

    [Fact]
    public async Task Run_NotListening_AsksNobodyAndKnowsNothing()
    {
        _other.IsStoreFailing = true;
        await _stores.RunAsync(isListening: true);

        await _stores.RunAsync(isListening: false);

        Assert.Equal(1, _other.Calls);
        Assert.False(_stores.AnotherFails);
    }
}
