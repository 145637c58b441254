using System.Collections.Immutable;
using System.Reflection;
using System.Runtime.ExceptionServices;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Orleans.Runtime.Messaging;

namespace MqttDeviceCluster.Tests.Client;

/// <summary>The facade over a grain that never answers, or answers what the test says.</summary>
public sealed class DeviceClusterTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly StubGrain _grain = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private DeviceCluster Cluster() => new(StubGrainFactory.Create(_grain), _time, NullLogger<DeviceCluster>.Instance);

    [Theory]
    [InlineData(PulseEdge.First, 10)]
    [InlineData(PulseEdge.Return, 15)]
    public async Task SetPinsAsync_SiloNeverAnswers_EndsAfterTimeoutPulseAndGrace(PulseEdge edge, int seconds)
    {
        var call = Cluster().SetPinsAsync(
            "a", [new(13, PinState.High, TimeSpan.FromSeconds(5))], new() { PulseConfirmedBy = edge }, Token);

        _time.Advance(TimeSpan.FromSeconds(seconds) - TimeSpan.FromMilliseconds(1));
        Assert.False(call.IsCompleted);
        _time.Advance(TimeSpan.FromMilliseconds(1));

        var timeout = await Assert.ThrowsAsync<DeviceTimeoutException>(() => call);
        Assert.True(timeout.Published);
        Assert.Equal([13], timeout.MissingPins);
    }

    [Fact]
    public async Task EveryCall_SiloNeverAnswers_IsBounded()
    {
        var cluster = Cluster();
        CommandOptions options = new() { Timeout = TimeSpan.FromSeconds(1) };
        Task[] calls =
        [
            cluster.ConfigPinsAsync("a", [new(1, PinMode.Output)], options, Token),
            cluster.UpdateAsync("a", default, options, Token),
            cluster.WaitForAsync("a", [new(1)], new() { Timeout = TimeSpan.FromSeconds(1) }, Token),
        ];

        _time.Advance(TimeSpan.FromSeconds(6));

        foreach (var call in calls)
        {
            await Assert.ThrowsAsync<DeviceTimeoutException>(() => call);
        }
    }

    [Fact]
    public async Task SetPinsAsync_GrainTimesOut_PassesTheGrainsException()
    {
        DeviceTimeoutException thrown = new("a", TimeSpan.FromSeconds(5), [13], published: false);
        _grain.Command = Task.FromException<CommandResult>(thrown);

        Assert.Same(thrown, await Assert.ThrowsAsync<DeviceTimeoutException>(() => Cluster().SetPinsAsync("a", [new(13, PinState.High)], null, Token)));
    }

    [Fact]
    public async Task SetPinsAsync_SiloStopsBeforeItPublished_IsTakenByAnotherWithWhatIsLeftOfTheTime()
    {
        _grain.Command = Task.FromException<CommandResult>(new DeviceInterruptedException("a", "the silo is stopping", published: false));
        var call = Cluster().SetPinsAsync("a", [new(13, PinState.High)], new() { Timeout = TimeSpan.FromSeconds(1) }, Token);
        Assert.False(call.IsCompleted);

        CommandResult result = new("a", Guid.Empty, [], Evidence.Observed);
        _grain.Command = Task.FromResult(result);
        _time.Advance(DeviceCluster.RetryDelay);

        Assert.Same(result, await call);
        Assert.Equal(2, _grain.Calls);
        Assert.Equal(TimeSpan.FromMilliseconds(900), _grain.Options!.Timeout);
        Assert.Equal(_time.GetUtcNow().AddMilliseconds(900), _grain.Options.Deadline);
    }

    [Fact]
    public async Task SetPinsAsync_AnyOptions_TellTheGrainWhenTheCallerGivesUp()
    {
        _grain.Command = Task.FromResult<CommandResult>(new("a", Guid.Empty, [], Evidence.Observed));
        await Cluster().SetPinsAsync("a", [new(13, PinState.High)], null, Token);
        Assert.Equal(_time.GetUtcNow() + CommandOptions.DefaultTimeout, _grain.Options!.Deadline);

        var own = _time.GetUtcNow().AddSeconds(1);
        await Cluster().SetPinsAsync("a", [new(13, PinState.High)], new() { Deadline = own }, Token);
        Assert.Equal(own, _grain.Options.Deadline);
    }

    [Fact]
    public async Task SetPinsAsync_NoSiloTakesIt_EndsWithTheTimeAsNotPublished()
    {
        _grain.Command = Task.FromException<CommandResult>(new DeviceInterruptedException("a", "the silo is stopping", published: false));
        var call = Cluster().SetPinsAsync("a", [new(13, PinState.High)], new() { Timeout = TimeSpan.FromSeconds(1) }, Token);
        while (!call.IsCompleted)
        {
            _time.Advance(DeviceCluster.RetryDelay);
            await Task.Yield();
        }

        Assert.False((await Assert.ThrowsAsync<DeviceInterruptedException>(() => call)).Published);
    }

    [Fact]
    public async Task SetPinsAsync_SiloWasLostWithTheCall_SaysThatTheOutcomeIsUnknownAndDoesNotAskAgain()
    {
        SiloUnavailableException said = new("The target silo became unavailable for message: Request [Silo 'x' is shutting down. → device/Silo unavailable].");
        _grain.Command = Task.FromException<CommandResult>(said);

        var lost = await Assert.ThrowsAsync<DeviceInterruptedException>(() => Cluster().SetPinsAsync("a", [new(13, PinState.High)], null, Token));

        Assert.True(lost.Published);
        Assert.Same(said, lost.InnerException);
        Assert.Equal(1, _grain.Calls);
    }

    [Fact]
    public async Task SetPinsAsync_SomebodyElseCancelled_SaysThatTheOutcomeIsUnknownAndDoesNotAskAgain()
    {
        _grain.Command = Task.FromException<CommandResult>(CancelledIn("Orleans.Runtime.InsideRuntimeClient.Invoke(IGrainContext target, Message message)"));

        var lost = await Assert.ThrowsAsync<DeviceInterruptedException>(() => Cluster().SetPinsAsync("a", [new(13, PinState.High)], null, Token));

        Assert.True(lost.Published);
        Assert.Equal(1, _grain.Calls);
    }

    [Fact]
    public async Task SetPinsAsync_CallerCancels_IsCancelled()
    {
        using CancellationTokenSource source = new();
        await source.CancelAsync();
        _grain.Command = Task.FromCanceled<CommandResult>(source.Token);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Cluster().SetPinsAsync("a", [new(13, PinState.High)], null, source.Token));
        Assert.Equal(1, _grain.Calls);
    }

    public static TheoryData<Exception> TurnedAway => new()
    {
        new SiloUnavailableException(),
        new SiloUnavailableException("Silo 'S127.0.0.1:11111:1' is shutting down."),
        new SiloUnavailableException("Cannot place grain 'device/a' because there are no compatible silos."),
        new GatewayTooBusyException("Shedding load"),
        new ConnectionFailedException("Unable to connect to S127.0.0.1:11111:1"),
        Rejection("Silo stopping"),
        CancelledIn("Orleans.Runtime.Placement.PlacementService.PlacementWorker.GetOrPlaceActivationAsync(Message firstMessage)"),
    };

    [Theory]
    [MemberData(nameof(TurnedAway), DisableDiscoveryEnumeration = true)]
    public async Task SetPinsAsync_CallIsTurnedAway_IsAskedAgainEverLessOften(Exception turnedAway)
    {
        _grain.Command = Task.FromException<CommandResult>(turnedAway);
        var call = Cluster().SetPinsAsync("a", [new(13, PinState.High)], new() { Timeout = TimeSpan.FromSeconds(1) }, Token);
        Assert.Equal(1, _grain.Calls);
        _time.Advance(DeviceCluster.RetryDelay);
        Assert.Equal(2, _grain.Calls);
        _time.Advance(DeviceCluster.RetryDelay);
        Assert.Equal(2, _grain.Calls);
        CommandResult result = new("a", Guid.Empty, [], Evidence.Observed);
        _grain.Command = Task.FromResult(result);
        _time.Advance(DeviceCluster.RetryDelay);

        Assert.Same(result, await call);
        Assert.Equal(3, _grain.Calls);
        Assert.NotNull(Assert.Single(_grain.CommandIds.Distinct()));
        Assert.Equal(TimeSpan.FromMilliseconds(700), _grain.Options!.Timeout);
    }

    [Fact]
    public async Task SetPinsAsync_CallIsTurnedAwayAllTheTime_EndsWithTheTimeAndSaysWhy()
    {
        var turnedAway = Rejection("Exception while sending message: …");
        _grain.Command = Task.FromException<CommandResult>(turnedAway);
        var call = Cluster().SetPinsAsync("a", [new(13, PinState.High)], new() { Timeout = TimeSpan.FromSeconds(1) }, Token);
        _time.Advance(TimeSpan.FromMilliseconds(100));
        _time.Advance(TimeSpan.FromMilliseconds(200));
        _time.Advance(TimeSpan.FromMilliseconds(400));
        Assert.False(call.IsCompleted);
        _time.Advance(TimeSpan.FromMilliseconds(200));

        var failure = await Assert.ThrowsAsync<DeviceInterruptedException>(() => call);
        Assert.Same(turnedAway, failure.InnerException);
        Assert.True(failure.Published);
        Assert.Equal((5, TimeSpan.FromMilliseconds(100)), (_grain.Calls, _grain.Options!.Timeout));
    }

    [Fact]
    public async Task SetPinsAsync_ClockJumpsWhileACallIsTurnedAway_EndsAllTheSame()
    {
        _grain.Command = Task.FromException<CommandResult>(Rejection("Silo stopping"));
        JumpingTimeProvider time = new(TimeSpan.FromMilliseconds(440));

        var call = new DeviceCluster(StubGrainFactory.Create(_grain), time, NullLogger<DeviceCluster>.Instance).SetPinsAsync(
            "a", [new(13, PinState.High)], new() { Timeout = TimeSpan.FromSeconds(1) }, Token);

        await Assert.ThrowsAsync<DeviceInterruptedException>(() => call.WaitAsync(TimeSpan.FromSeconds(20), Token));
    }

    /// <summary>A clock that is so much later at each look.</summary>
    private sealed class JumpingTimeProvider(TimeSpan jump) : TimeProvider
    {
        private long _looks;

        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch + (Interlocked.Increment(ref _looks) * jump);
    }

    [Fact]
    public async Task WaitForAsync_CallIsTurnedAway_IsAskedAgainAndOneThatWasCutShortIsNot()
    {
        _grain.Wait = Task.FromException<ImmutableArray<PinUpdate>>(Rejection("Silo stopping"));
        var call = Cluster().WaitForAsync("a", [new(13)], new() { Timeout = TimeSpan.FromSeconds(1), IncludeCurrent = true }, Token);
        await Assert.ThrowsAsync<DeviceInterruptedException>(() => Cluster().WaitForAsync("a", [new(13)], null, Token));
        DeviceInterruptedException cut = new("a", "the silo is stopping", published: false);
        _grain.Wait = Task.FromException<ImmutableArray<PinUpdate>>(cut);
        _time.Advance(DeviceCluster.RetryDelay);

        Assert.Same(cut, await Assert.ThrowsAsync<DeviceInterruptedException>(() => call));
        Assert.Equal((3, new() { Timeout = TimeSpan.FromMilliseconds(900), IncludeCurrent = true }), (_grain.Calls, _grain.WaitOptions));
    }

    // Orleans alone can make it.
    private static Exception CancelledIn(string frame) => ExceptionDispatchInfo.SetRemoteStackTrace(new OperationCanceledException(), $"   at {frame}");

    private static OrleansMessageRejectionException Rejection(string message) => (OrleansMessageRejectionException)Activator.CreateInstance(
        typeof(OrleansMessageRejectionException), BindingFlags.Instance | BindingFlags.NonPublic, null, [message], null)!;

    [Fact]
    public async Task GetSnapshotAsync_SiloIsLost_AsksAnother()
    {
        _grain.SnapshotFails = new SiloUnavailableException("gone");
        var call = Cluster().GetSnapshotAsync("a", Token);
        Assert.False(call.IsCompleted);

        _grain.SnapshotFails = null;
        _time.Advance(DeviceCluster.RetryDelay);

        Assert.Equal("a", (await call).DeviceId);
    }

    [Fact]
    public async Task SetPinsAsync_CallerCancels_ThrowsOperationCanceled()
    {
        using CancellationTokenSource caller = new();
        var call = Cluster().SetPinsAsync("a", [new(13, PinState.High)], null, caller.Token);

        await caller.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a/b")]
    [InlineData(null)]
    public async Task EveryCall_InvalidDeviceId_ThrowsBeforeTheGrainIsCalled(string? id)
    {
        var cluster = Cluster();
        await Assert.ThrowsAnyAsync<ArgumentException>(() => cluster.ConfigPinsAsync(id!, [new(1, PinMode.Output)], null, Token));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => cluster.SetPinsAsync(id!, [new(1, PinState.High)], null, Token));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => cluster.UpdateAsync(id!, [], null, Token));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => cluster.WaitForAsync(id!, [new()], null, Token));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => cluster.GetSnapshotAsync(id!, Token));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => cluster.GetPinAsync(id!, 1, Token));
        Assert.Equal(0, _grain.Calls);
    }

    [Fact]
    public async Task DefaultArray_IsRefusedExceptForUpdate()
    {
        var cluster = Cluster();
        await Assert.ThrowsAsync<ArgumentException>(() => cluster.ConfigPinsAsync("a", default, null, Token));
        await Assert.ThrowsAsync<ArgumentException>(() => cluster.SetPinsAsync("a", default, null, Token));
        await Assert.ThrowsAsync<ArgumentException>(() => cluster.WaitForAsync("a", default, null, Token));
        Assert.Equal(0, _grain.Calls);

        _grain.Command = Task.FromResult(new CommandResult("a", Guid.Empty, [], Evidence.Observed));
        await cluster.UpdateAsync("a", default, null, Token);
        Assert.False(_grain.Asked.IsDefault);
    }

    [Fact]
    public async Task GetPinAsync_ReturnsTheKnownPinOrNull()
    {
        PinUpdate pin = new(13, PinMode.Output, PinState.High, default);
        _grain.Snapshot = new("a", [pin], null);

        Assert.Equal(pin, await Cluster().GetPinAsync("a", 13, Token));
        Assert.Null(await Cluster().GetPinAsync("a", 14, Token));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => Cluster().GetPinAsync("a", -1, Token));
    }

    [Fact]
    public void AddDeviceCluster_OnlyAGrainFactory_Resolves()
    {
        var provider = new ServiceCollection()
            .AddSingleton(StubGrainFactory.Create(_grain)).AddDeviceCluster().AddDeviceCluster().BuildServiceProvider();

        Assert.Same(provider.GetRequiredService<IDeviceCluster>(), Assert.Single(provider.GetServices<IDeviceCluster>()));
    }

    private sealed class StubGrain : IDeviceGrain
    {
        public IAsyncEnumerable<DeviceEvent> WatchAsync(PinFilter? filter, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<bool> ForgetAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

        public int Calls { get; private set; }

        public Task<CommandResult> Command { get; set; } = new TaskCompletionSource<CommandResult>().Task;

        public DeviceSnapshot Snapshot { get; set; } = new("a", [], null);

        public ImmutableArray<int> Asked { get; private set; }

        public Task<CommandResult> ConfigPinsAsync(ImmutableArray<ConfigPin> pins, CommandOptions? options, CancellationToken cancellationToken) => Called(Command);

        public CommandOptions? Options { get; private set; }

        public List<Guid?> CommandIds { get; } = [];

        public Exception? SnapshotFails { get; set; }

        public Task<CommandResult> SetPinsAsync(ImmutableArray<SetPin> pins, CommandOptions? options, CancellationToken cancellationToken)
        {
            Options = options;
            CommandIds.Add(options?.CommandId);
            return Called(Command);
        }

        public Task<CommandResult> UpdateAsync(ImmutableArray<int> pins, CommandOptions? options, CancellationToken cancellationToken)
        {
            Asked = pins;
            return Called(Command);
        }

        public Task<ImmutableArray<PinUpdate>> Wait { get; set; } = new TaskCompletionSource<ImmutableArray<PinUpdate>>().Task;

        public WaitOptions? WaitOptions { get; private set; }

        public Task<ImmutableArray<PinUpdate>> WaitForAsync(ImmutableArray<PinFilter> filters, WaitOptions? options, CancellationToken cancellationToken)
        {
            WaitOptions = options;
            return Called(Wait);
        }

        public Task<DeviceSnapshot> GetSnapshotAsync(CancellationToken cancellationToken) =>
            Called(SnapshotFails is null ? Task.FromResult(Snapshot) : Task.FromException<DeviceSnapshot>(SnapshotFails));

        private T Called<T>(T result)
        {
            Calls++;
            return result;
        }
    }

    /// <summary>An <see cref="IGrainFactory"/> that knows one grain.</summary>
    public class StubGrainFactory : DispatchProxy
    {
        private IDeviceGrain? _grain;

        public static IGrainFactory Create(IDeviceGrain grain)
        {
            var factory = Create<IGrainFactory, StubGrainFactory>();
            ((StubGrainFactory)(object)factory)._grain = grain;
            return factory;
        }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) =>
            targetMethod?.Name == nameof(IGrainFactory.GetGrain) ? _grain : throw new NotSupportedException(targetMethod?.Name);
    }
}
