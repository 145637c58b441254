using Microsoft.Extensions.Hosting;

namespace MqttDeviceCluster;

/// <summary>
/// Says when the silo begins to stop. A command that waits for its device would otherwise hold the stop until its timeout: it
/// keeps its activation busy, and its confirmation is no longer delivered.
/// </summary>
internal sealed class SiloStopping : IDisposable
{
    private readonly CancellationTokenSource _stopping;

    /// <param name="lifetime">The host's, when there is one: it fires before any hosted service stops.</param>
    public SiloStopping(IHostApplicationLifetime? lifetime = null) =>
        _stopping = CancellationTokenSource.CreateLinkedTokenSource(lifetime?.ApplicationStopping ?? CancellationToken.None);

    public CancellationToken Token => _stopping.Token;

    public Task SignalAsync() => _stopping.CancelAsync();

    public void Dispose() => _stopping.Dispose();
}

/// <summary>Covers a silo that is stopped without its host's lifetime.</summary>
internal sealed class SiloStoppingParticipant(SiloStopping stopping) : ILifecycleParticipant<ISiloLifecycle>
{
    // Stages stop from the last to the first, so this one ends the waits before anything waits for them.
    public void Participate(ISiloLifecycle lifecycle) => lifecycle.Subscribe(
        nameof(SiloStopping), ServiceLifecycleStage.Last, static _ => Task.CompletedTask, _ => stopping.SignalAsync());
}
