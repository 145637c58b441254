namespace MqttDeviceCluster;

/// <summary>
/// One device's commands that run, and the last that ended and may have acted: a call that arrives a second time begins no second command. Orleans sends a call again when a connection ends before it
/// knows that the call was written, and so does <c>IDeviceCluster</c> with one that Orleans turned away. Used from one thread at a time (a grain's).
/// </summary>
internal sealed class RecentCommands(string deviceId, TimeProvider time)
{
    /// <summary>How many that ended are known at most.</summary>
    internal const int MaxKept = 1024;

    private readonly List<(Guid Id, Task<CommandResult> Command)> _running = [];
    private readonly Queue<(Guid Id, long EndedAt, TimeSpan KeepFor)> _ended = [];
    private readonly HashSet<Guid> _endedIds = [];

    /// <summary>Begins a command, unless one of this id runs, whose result it then has, or ended and may have acted.</summary>
    /// <param name="id">The command.</param>
    /// <param name="keepFor">How long after its end a call with this id may still arrive that would not be too late to begin.</param>
    /// <param name="begin">Begins it.</param>
    public Task<CommandResult> RunAsync(Guid id, TimeSpan keepFor, Func<Task<CommandResult>> begin)
    {
        Forget();
        foreach (var (running, command) in _running)
        {
            if (running == id)
            {
                return command;
            }
        }

        if (_endedIds.Contains(id))
        {
            return Task.FromException<CommandResult>(new DeviceInterruptedException(deviceId, "the call came twice, and the answer went to the first", published: true));
        }

        var begun = begin();
        if (begun.IsCompleted)
        {
            Note(id, keepFor, begun);
            return begun;
        }

        _running.Add((id, begun));
        return FollowAsync(id, keepFor, begun);
    }

    private async Task<CommandResult> FollowAsync(Guid id, TimeSpan keepFor, Task<CommandResult> command)
    {
        try
        {
            return await command;
        }
        finally
        {
            _running.RemoveAll(running => running.Id == id);
            Note(id, keepFor, command);
        }
    }

    private void Note(Guid id, TimeSpan keepFor, Task<CommandResult> command)
    {
        if (command.Exception?.InnerException is DeviceBusyException or DeviceOfflineException or BrokerUnavailableException or ArgumentException
            or DeviceInterruptedException { Published: false } or DeviceTimeoutException { Published: false })
        {
            // It may begin once more: the device has seen nothing of it.
            return;
        }

        if (_endedIds.Add(id))
        {
            if (_ended.Count == MaxKept)
            {
                _endedIds.Remove(_ended.Dequeue().Id);
            }

            _ended.Enqueue((id, time.GetTimestamp(), keepFor));
        }
    }

    // In the order in which they ended: one that is kept for long keeps those behind it, up to the bound.
    private void Forget()
    {
        while (_ended.TryPeek(out var first) && time.GetElapsedTime(first.EndedAt) >= first.KeepFor)
        {
            _ended.Dequeue();
            _endedIds.Remove(first.Id);
        }

        if (_ended.Count == 0 && _ended.Capacity > MaxKept / 16)
        {
            _ended.TrimExcess();
            _endedIds.TrimExcess();
        }
    }
}
