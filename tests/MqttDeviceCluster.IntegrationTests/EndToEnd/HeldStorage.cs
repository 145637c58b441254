using System.Collections.Concurrent;
using Orleans.Storage;

namespace MqttDeviceCluster.IntegrationTests.EndToEnd;

/// <summary>A grain storage whose writes wait, grain by grain, until the test lets them through to the real one.</summary>
internal sealed class HeldStorage(IGrainStorage inner, HeldStorage.Control control) : IGrainStorage
{
    public Task ReadStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState) =>
        inner.ReadStateAsync(stateName, grainId, grainState);

    public async Task WriteStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        await control.PassAsync($"{grainId.Key}");
        await inner.WriteStateAsync(stateName, grainId, grainState);
        control.Persisted.TryAdd($"{grainId.Key}", true);
    }

    public Task ClearStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState) =>
        inner.ClearStateAsync(stateName, grainId, grainState);

    internal sealed class Control
    {
        private readonly ConcurrentDictionary<string, (TaskCompletionSource Arrived, TaskCompletionSource MayPass)> _writes = new();

        /// <summary>Gets the keys of the grains whose state is in the real storage.</summary>
        public ConcurrentDictionary<string, bool> Persisted { get; } = new();

        public Task ArrivalAsync(string key) => Of(key).Arrived.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);

        public void Release(string key) => Of(key).MayPass.TrySetResult();

        public Task PassAsync(string key)
        {
            Of(key).Arrived.TrySetResult();
            return Of(key).MayPass.Task;
        }

        private (TaskCompletionSource Arrived, TaskCompletionSource MayPass) Of(string key) => _writes.GetOrAdd(
            key, _ => (new(TaskCreationOptions.RunContinuationsAsynchronously), new(TaskCreationOptions.RunContinuationsAsynchronously)));
    }
}
