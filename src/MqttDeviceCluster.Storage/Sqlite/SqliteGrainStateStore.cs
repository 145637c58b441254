using Microsoft.Data.Sqlite;
using MqttDeviceCluster.Storage.GroupCommit;

namespace MqttDeviceCluster.Storage.Sqlite;

/// <summary>Records in a SQLite file: one thread writes, a few read beside it, and the write-ahead log keeps them out of each other's way.</summary>
internal sealed class SqliteGrainStateStore : IGrainStateStore
{
    private readonly TimeProvider _timeProvider;
    private readonly string _connectionString;
    private readonly TimeSpan _busyTimeout;
    private readonly SqliteWorkers _writer;
    private readonly SqliteWorkers _readers;

    public SqliteGrainStateStore(string name, SqliteGrainStorageOptions options, TimeProvider timeProvider)
    {
        _timeProvider = timeProvider;
        _busyTimeout = options.BusyTimeout;
        SqliteConnectionStringBuilder builder = new(options.ConnectionString);
        if (!string.IsNullOrWhiteSpace(options.DataSource))
        {
            builder.DataSource = options.DataSource;
        }

        Location = Path.GetFullPath(builder.DataSource);
        builder.DataSource = Location;
        _connectionString = builder.ConnectionString;
        _writer = new SqliteWorkers($"{name} writer", 1, OpenSession);
        _readers = new SqliteWorkers($"{name} reader", options.ReadConnections, OpenSession);
    }

    public string Location { get; }

    public async Task OpenAsync(CancellationToken cancellationToken)
    {
        await Task.Run(Create, cancellationToken);
        await ProbeWriteAsync();
        await ProbeReadAsync();
    }

    public Task<StoredGrainState?> ReadAsync(GrainStateKey key, CancellationToken cancellationToken) =>
        _readers.RunAsync(session => session.Read(key), cancellationToken).WaitAsync(cancellationToken);

    public Task<StoredGrainStatePage> ScanAsync(GrainStateRange range, GrainStatePageLimits limits, CancellationToken cancellationToken) =>
        _readers.RunAsync(session => session.Scan(range, limits), cancellationToken).WaitAsync(cancellationToken);

    public async Task<IReadOnlyList<GrainStateChangeResult>> CommitAsync(IReadOnlyList<GrainStateChange> changes)
    {
        var now = _timeProvider.GetUtcNow().ToUnixTimeMilliseconds();
        return await _writer.RunAsync(session => session.Commit(changes, now));
    }

    public Task ProbeWriteAsync() => _writer.RunAsync(static session =>
    {
        session.ProbeWrite();
        return true;
    });

    public Task ProbeReadAsync() => _readers.RunAsync(static session =>
    {
        session.ProbeRead();
        return true;
    });

    // A file is there or is not.
    public bool IsAway(Exception cause) => false;

    public string Explain(Exception cause) => cause is SqliteException { SqliteErrorCode: SqliteReasons.InputOutput } && IsFileSystemReadOnly()
        ? "the file system is read-only"
        : SqliteReasons.Explain(cause);

    public async ValueTask DisposeAsync()
    {
        // The writer last: the last connection to close folds the log into the file.
        await Task.Run(_readers.Dispose).ConfigureAwait(false);
        await Task.Run(_writer.Dispose).ConfigureAwait(false);
    }

    private void Create()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Location)!);
        SqliteSession.Open(_connectionString, _busyTimeout, create: true).Dispose();
    }

    // To SQLite it is an I/O error like any other when the system makes a file system read-only below an open file, as it does when it finds that one damaged.
    private bool IsFileSystemReadOnly()
    {
        const int ReadOnlyFileSystem = 30; // EROFS of Linux, macOS and the BSDs.
        if (OperatingSystem.IsWindows())
        {
            return false;
        }

        try
        {
            new FileStream(Location + "-probe", FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0, FileOptions.DeleteOnClose).Dispose();
            return false;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return exception.HResult == ReadOnlyFileSystem;
        }
    }

    private SqliteSession OpenSession() => SqliteSession.Open(_connectionString, _busyTimeout, create: false);
}
