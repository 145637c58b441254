using System.Diagnostics.Metrics;

namespace MqttDeviceCluster.Storage;

/// <summary>The instruments of all storage providers of a silo.</summary>
internal sealed class GrainStorageMetrics
{
    public const string Ok = "ok";
    public const string Conflict = "conflict";
    public const string Refused = "refused";
    public const string Failed = "failed";
    public const string Cancelled = "cancelled";

    // The advice gives exporters buckets that fit: a commit takes 0.1 ms on a fast disk and seconds on a stalled one.
    private static readonly InstrumentAdvice<double> DurationAdvice = new()
    {
        HistogramBucketBoundaries = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    };

    private static readonly InstrumentAdvice<int> SizeAdvice = new() { HistogramBucketBoundaries = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024] };

    private readonly Counter<long> _operations;
    private readonly Histogram<double> _commitDuration;
    private readonly Histogram<int> _commitSize;
    private readonly UpDownCounter<int> _queueLength;
    private readonly Counter<long> _errors;
    private readonly Counter<long> _unreadable;

    public GrainStorageMetrics(IMeterFactory meterFactory)
    {
        var meter = meterFactory.Create(GrainStorageTelemetry.MeterName);
        _operations = meter.CreateCounter<long>(GrainStorageTelemetry.Operations, "{operation}", "Reads, pages of scans, writes and clears that ended.");
        _commitDuration = meter.CreateHistogram(GrainStorageTelemetry.CommitDuration, "s", "How long a commit took.", tags: null, DurationAdvice);
        _commitSize = meter.CreateHistogram(GrainStorageTelemetry.CommitSize, "{operation}", "Operations that shared a commit.", tags: null, SizeAdvice);
        _queueLength = meter.CreateUpDownCounter<int>(GrainStorageTelemetry.QueueLength, "{operation}", "Operations that wait for their commit.");
        _errors = meter.CreateCounter<long>(GrainStorageTelemetry.Errors, "{error}", "Commits and reads that the store failed.");
        _unreadable = meter.CreateCounter<long>(GrainStorageTelemetry.Unreadable, "{record}", "Records that a scan left out because they cannot be deserialized.");
    }

    public void OnOperation(string provider, string operation, string outcome) => _operations.Add(
        1,
        new KeyValuePair<string, object?>(GrainStorageTelemetry.ProviderTag, provider),
        new KeyValuePair<string, object?>(GrainStorageTelemetry.OperationTag, operation),
        new KeyValuePair<string, object?>(GrainStorageTelemetry.OutcomeTag, outcome));

    public void OnCommit(string provider, TimeSpan duration, int size, bool succeeded)
    {
        var tag = new KeyValuePair<string, object?>(GrainStorageTelemetry.ProviderTag, provider);
        _commitDuration.Record(
            duration.TotalSeconds, tag, new KeyValuePair<string, object?>(GrainStorageTelemetry.OutcomeTag, succeeded ? Ok : Failed));
        _commitSize.Record(size, tag);
    }

    public void OnQueued(string provider, int delta) =>
        _queueLength.Add(delta, new KeyValuePair<string, object?>(GrainStorageTelemetry.ProviderTag, provider));

    public void OnUnreadable(string provider, int count) => _unreadable.Add(count, new KeyValuePair<string, object?>(GrainStorageTelemetry.ProviderTag, provider));

    public void OnError(string provider, string operation) => _errors.Add(
        1,
        new KeyValuePair<string, object?>(GrainStorageTelemetry.ProviderTag, provider),
        new KeyValuePair<string, object?>(GrainStorageTelemetry.OperationTag, operation));
}
