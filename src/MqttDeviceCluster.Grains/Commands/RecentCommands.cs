namespace MqttDeviceCluster;

/// <summary>
/// One device's commands that run, and the last that ended and may have acted: a call that arrives a second time begins no second command. Orleans sends a call again when a connection ends before it
/// knows that the call was written, and so does <c>IDeviceCluster</c> with one that Orleans turned away. Used from one thread at a time (a grain's).
/// </summary>
internal sealed class RecentCommands(string deviceId)
{
    /// <summary>How many that ended are known. A second arrival is a matter of moments.</summary>
    private const int Kept = 8;

    private readonly List<(Guid Id, Task<CommandResult> Command)> _running = [];
    private readonly Guid[] _ended = new Guid[Kept];
    private int _next;

    /// <summary>Begins a command, unless one of this id runs, whose result it then has, or ended and may have acted.</summary>
    public Task<CommandResult> RunAsync(Guid id, Func<Task<CommandResult>> begin)
    {
        foreach (var (running, command) in _running)
        {
            if (running == id)
            {
                return command;
            }
        }

        if (_ended.AsSpan().Contains(id))
        {
            return Task.FromException<CommandResult>(new DeviceInterruptedException(deviceId, "the call came twice, and the answer went to the first", published: true));
        }

        var begun = begin();
        if (begun.IsCompleted)
        {
            Note(id, begun);
            return begun;
        }

        _running.Add((id, begun));
        return FollowAsync(id, begun);
    }

    private async Task<CommandResult> FollowAsync(Guid id, Task<CommandResult> command)
    {
        try
        {
            return await command;
        }
        finally
        {
            _running.RemoveAll(running => running.Id == id);
            Note(id, command);
        }
    }

    private void Note(Guid id, Task<CommandResult> command)
    {
        if (command.Exception?.InnerException is DeviceBusyException or DeviceOfflineException or BrokerUnavailableException or ArgumentException
            or DeviceInterruptedException { Published: false } or DeviceTimeoutException { Published: false })
        {
            // It may begin once more: the device has seen nothing of it.
            return;
        }

        _ended[_next] = id;
        _next = (_next + 1) % Kept;
    }
}
