using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.IntegrationTests.Observability;
using MqttDeviceCluster.Silo;
using MqttDeviceCluster.Silo.Hosting;
using Orleans.Configuration;

namespace MqttDeviceCluster.IntegrationTests.Silo;

/// <summary>
/// The silo as it ships, in this process, whose Orleans reads the members anew whenever the silo has written that it is dead, and finds no handler of fatal errors that ends the
/// process.
/// </summary>
internal sealed class LeavingSilo : IAsyncDisposable
{
    private readonly string _dataDirectory = Directory.CreateTempSubdirectory("mdc-leaving-").FullName;
    private readonly LogLines _log = new();
    private readonly Recorder _fatal = new();
    private readonly SiloSettings _settings;
    private readonly WebApplication _app;

    public LeavingSilo(SiloProcessOptions options, TimeSpan maxJoinAttemptTime)
    {
        var builder = SiloHost.CreateBuilder(SiloCommandLine.Parse(
        [
            $"--ConnectionStrings:mqtt={options.Broker}",
            $"--Orleans:Endpoints:SiloPort={FreePorts.Next()}",
            $"--Orleans:Endpoints:GatewayPort={FreePorts.Next()}",
            $"--Urls=http://127.0.0.1:{FreePorts.Next()}",
            $"--DataDirectory={_dataDirectory}",
            "--Dashboard:Enabled=false",
            .. options.Arguments,
        ]));

        // In the place of Orleans' own, which is registered unless there is one.
        builder.Services.AddSingleton(_fatal);
        builder.Services.AddSingleton<IFatalErrorHandler, RecordingHandler>();
        _settings = SiloSettings.From(builder.Configuration, _dataDirectory);
        SiloComposition.AddSilo(builder, _settings);
        builder.Logging.ClearProviders();
        builder.Logging.AddProvider(_log);
        builder.Services.Configure<ClusterMembershipOptions>(membership => membership.MaxJoinAttemptTime = maxJoinAttemptTime);
        var table = builder.Services.Last(static service => service.ServiceType == typeof(IMembershipTable));
        builder.Services.AddSingleton<IMembershipTable>(services => new ReadAgainTable((IMembershipTable)ActivatorUtilities.CreateInstance(services, table.ImplementationType!), services));
        _app = builder.Build();
    }

    public IReadOnlyList<string> Log => _log.Lines;

    /// <summary>Gets what Orleans would have ended the process for.</summary>
    public IReadOnlyCollection<string> FatalErrors => _fatal.Errors;

    /// <summary>Gets what Orleans takes the silo for.</summary>
    public SiloStatus Status => _app.Services.GetRequiredService<ISiloStatusOracle>().CurrentStatus;

    /// <summary>Runs it as the process would.</summary>
    public Task<int> RunAsync() => SiloHost.RunAsync(_app, _settings);

    public void Stop() => _app.Lifetime.StopApplication();

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync().AsTask().WaitAsync(SiloProcess.DefaultBound);
        Directory.Delete(_dataDirectory, recursive: true);
    }

    private sealed class Recorder
    {
        public ConcurrentQueue<string> Errors { get; } = [];
    }

    private sealed class RecordingHandler(Recorder recorder) : IFatalErrorHandler
    {
        public bool IsUnexpected(Exception exception) => true;

        public void OnFatalException(object? sender, string? context, Exception? exception) => recorder.Errors.Enqueue($"{context} {exception}");
    }

    private sealed class ReadAgainTable(IMembershipTable table, IServiceProvider services) : IMembershipTable
    {
        public async Task<bool> UpdateRow(MembershipEntry entry, string etag, TableVersion tableVersion)
        {
            var written = await table.UpdateRowAsync(entry, etag, tableVersion);
            if (written && entry.Status == SiloStatus.Dead)
            {
                await services.GetRequiredService<IClusterMembershipService>().Refresh(new MembershipVersion(tableVersion.Version));
            }

            return written;
        }

        public Task InitializeMembershipTable(bool tryInitTableVersion) => table.InitializeMembershipTableAsync(tryInitTableVersion);

        public Task DeleteMembershipTableEntries(string clusterId) => table.DeleteMembershipTableEntriesAsync(clusterId);

        public Task CleanupDefunctSiloEntries(DateTimeOffset beforeDate) => table.CleanupDefunctSiloEntriesAsync(beforeDate);

        public Task<MembershipTableData> ReadRow(SiloAddress key) => table.ReadRowAsync(key);

        public Task<MembershipTableData> ReadAll() => table.ReadAllAsync();

        public Task<bool> InsertRow(MembershipEntry entry, TableVersion tableVersion) => table.InsertRowAsync(entry, tableVersion);

        public Task UpdateIAmAlive(MembershipEntry entry) => table.UpdateIAmAliveAsync(entry);
    }
}
