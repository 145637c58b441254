using Microsoft.Extensions.Time.Testing;
using MqttDeviceCluster.Silo;
using MqttDeviceCluster.Storage;

namespace MqttDeviceCluster.Tests.Silo.Hosting;

public sealed class DeliveryGateTests
{
    private static readonly SiloAddress One = SiloAddress.FromParsableString("127.0.0.1:11111@1");
    private static readonly SiloAddress Two = SiloAddress.FromParsableString("127.0.0.1:11112@1");

    private readonly FakeTimeProvider _time = new();
    private readonly Members _members = new();

    [Fact]
    public void HoldFailuresFor_SiloIsLost_IsHeldForAMomentEachTime()
    {
        DeliveryGate gate = new(storage: null, _members, _time);
        _members.Set(1, (One, SiloStatus.Active), (Two, SiloStatus.Active));
        Assert.Equal(TimeSpan.Zero, gate.HoldFailuresFor);

        _time.Advance(TimeSpan.FromMinutes(1));
        _members.Set(2, (One, SiloStatus.Active), (Two, SiloStatus.Dead));
        Assert.Equal(DeliveryGate.MaxHoldForLosses, gate.HoldFailuresFor);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(DeliveryGate.MaxHoldForLosses, gate.HoldFailuresFor);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(TimeSpan.Zero, gate.HoldFailuresFor);

        // What is known is no news, whatever else changes.
        _members.Set(3, (One, SiloStatus.ShuttingDown), (Two, SiloStatus.Dead));
        Assert.Equal(TimeSpan.Zero, gate.HoldFailuresFor);
        _members.Set(4, (One, SiloStatus.Dead), (Two, SiloStatus.Dead));
        Assert.Equal(DeliveryGate.MaxHoldForLosses, gate.HoldFailuresFor);
    }

    [Fact]
    public void HoldFailuresFor_StoreFails_IsHeldUntilItDoesNot()
    {
        Store store = new();
        DeliveryGate gate = new(store, _members, _time);
        Assert.Equal(TimeSpan.Zero, gate.HoldFailuresFor);
        store.IsFailing = true;
        Assert.Equal(TimeSpan.MaxValue, gate.HoldFailuresFor);
        store.IsFailing = false;
        Assert.Equal(TimeSpan.Zero, gate.HoldFailuresFor);
    }

    private sealed class Store : IGrainStorageStatus
    {
        public bool IsFailing { get; set; }

        public string? Problem => null;

        public int PendingOperations => 0;
    }
}
