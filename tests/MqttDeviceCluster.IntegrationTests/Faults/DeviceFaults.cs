using System.Collections.Concurrent;
using System.Diagnostics;
using Orleans.Storage;

namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>Which devices fail or are slow, and when each update of the others was stored.</summary>
internal sealed class DeviceFaults : IIncomingGrainCallFilter
{
    private readonly ConcurrentDictionary<string, bool> _throwing = new();
    private readonly ConcurrentDictionary<string, TimeSpan> _slow = new();
    private readonly ConcurrentDictionary<string, int> _calls = new();

    /// <summary>Gets or sets what is called after a write, with the device, its state and the time.</summary>
    public Action<string, DeviceState, long> OnStored { get; set; } = (_, _, _) => { };

    /// <summary>Every call to the device throws, that which activates its stream included.</summary>
    public void Throw(string device) => _throwing[device] = true;

    /// <summary>Every write of the device takes so long.</summary>
    public void Delay(string device, TimeSpan time) => _slow[device] = time;

    public void Mend(string device)
    {
        _throwing.TryRemove(device, out _);
        _slow.TryRemove(device, out _);
    }

    /// <summary>Returns how many calls to the device were made to fail.</summary>
    public int Failures(string device) => _calls.GetValueOrDefault(device);

    public Task Invoke(IIncomingGrainCallContext context)
    {
        var key = context.TargetId.Key.ToString()!;
        if (_throwing.ContainsKey(key) && context.TargetId.Type.ToString() == DeviceGrain.TypeName)
        {
            _calls.AddOrUpdate(key, 1, static (_, count) => count + 1);
            throw new InvalidOperationException("This device always fails.");
        }

        return context.Invoke();
    }

    public Task BeforeWriteAsync(string device) => _slow.TryGetValue(device, out var time) ? Task.Delay(time) : Task.CompletedTask;
}

/// <summary>The real storage behind the faults.</summary>
internal sealed class FaultyStorage(IGrainStorage inner, DeviceFaults faults) : IGrainStorage
{
    public Task ReadStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState) =>
        inner.ReadStateAsync(stateName, grainId, grainState);

    public async Task WriteStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        var device = grainId.Key.ToString()!;
        await faults.BeforeWriteAsync(device);

        // The state is an immutable value: what is written now is this one, whatever the grain takes on meanwhile.
        var state = (DeviceState)(object)grainState.State!;
        await inner.WriteStateAsync(stateName, grainId, grainState);
        faults.OnStored(device, state, Stopwatch.GetTimestamp());
    }

    public Task ClearStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState) =>
        inner.ClearStateAsync(stateName, grainId, grainState);
}
