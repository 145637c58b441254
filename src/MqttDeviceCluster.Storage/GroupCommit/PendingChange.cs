namespace MqttDeviceCluster.Storage.GroupCommit;

/// <summary>A change in the queue. It is either taken into a batch or cancelled, never both.</summary>
internal sealed class PendingChange(GrainStateChange change)
{
    private const int Waiting = 0;
    private const int Taken = 1;
    private const int Cancelled = 2;

    // Whoever awaits runs on a grain's scheduler or the thread pool, never on the thread that commits.
    private readonly TaskCompletionSource<GrainStateChangeResult> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _state;

    public GrainStateChange Change => change;

    public Task<GrainStateChangeResult> Completion => _completion.Task;

    public bool TryTake() => Interlocked.CompareExchange(ref _state, Taken, Waiting) == Waiting;

    public void TryCancel(CancellationToken cancellationToken)
    {
        if (Interlocked.CompareExchange(ref _state, Cancelled, Waiting) == Waiting)
        {
            _completion.SetCanceled(cancellationToken);
        }
    }

    public void Complete(GrainStateChangeResult result) => _completion.SetResult(result);

    public void Fail(Exception exception) => _completion.SetException(exception);
}
