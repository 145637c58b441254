using Microsoft.Extensions.Time.Testing;
using MqttDeviceCluster.Silo;

namespace MqttDeviceCluster.Tests.Silo.Hosting;

public sealed class DeliveryGateTests
{
    private static readonly SiloAddress One = SiloAddress.FromParsableString("127.0.0.1:11111@1");
    private static readonly SiloAddress Two = SiloAddress.FromParsableString("127.0.0.1:11112@1");

    private readonly FakeTimeProvider _time = new();
    private readonly Members _members = new();
    private readonly Store _store = new();
    private readonly Others _others = new();

    [Fact]
    public void HoldFailuresFor_SiloIsLost_IsHeldForAMomentEachTime()
    {
        DeliveryGate gate = new(_store, _others, _members, _time);
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
        DeliveryGate gate = new(_store, _others, _members, _time);
        Assert.Equal(TimeSpan.Zero, gate.HoldFailuresFor);
        _store.IsFailing = true;
        Assert.Equal(TimeSpan.MaxValue, gate.HoldFailuresFor);
        _store.IsFailing = false;
        Assert.Equal(TimeSpan.Zero, gate.HoldFailuresFor);
    }

    [Fact]
    public void HoldFailuresFor_StoreOfAnotherSiloFails_IsHeldUntilItDoesNot()
    {
        DeliveryGate gate = new(_store, _others, _members, _time);
        _others.AnotherFails = true;
        Assert.Equal(TimeSpan.MaxValue, gate.HoldFailuresFor);
        Assert.False(gate.StoreFails);
        _others.AnotherFails = false;
        Assert.Equal(TimeSpan.Zero, gate.HoldFailuresFor);
    }

    private sealed class Store : IDeviceStore
    {
        public bool IsFailing { get; set; }
    }

    private sealed class Others : IClusterStores
    {
        public bool AnotherFails { get; set; }
    }
}
