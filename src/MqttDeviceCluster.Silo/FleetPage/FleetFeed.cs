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

    // A cluster that is away for long is mentioned once in so many attempts.
    private const int LogEvery = 100;

    // Unchanged reports too: only they say when a quiet device was last seen.
    private static readonly WatchOptions Options = new() { IncludeUnchanged = true, BufferSize = 16_384 };

    public FleetModel Model { get; } = new();

    /// <summary>Runs until it is cancelled; then it ends without an exception.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var failures = 0;
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await WatchAsync(Started, cancellationToken);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // Whatever ends the watch, the page says that it is stale and the watch begins anew.
            catch (Exception e)
            {
                if (failures++ % LogEvery == 0)
                {
                    LogWatchLost(e, failures, BetweenWatches);
                }

                Model.Status = FleetStatus.Stale("The fleet cannot be watched at the moment.");
            }
#pragma warning restore CA1031

            await Task.Delay(BetweenWatches, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        void Started()
        {
            if (failures > 0)
            {
                LogWatching(failures);
            }

            failures = 0;
        }
    }

    private async Task WatchAsync(Action started, CancellationToken cancellationToken)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var wanted = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
        var beside = Task.WhenAll(BesideAsync(() => ListAsync(wanted, ended.Token), ended), BesideAsync(() => TellSeenAsync(ended.Token), ended));
        try
        {
            await foreach (var news in cluster.WatchAsync(Options, ended.Token))
            {
                if (news is WatchStartedEvent)
                {
                    started();
                }

                if (news is WatchStartedEvent or GapEvent)
                {
                    Model.WantListing();
                    wanted.Writer.TryWrite(true);
                }
                else
                {
                    Model.Apply(news);
                }
            }
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            // Something beside it failed: that is thrown below.
        }
        finally
        {
            await ended.CancelAsync();
            await beside;
        }

        cancellationToken.ThrowIfCancellationRequested();
        throw new InvalidOperationException("The watch ended by itself.");
    }

    // The watch ends with whatever runs beside it: a page whose times stand still, without a word of why, would be worse than one that begins anew.
    private static async Task BesideAsync(Func<Task> run, CancellationTokenSource watch)
    {
        try
        {
            await run();
        }
        finally
        {
            await watch.CancelAsync();
        }
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
                if (failures > 0)
                {
                    LogListed(failures);
                }

                failures = 0;
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // Whatever ends the listing, the page says that it is stale and the listing begins anew.
            catch (Exception e)
            {
                if (failures++ % LogEvery == 0)
                {
                    LogListingFailed(e, failures, BetweenListings);
                }

                Model.WantListing();
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

    [LoggerMessage(LogLevel.Warning, "The fleet page has no watch over the fleet, failure {Count} in a row; trying every {Delay}.")]
    private partial void LogWatchLost(Exception exception, int count, TimeSpan delay);

    [LoggerMessage(LogLevel.Information, "The fleet page watches the fleet again, after {Count} failures.")]
    private partial void LogWatching(int count);

    [LoggerMessage(LogLevel.Warning, "The fleet page could not list the devices, failure {Count} in a row; trying every {Delay}.")]
    private partial void LogListingFailed(Exception exception, int count, TimeSpan delay);

    [LoggerMessage(LogLevel.Information, "The fleet page lists the devices again, after {Count} failures.")]
    private partial void LogListed(int count);
}
