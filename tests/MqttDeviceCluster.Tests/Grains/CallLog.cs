namespace MqttDeviceCluster.Tests.Grains;

/// <summary>
/// Tells when calls have arrived at grains and when they have ended there. Orleans keeps neither the order of a client's calls nor that of a call and its
/// cancellation: a test that relies on an order waits for the one before.
/// </summary>
public sealed class CallLog : IIncomingGrainCallFilter
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(string Key, string Method), (int Begun, int Ended)> _calls = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public async Task Invoke(IIncomingGrainCallContext context)
    {
        var call = (context.TargetId.Key.ToString()!, context.MethodName);

        // It runs to its first await: by then a command stands in its line, and a wait is registered.
        var running = context.Invoke();
        Change(call, begun: 1, ended: 0);
        try
        {
            await running;
        }
        finally
        {
            Change(call, begun: 0, ended: 1);
        }
    }

    /// <summary>Waits until <paramref name="count"/> calls of a method have begun.</summary>
    public Task BegunAsync(string deviceId, string method, int count = 1) => UntilAsync(deviceId, method, calls => calls.Begun >= count);

    /// <summary>Waits until <paramref name="count"/> calls of a method have ended, well or not.</summary>
    public Task EndedAsync(string deviceId, string method, int count = 1) => UntilAsync(deviceId, method, calls => calls.Ended >= count);

    private async Task UntilAsync(string deviceId, string method, Func<(int Begun, int Ended), bool> condition)
    {
        while (true)
        {
            Task changed;
            lock (_lock)
            {
                if (condition(_calls.GetValueOrDefault((deviceId, method))))
                {
                    return;
                }

                changed = _changed.Task;
            }

            await changed.WaitAsync(TestClock.Bound, TestContext.Current.CancellationToken);
        }
    }

    private void Change((string Key, string Method) call, int begun, int ended)
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            var before = _calls.GetValueOrDefault(call);
            _calls[call] = (before.Begun + begun, before.Ended + ended);
            (changed, _changed) = (_changed, new(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        changed.SetResult();
    }
}
