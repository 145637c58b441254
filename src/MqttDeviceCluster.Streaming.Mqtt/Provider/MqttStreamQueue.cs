using Orleans.Streams;

namespace MqttDeviceCluster.Streaming.Mqtt.Provider;

/// <summary>
/// The messages between a connection and the pulling agent of one Orleans queue. Written by the connection, read by the agent, which waits here until
/// there is something: the delivery path has no timer in it.
/// </summary>
internal sealed class MqttStreamQueue(Func<MqttStreamMessage, bool> isObsolete)
{
    /// <summary>Bounds what one read hands to the agent, which sorts it by stream in one go.</summary>
    private const int MaxRead = 4096;

    /// <summary>From so many messages on, those that nobody will read are looked for.</summary>
    private const int PruneFrom = 1024;

    private readonly Lock _lock = new();
    private List<IBatchContainer> _messages = [];
    private TaskCompletionSource? _reader;
    private int _pruneAt = PruneFrom;

    public void Enqueue(MqttStreamMessage message)
    {
        TaskCompletionSource? reader;
        lock (_lock)
        {
            _messages.Add(message);
            if (_messages.Count >= _pruneAt)
            {
                // The agent may be held up for long, by a grain that does not activate: what was dropped, or is sent again, must not gather here meanwhile.
                _messages.RemoveAll(waiting => isObsolete((MqttStreamMessage)waiting));
                _pruneAt = Math.Max(PruneFrom, 2 * _messages.Count);
            }

            (reader, _reader) = (_reader, null);
        }

        reader?.TrySetResult();
    }

    public void Clear()
    {
        lock (_lock)
        {
            _messages = [];
        }
    }

    /// <summary>Lets a read that waits call its <c>onNudged</c>.</summary>
    public void Nudge()
    {
        TaskCompletionSource? reader;
        lock (_lock)
        {
            (reader, _reader) = (_reader, null);
        }

        reader?.TrySetResult();
    }

    /// <summary>Waits for messages and returns all there are. Returns an empty list only when cancelled; never throws.</summary>
    /// <param name="onNudged">Called while it waits, in the context of the caller, after each <see cref="Nudge"/>. Must not throw.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<IList<IBatchContainer>> ReadAsync(Action? onNudged, CancellationToken cancellationToken)
    {
        for (var woken = false; !cancellationToken.IsCancellationRequested; woken = true)
        {
            TaskCompletionSource reader;
            lock (_lock)
            {
                if (TakeAll() is { } taken)
                {
                    return taken;
                }

                _reader = reader = new(TaskCreationOptions.RunContinuationsAsynchronously);
            }

            if (woken)
            {
                // Not for a message: for the look at what is under way.
                onNudged?.Invoke();
            }

            using (cancellationToken.UnsafeRegister(static state => ((TaskCompletionSource)state!).TrySetResult(), reader))
            {
                await reader.Task;
            }
        }

        return [];
    }

    private List<IBatchContainer>? TakeAll()
    {
        _messages.RemoveAll(message => isObsolete((MqttStreamMessage)message));
        if (_messages.Count == 0)
        {
            return null;
        }

        if (_messages.Count <= MaxRead)
        {
            var all = _messages;
            _messages = [];
            return all;
        }

        var first = _messages.GetRange(0, MaxRead);
        _messages.RemoveRange(0, MaxRead);
        return first;
    }
}
