using System.Diagnostics.CodeAnalysis;
using MqttDeviceCluster.Streaming.Mqtt;

namespace MqttDeviceCluster.Tests.Grains;

/// <summary>A fence that the test closes and opens.</summary>
[SuppressMessage("Reliability", "CA1001", Justification = "The source has no timer and no link: there is nothing to free.")]
internal sealed class FakeFence(TimeProvider time) : IDeviceFence, IMqttFence
{
    private CancellationTokenSource _closing = new();
    private long _closedAt = long.MinValue;
    private bool _isClosed;

    public CancellationToken Closing => _closing.Token;

    public string? WhyClosed(long since) => Volatile.Read(ref _isClosed) || since <= Volatile.Read(ref _closedAt) ? "it was paused" : null;

    /// <summary>Gets or sets why a session that was taken over is not to be taken back.</summary>
    public string? TakeBack { get; set; }

    public Task<string?> WhyNotTakeBackAsync(CancellationToken cancellationToken) => Task.FromResult(TakeBack);

    /// <summary>Closes it, as a look at the clock does: those who are to be told are told later.</summary>
    public Action CloseQuietly()
    {
        Volatile.Write(ref _closedAt, time.GetTimestamp());
        Volatile.Write(ref _isClosed, true);
        var closing = Interlocked.Exchange(ref _closing, new());
        return closing.Cancel;
    }

    public void Close() => CloseQuietly()();

    public void Open() => Volatile.Write(ref _isClosed, false);
}
