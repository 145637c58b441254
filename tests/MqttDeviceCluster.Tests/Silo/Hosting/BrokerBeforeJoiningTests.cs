using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using MqttDeviceCluster.Silo;
using MqttDeviceCluster.Silo.Hosting;
using MqttDeviceCluster.Streaming.Mqtt;
using Orleans.Configuration;

namespace MqttDeviceCluster.Tests.Silo.Hosting;

public sealed class BrokerBeforeJoiningTests
{
    private static readonly SiloAddress Own = SiloAddress.FromParsableString("127.0.0.1:11111@2");
    private static readonly SiloAddress OwnBefore = SiloAddress.FromParsableString("127.0.0.1:11111@1");
    private static readonly SiloAddress Other = SiloAddress.FromParsableString("127.0.0.1:11112@1");

    private readonly FakeTimeProvider _time = new();
    private readonly Members _members = new();
    private readonly Table _table = new();
    private readonly Broker _broker = new();
    private readonly FakeLogger<BrokerBeforeJoining> _log = new();
    private readonly FatalErrors _fatal = new();
    private readonly LeavingErrorHandler _handler;
    private readonly BrokerBeforeJoining _gate;

    public BrokerBeforeJoiningTests()
    {
        _handler = new(_fatal, NullLogger<LeavingErrorHandler>.Instance);
        _gate = new(_broker, _members, _table, new Silo(), _handler, Options.Create(new ClusterMembershipOptions { MaxJoinAttemptTime = TimeSpan.FromMinutes(5) }), _time, _log);
    }

    [Theory]
    [InlineData(SiloStatus.Joining)]
    [InlineData(SiloStatus.ShuttingDown)]
    [InlineData(SiloStatus.Dead)]
    public async Task Wait_NoOtherIsActive_IsNone(SiloStatus other)
    {
        _members.Set(1, (Own, SiloStatus.Joining), (OwnBefore, SiloStatus.Dead), (Other, other));

        await _gate.WaitAsync(TestContext.Current.CancellationToken);

        Assert.Equal(0, _log.Collector.Count);
    }

    [Fact]
    public async Task Wait_BrokerAnswersInAMoment_SaysNothing()
    {
        _members.Set(1, (Own, SiloStatus.Joining), (Other, SiloStatus.Active));
        var waiting = _gate.WaitAsync(TestContext.Current.CancellationToken);
        await PassAsync(waiting, BrokerBeforeJoining.QuietTime - TimeSpan.FromSeconds(1));
        Assert.False(waiting.IsCompleted);

        _broker.WasPublishing = true;
        await PassAsync(waiting, TimeSpan.FromSeconds(1));

        await waiting;
        Assert.Equal(0, _log.Collector.Count);
    }

    [Fact]
    public async Task Wait_OtherIsLost_Joins()
    {
        _members.Set(1, (Own, SiloStatus.Joining), (Other, SiloStatus.Active));
        _broker.Problem = "The broker is away.";
        var waiting = _gate.WaitAsync(TestContext.Current.CancellationToken);
        await PassAsync(waiting, TimeSpan.FromMinutes(1));
        Assert.False(waiting.IsCompleted);

        _members.Set(2, (Own, SiloStatus.Joining), (Other, SiloStatus.Dead));
        await PassAsync(waiting, TimeSpan.FromSeconds(1));

        await waiting;
        Assert.Equal(
            [
                "The silo does not join the cluster, whose members work, before the broker has taken its connection. The broker is away.",
                "The silo joins the cluster: no other member is left.",
            ],
            _log.Collector.GetSnapshot().Select(static line => line.Message));
    }

    [Fact]
    public async Task Wait_TooLong_EndsBeforeTheOthersDeclareItDead()
    {
        _members.Set(1, (Own, SiloStatus.Joining), (Other, SiloStatus.Active));
        _broker.Problem = "The broker is away.";

        // What came before counts too: a database may have been away.
        _time.Advance(TimeSpan.FromMinutes(3));
        var waiting = _gate.WaitAsync(TestContext.Current.CancellationToken);
        await PassAsync(waiting, TimeSpan.FromSeconds(59));
        Assert.False(waiting.IsCompleted);
        await PassAsync(waiting, TimeSpan.FromSeconds(2));

        var exception = await Assert.ThrowsAsync<SiloStartException>(() => waiting);
        Assert.Equal("The silo did not join the cluster, whose members work: the broker has not taken its connection. The broker is away.", exception.Message);
        Assert.Equal(SiloStatus.Dead, _table.Status);
        Assert.Empty(ReportsOfDeath());
    }

    [Fact]
    public void Limit_IsMoreThanWhatDatabasesMayTake() => Assert.True(SiloComposition.MaxDatabaseWait < _gate.Limit);

