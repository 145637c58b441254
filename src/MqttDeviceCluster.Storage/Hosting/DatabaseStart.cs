using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Polly;
using Polly.Retry;

namespace MqttDeviceCluster.Storage.Hosting;

/// <summary>Opens databases when a silo starts, and waits for one that is away.</summary>
internal sealed partial class DatabaseStart(IOptions<DatabaseStartOptions> options, TimeProvider time, ILogger<DatabaseStart> logger)
{
    private long _started;

    public static void AddTo(IServiceCollection services)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<DatabaseStart>();
    }

    /// <summary>Opens a database, again and again while it is away and there is time.</summary>
    /// <param name="open">Opens it; after a failure it is called anew.</param>
    /// <param name="isAway">Whether a failure may be over soon by itself.</param>
    /// <param name="describe">Makes of a failure what is thrown, whose message is a sentence for an operator.</param>
    /// <param name="cancellationToken">The silo does not start after all.</param>
    public async Task OpenAsync(Func<CancellationToken, Task> open, Func<Exception, bool> isAway, Func<Exception, Exception> describe, CancellationToken cancellationToken)
    {
        // Since the first of them was asked for.
        Interlocked.CompareExchange(ref _started, time.GetTimestamp(), 0);
        string? said = null;
        var pipeline = new ResiliencePipelineBuilder { TimeProvider = time }
            .AddRetry(new RetryStrategyOptions
            {
                ShouldHandle = arguments => ValueTask.FromResult(
                    arguments.Outcome.Exception is { } cause && !cancellationToken.IsCancellationRequested && time.GetElapsedTime(_started) < options.Value.MaxWait && isAway(cause)),
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                Delay = TimeSpan.FromMilliseconds(250),
                MaxDelay = TimeSpan.FromSeconds(5),
                MaxRetryAttempts = int.MaxValue,
                OnRetry = arguments =>
                {
                    // Once for each reason: a server that starts says so after it did not listen.
                    var problem = describe(arguments.Outcome.Exception!).Message;
                    if (problem != said)
                    {
                        said = problem;
                        LogAway(problem, (options.Value.MaxWait - time.GetElapsedTime(_started)).TotalSeconds.ToString("0", CultureInfo.InvariantCulture));
                    }

                    return default;
                },
            })
            .Build();
        try
        {
            await pipeline.ExecuteAsync(async token => await open(token), cancellationToken);
        }
        catch (Exception cause)
        {
            // What fails while the silo is being stopped fails for that.
            cancellationToken.ThrowIfCancellationRequested();
            throw describe(cause);
        }
    }

    [LoggerMessage(LogLevel.Warning, "{Problem} The start goes on trying for {Seconds} s.")]
    private partial void LogAway(string problem, string seconds);
}
