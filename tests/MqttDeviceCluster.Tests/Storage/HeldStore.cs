using System.Threading.Channels;
using MqttDeviceCluster.Storage.GroupCommit;

namespace MqttDeviceCluster.Tests.Storage;

/// <summary>A store whose commits wait until the test lets them go, or fails them.</summary>
internal sealed class HeldStore : IGrainStateStore
{
    private readonly Channel<Commit> _commits = Channel.CreateUnbounded<Commit>();

    public string Location => "/held";

    public int Probes { get; private set; }

    public Exception? ProbeFailure { get; set; }

    /// <summary>Waits for the next commit; it goes on when the test completes it.</summary>
    public async Task<Commit> NextAsync() =>
        await _commits.Reader.ReadAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);

    public Task OpenAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task<StoredGrainState?> ReadAsync(GrainStateKey key, CancellationToken cancellationToken) => Task.FromResult<StoredGrainState?>(null);

    public Task<StoredGrainStatePage> ScanAsync(GrainStateRange range, GrainStatePageLimits limits, CancellationToken cancellationToken) =>
        Task.FromResult(new StoredGrainStatePage([], HasMore: false));

    public Task<IReadOnlyList<GrainStateChangeResult>> CommitAsync(IReadOnlyList<GrainStateChange> changes)
    {
        Commit commit = new(changes);
        Assert.True(_commits.Writer.TryWrite(commit));
        return commit.Result.Task;
    }

    public Task ProbeWriteAsync()
    {
        Probes++;
        return ProbeFailure is null ? Task.CompletedTask : Task.FromException(ProbeFailure);
    }

    public Task ProbeReadAsync() => Task.CompletedTask;

    public string Explain(Exception cause) => cause.Message;

    public bool IsAway(Exception cause) => false;

    public ValueTask DisposeAsync() => default;

    internal sealed record Commit(IReadOnlyList<GrainStateChange> Changes)
    {
        public TaskCompletionSource<IReadOnlyList<GrainStateChangeResult>> Result { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public IEnumerable<string> Keys => Changes.Select(change => change.Key.GrainKey);

        public void Apply() => Result.SetResult([.. Changes.Select(_ => new GrainStateChangeResult(GrainStateChangeOutcome.Applied))]);
    }
}