    [Fact]
    public async Task Wait_Cancelled_Ends()
    {
        _members.Set(1, (Own, SiloStatus.Joining), (Other, SiloStatus.Active));
        _table.Overtaken = 3;
        _table.Writing = () => Assert.Empty(ReportsOfDeath());
        using CancellationTokenSource stop = new();
        var waiting = _gate.WaitAsync(stop.Token);

        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        Assert.Equal(SiloStatus.Dead, _table.Status);
    }

    [Fact]
    public async Task Wait_DeclaredDeadByOthers_IsOrleansToHandle()
    {
        _members.Set(1, (Own, SiloStatus.Joining), (Other, SiloStatus.Active));
        using CancellationTokenSource stop = new();
        var waiting = _gate.WaitAsync(stop.Token);
        Assert.Single(ReportsOfDeath());
        _table.Status = SiloStatus.Dead;

        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        Assert.Equal(2, ReportsOfDeath().Count);
    }

    [Fact]
    public async Task Wait_CancelledWhileTheTableIsAway_EndsAllTheSame()
    {
        _members.Set(1, (Own, SiloStatus.Joining), (Other, SiloStatus.Active));
        _table.Failure = new IOException("away");
        using CancellationTokenSource stop = new();
        var waiting = _gate.WaitAsync(stop.Token);

        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        Assert.Equal(SiloStatus.Joining, _table.Status);
    }

    /// <summary>Lets Orleans find the silo's row dead, and returns what reached its own handler so far.</summary>
    private List<(object? Sender, string? Context, Exception? Exception)> ReportsOfDeath()
    {
        _handler.OnFatalException(this, "I have been told I am dead");
        return _fatal.Reports;
    }

    // Each turn of the loop asks the clock anew.
    private async Task PassAsync(Task waiting, TimeSpan time)
    {
        for (var left = time; left > TimeSpan.Zero && !waiting.IsCompleted; left -= TimeSpan.FromMilliseconds(100))
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Yield();
        }
    }

    /// <summary>Has the silo's own row.</summary>
    private sealed class Table : IMembershipTable
    {
        private int _version = 1;

        public SiloStatus Status { get; set; } = SiloStatus.Joining;

        public Exception? Failure { get; set; }

        /// <summary>Gets or sets what happens at each write.</summary>
        public Action? Writing { get; set; }

        /// <summary>Gets or sets how many of the silo's reads another one's writes overtake.</summary>
        public int Overtaken { get; set; }

        public Task<MembershipTableData> ReadRow(SiloAddress key)
        {
            if (Failure is not null)
            {
                return Task.FromException<MembershipTableData>(Failure);
            }

            MembershipTableData read = new(Tuple.Create(new MembershipEntry { SiloAddress = key, Status = Status }, $"row {_version}"), new TableVersion(_version, "1"));
            _version += Overtaken-- > 0 ? 1 : 0;
            return Task.FromResult(read);
        }

        public Task<bool> UpdateRow(MembershipEntry entry, string etag, TableVersion tableVersion)
        {
            Writing?.Invoke();
            if (etag != $"row {_version}" || tableVersion.Version != _version + 1)
            {
                return Task.FromResult(false);
            }

            Assert.Equal(Own, entry.SiloAddress);
            (Status, _version) = (entry.Status, _version + 1);
            return Task.FromResult(true);
        }

        public Task InitializeMembershipTable(bool tryInitTableVersion) => throw new NotSupportedException();

        public Task DeleteMembershipTableEntries(string clusterId) => throw new NotSupportedException();

        public Task CleanupDefunctSiloEntries(DateTimeOffset beforeDate) => throw new NotSupportedException();

        public Task<MembershipTableData> ReadAll() => throw new NotSupportedException();

        public Task<bool> InsertRow(MembershipEntry entry, TableVersion tableVersion) => throw new NotSupportedException();

        public Task UpdateIAmAlive(MembershipEntry entry) => throw new NotSupportedException();
    }

    private sealed class Broker : IMqttStreamStatus
    {
        public MqttConnectionState Receiving => MqttConnectionState.Stopped;

        public DateTimeOffset? ReceivingSince => null;

        public MqttConnectionState Publishing => MqttConnectionState.Connecting;

        public bool WasPublishing { get; set; }

        public string? Problem { get; set; }

        public int Unacknowledged => 0;
    }

    private sealed class Silo : ILocalSiloDetails
    {
        public string Name => "silo";

        public string ClusterId => "cluster";

        public string DnsHostName => "host";

        public SiloAddress SiloAddress => Own;

        public SiloAddress GatewayAddress => Own;
    }
}
