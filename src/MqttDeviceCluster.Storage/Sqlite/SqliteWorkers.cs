using System.Collections.Concurrent;

namespace MqttDeviceCluster.Storage.Sqlite;

/// <summary>
/// Threads that block on the disk in place of the thread pool's, on which grains run. Each has a session of its own, opened when needed and thrown away after an error.
/// </summary>
internal sealed class SqliteWorkers : IDisposable
{
    private readonly Func<SqliteSession> _open;
    private readonly BlockingCollection<Action<Worker>> _work = [];
    private readonly Thread[] _threads;

    public SqliteWorkers(string name, int count, Func<SqliteSession> open)
    {
        _open = open;
        _threads = new Thread[count];
        for (var i = 0; i < count; i++)
        {
            _threads[i] = new Thread(Run) { IsBackground = true, Name = $"{name} {i}" };
            _threads[i].UnsafeStart();
        }
    }

    /// <summary>Runs work on one of the threads.</summary>
    /// <exception cref="ObjectDisposedException">The threads are stopped.</exception>
    public Task<T> RunAsync<T>(Func<SqliteSession, T> work, CancellationToken cancellationToken = default)
    {
        // The result is consumed elsewhere, never on the thread that must go on.
        TaskCompletionSource<T> completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
        try
        {
            _work.Add(worker => worker.Do(work, completion, cancellationToken), CancellationToken.None);
        }
        catch (InvalidOperationException)
        {
            completion.SetException(new ObjectDisposedException(nameof(SqliteWorkers)));
        }

        return completion.Task;
    }

    /// <summary>Finishes what is queued, closes the sessions and ends the threads.</summary>
    public void Dispose()
    {
        _work.CompleteAdding();
        foreach (var thread in _threads)
        {
            thread.Join();
        }

        _work.Dispose();
    }

    private void Run()
    {
        using Worker worker = new(_open);
        foreach (var work in _work.GetConsumingEnumerable())
        {
            work(worker);
        }
    }

    private sealed class Worker(Func<SqliteSession> open) : IDisposable
    {
        private SqliteSession? _session;

        public void Do<T>(Func<SqliteSession, T> work, TaskCompletionSource<T> completion, CancellationToken cancellationToken)
        {
            if (cancellationToken.IsCancellationRequested)
            {
                completion.SetCanceled(cancellationToken);
                return;
            }

            try
            {
                _session ??= open();
                completion.SetResult(work(_session));
            }
            catch (Exception exception)
            {
                // Whatever it was, it is the caller's; a session in an unknown state is not used again.
                _session?.Dispose();
                _session = null;
                completion.SetException(exception);
            }
        }

        public void Dispose() => _session?.Dispose();
    }
}
