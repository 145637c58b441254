using System.Collections.Immutable;
using System.Net;
using MqttDeviceCluster.Fleet;

namespace MqttDeviceCluster.Tests.Grains.Fleet;

/// <summary>A cluster's silos as one of them sees them, and what each answers.</summary>
internal sealed class FakeSilos : IClusterMembershipService, ILocalSiloDetails, IFleetPeers
{
    private readonly Dictionary<SiloAddress, IFleetService> _services = [];

    public SiloAddress SiloAddress { get; } = Address(1);

    public SiloAddress GatewayAddress => SiloAddress;

    public string Name => "one";

    public string ClusterId => "test";

    public string DnsHostName => "localhost";

    public ClusterMembershipSnapshot CurrentSnapshot { get; private set; } = new(ImmutableDictionary<SiloAddress, ClusterMember>.Empty, new(1));

    public IAsyncEnumerable<ClusterMembershipSnapshot> MembershipUpdates => throw new NotSupportedException();

    public static SiloAddress Address(int number) => SiloAddress.New(IPAddress.Loopback, 11110 + number, 1);

    public void Add(int number, IFleetService service, SiloStatus status = SiloStatus.Active)
    {
        var address = Address(number);
        _services[address] = service;
        CurrentSnapshot = new(CurrentSnapshot.Members.SetItem(address, new(address, status, $"silo {number}")), new(CurrentSnapshot.Version.Value + 1));
    }

    public IFleetService Of(SiloAddress silo) => _services[silo];

    public ValueTask Refresh(MembershipVersion minimumVersion = default, CancellationToken cancellationToken = default) => ValueTask.CompletedTask;

    public Task<bool> TryKill(SiloAddress siloAddress) => throw new NotSupportedException();
}

/// <summary>A silo that says which devices it has in memory.</summary>
internal sealed class FakeFleetService(TimeProvider time) : IFleetService
{
    private readonly ActiveDevices _active = new();

    public Exception? Failure { get; set; }

    public bool IsStoreFailing { get; set; }

    public int Calls { get; private set; }

    public void Add(string deviceId, DeviceState state) => _active.Add(deviceId, new() { State = state });

    public Task<ImmutableArray<DeviceSnapshot>> GetActiveAsync(ImmutableArray<string> deviceIds) => Answer(reader => reader.GetActive(deviceIds));

    public Task<ImmutableArray<DeviceSnapshot>> GetActiveAfterAsync(string? deviceId, string? idPrefix, int maxDevices) =>
        Answer(reader => reader.GetActiveAfter(deviceId, idPrefix, maxDevices));

    public Task<WatchSource> WatchAsync(WatchRegistration registration, bool isLate) => throw new NotSupportedException();

    public Task UnwatchAsync(Guid watchId) => throw new NotSupportedException();

    public Task<bool> RelayAsync(Guid watchId, WatchBatch batch) => throw new NotSupportedException();

    public Task<ImmutableArray<WatchRegistration>> GetWatchesAsync() => throw new NotSupportedException();

    public Task<bool> IsStoreFailingAsync()
    {
        Calls++;
        return Failure is { } failure ? Task.FromException<bool>(failure) : Task.FromResult(IsStoreFailing);
    }

    public Task NoteIntakeAsync(SiloAddress silo, bool isThere, DateTimeOffset? since) => throw new NotSupportedException();

    private Task<ImmutableArray<DeviceSnapshot>> Answer(Func<FleetReader, ImmutableArray<DeviceSnapshot>> read)
    {
        Calls++;
        return Failure is { } failure ? Task.FromException<ImmutableArray<DeviceSnapshot>>(failure) : Task.FromResult(read(new(_active, time)));
    }
}
