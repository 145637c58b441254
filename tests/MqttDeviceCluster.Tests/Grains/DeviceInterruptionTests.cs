using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Core.Internal;
using Orleans.TestingHost;

namespace MqttDeviceCluster.Tests.Grains;

/// <summary>What ends under a call: its activation, or its silo.</summary>
public sealed class DeviceInterruptionTests : IAsyncLifetime
{
    private readonly FakeMqtt _mqtt = new();
    private readonly CallLog _calls = new();
    private readonly InProcessTestCluster _cluster;

    public DeviceInterruptionTests() => _cluster = DeviceClusterFixture.Build(
        1, _mqtt, new(), memoryStorage: true, static options => options.MaxConcurrentWaits = 2, _calls);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static CommandOptions Long => new() { Timeout = TimeSpan.FromMinutes(2) };

    private static WaitOptions LongWait => new() { Timeout = TimeSpan.FromMinutes(2) };

    private IDeviceCluster Devices => _cluster.Client.ServiceProvider.GetRequiredService<IDeviceCluster>();

    public async ValueTask InitializeAsync() => await _cluster.DeployAsync();

    public async ValueTask DisposeAsync() => await _cluster.DisposeAsync();

    [Fact]
    public async Task Silo_StopsWithPendingCalls_EndsThemPromptlyAndIsNotHeldBack()
    {
        var (running, waiting, wait) = await StartCallsAsync("d");

        var started = Stopwatch.GetTimestamp();
        await _cluster.Silos[0].ServiceProvider.GetRequiredService<IHost>().StopAsync(Token).WaitAsync(TestClock.Bound, Token);

        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(30));
        await AssertInterrupted(running, waiting, wait);
        Assert.Single(_mqtt.Device("d").Received);
    }

    [Fact]
    public async Task Activation_EndsWithPendingCalls_EndsThemPromptlyAndTheNextServes()
    {
        var (running, waiting, wait) = await StartCallsAsync("d");

        await _cluster.Client.GetGrain<IDeviceGrain>("d").Cast<IGrainManagementExtension>().DeactivateOnIdle(Token);

        await AssertInterrupted(running, waiting, wait);
        Assert.Equal(Evidence.Published, (await Devices.UpdateAsync("d", [], Long with { Confirm = false }, Token)).Evidence);
    }

    [Fact]
    public async Task WaitForAsync_TooManyWaits_IsBusy()
    {
        using CancellationTokenSource caller = new();
        Task[] waits = [.. Enumerable.Range(0, 3).Select(_ => (Task)Devices.WaitForAsync("w", [new(1)], LongWait, caller.Token))];

        // Whichever arrives last finds no room.
        var refused = await Task.WhenAny(waits).WaitAsync(TestClock.Bound, Token);
        Assert.Equal(2, (await Assert.ThrowsAsync<DeviceBusyException>(() => refused)).Waiting);

        await caller.CancelAsync();
        foreach (var wait in waits.Except([refused]))
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => wait);
        }
    }

    private async Task<(Task Running, Task Waiting, Task Wait)> StartCallsAsync(string id)
    {
        // Past the facade, which has another activation take what was not published.
        var device = _cluster.Client.GetGrain<IDeviceGrain>(id);
        var running = device.SetPinsAsync([new(13, PinState.High)], Long, Token);
        await DeviceGrainTests.Until(() => _mqtt.Device(id).Received.Count == 1);
        var waiting = device.UpdateAsync([1], Long, Token);
        var wait = device.WaitForAsync([new(13)], LongWait, Token);

        await _calls.BegunAsync(id, nameof(IDeviceGrain.UpdateAsync));
        await _calls.BegunAsync(id, nameof(IDeviceGrain.WaitForAsync));
        return (running, waiting, wait);
    }

    private static async Task AssertInterrupted(Task running, Task waiting, Task wait)
    {
        Assert.True((await Assert.ThrowsAsync<DeviceInterruptedException>(() => running.WaitAsync(TestClock.Bound, Token))).Published);
        Assert.False((await Assert.ThrowsAsync<DeviceInterruptedException>(() => waiting.WaitAsync(TestClock.Bound, Token))).Published);
        Assert.False((await Assert.ThrowsAsync<DeviceInterruptedException>(() => wait.WaitAsync(TestClock.Bound, Token))).Published);
    }
}
