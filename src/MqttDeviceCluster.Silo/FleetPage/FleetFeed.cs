using System.Threading.Channels;

namespace MqttDeviceCluster.Silo.FleetPage;

/// <summary>
/// Keeps a <see cref="FleetModel"/> true: one watch over the fleet, a listing once it has begun, and another one after each gap. A watch that fails is
/// begun anew.
/// </summary>
internal sealed partial class FleetFeed(IDeviceCluster cluster, TimeProvider time, ILogger logger)
{
    // A watcher that is slow again and again would otherwise have the whole store read without a pause.
    private static readonly TimeSpan BetweenListings = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan BetweenWatches = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan BetweenSeen = TimeSpan.FromSeconds(3);

    // Unchanged reports too: only they say when a quiet device was last seen.
    private static readonly WatchOptions Options = new() { IncludeUnchanged = true, BufferSize = 16_384 };

    public FleetModel Model { get; } = new();

    /// <summary>Runs until it is cancelled; then it ends without an exception.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        for (var failures = 0; !cancellationToken.IsCancellationRequested;)
        {
            try
            {
                await WatchAsync(cancellationToken);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // Whatever ends the watch, the page says that it is stale and the watch begins anew.
            catch (Exception e)
            {
                if (failures++ == 0)
                {
                    LogWatchLost(e, BetweenWatches);
                }

                Model.Status = FleetStatus.Stale("The fleet cannot be watched at the moment.");
            }
#pragma warning restore CA1031

            await Task.Delay(BetweenWatches, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task WatchAsync(CancellationToken cancellationToken)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var wanted = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
        var beside = Task.WhenAll(ListAsync(wanted, ended.Token), TellSeenAsync(ended.Token));
        try
        {
            await foreach (var news in cluster.WatchAsync(Options, cancellationToken))
            {
                if (news is WatchStartedEvent or GapEvent)
                {
                    wanted.Writer.TryWrite(true);
                }
                else
                {
                    Model.Apply(news);
                }
            }
        }
        finally
        {
            await ended.CancelAsync();
            await beside;
        }

        cancellationToken.ThrowIfCancellationRequested();
        throw new InvalidOperationException("The watch ended by itself.");
    }

    private async Task ListAsync(Channel<bool> wanted, CancellationToken cancellationToken)
    {
        for (var failures = 0; !cancellationToken.IsCancellationRequested;)
        {
            try
            {
                await wanted.Reader.ReadAsync(cancellationToken);
                Model.BeginListing();
                await foreach (var device in cluster.ListDevicesAsync(null, cancellationToken))
                {
                    Model.Apply(device);
                }

                Model.EndListing();
                failures = 0;
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // Whatever ends the listing, the page says that it is stale and the listing begins anew.
            catch (Exception e)
            {
                if (failures++ == 0)
                {
                    LogListingFailed(e, BetweenListings);
                }

                Model.Status = FleetStatus.Stale(e is FleetUnavailableException ? e.Message : "The fleet cannot be listed at the moment.");
                wanted.Writer.TryWrite(true);
            }
#pragma warning restore CA1031

            await Task.Delay(BetweenListings, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task TellSeenAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            await Task.Delay(BetweenSeen, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            Model.TellSeen();
        }
    }

    [LoggerMessage(LogLevel.Warning, "The fleet page lost its watch; trying every {Delay}.")]
    private partial void LogWatchLost(Exception exception, TimeSpan delay);

    [LoggerMessage(LogLevel.Warning, "The fleet page could not list the devices; trying every {Delay}.")]
    private partial void LogListingFailed(Exception exception, TimeSpan delay);
}
