using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Tests.Storage;

namespace MqttDeviceCluster.IntegrationTests.Storage;

/// <summary>The contract of a grain storage, over PostgreSQL.</summary>
public sealed class PostgreSqlGrainStorageTests(SharedServers servers) : GrainStorageContract
{
    private protected override async Task<IStoreHome> NewHomeAsync() => await PostgreSqlHome.NewAsync(servers);
}

/// <summary>The contract of a scan, over PostgreSQL.</summary>
public sealed class PostgreSqlScanTests(SharedServers servers) : GrainStateScanContract
{
    private protected override async Task<IStoreHome> NewHomeAsync() => await PostgreSqlHome.NewAsync(servers);
}
