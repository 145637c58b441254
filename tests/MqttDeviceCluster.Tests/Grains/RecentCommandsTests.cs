using Microsoft.Extensions.Time.Testing;

namespace MqttDeviceCluster.Tests.Grains;

/// <summary>A call that arrives more than once.</summary>
public sealed class RecentCommandsTests
{
    private static readonly TimeSpan KeepFor = TimeSpan.FromSeconds(7);

    private readonly FakeTimeProvider _time = new();
    private readonly RecentCommands _commands;
    private readonly Guid _id = Guid.NewGuid();
    private int _begun;

    public RecentCommandsTests() => _commands = new("d", _time);

    /// <summary>How a command may end that the device has seen nothing of, and how one that may have acted.</summary>
    public static TheoryData<Exception, bool> Ends() => new()
    {
        { new DeviceBusyException("d", 64), false },
        { new DeviceOfflineException("d"), false },
        { new BrokerUnavailableException("d", "away", refused: false), false },
        { new ArgumentException("pins"), false },
        { new DeviceInterruptedException("d", "stopping", published: false), false },
        { new DeviceInterruptedException("d", "stopping", published: true), true },
        { new DeviceTimeoutException("d", TimeSpan.FromSeconds(5), [13], published: false), false },
        { new DeviceTimeoutException("d", TimeSpan.FromSeconds(5), [13], published: true), true },
        { new OperationCanceledException(), true },
    };

    [Fact]
    public async Task RunAsync_ComesTwiceWhileItRuns_IsBegunOnceAndBothHaveItsResult()
    {
        TaskCompletionSource<CommandResult> command = new();
        var first = RunAsync(command.Task);
        var second = RunAsync(command.Task);
        var result = Result();

        command.SetResult(result);

        Assert.Same(result, await first);
        Assert.Same(result, await second);
        Assert.Equal(1, _begun);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task RunAsync_ComesAgainAfterItWasConfirmed_IsNotBegun(bool atOnce)
    {
        TaskCompletionSource<CommandResult> command = new();
        if (atOnce)
        {
            command.SetResult(Result());
        }

        var first = RunAsync(command.Task);
        command.TrySetResult(Result());
        await first;

        await AssertNotBegunAsync();
    }

    [Theory]
    [MemberData(nameof(Ends))]
    public async Task RunAsync_ComesAgainAfterAFailure_IsBegunUnlessItMayHaveActed(Exception failure, bool mayHaveActed)
    {
        TaskCompletionSource<CommandResult> command = new();
        var first = RunAsync(command.Task);
        command.SetException(failure);
        Assert.Same(failure, await Record.ExceptionAsync(() => first));

        if (mayHaveActed)
        {
            await AssertNotBegunAsync();
        }
        else
        {
            var result = Result();
            Assert.Same(result, await RunAsync(Task.FromResult(result)));
            Assert.Equal(2, _begun);
        }
    }

    [Fact]
    public async Task RunAsync_ComesAgainAfterManyOthers_IsNotBegunWhileItsCallerMayStillWait()
    {
        await RunAsync(Task.FromResult(Result()));
        for (var i = 1; i < 100; i++)
        {
            await RunAsync(Task.FromResult(Result()), Guid.NewGuid());
        }

        _time.Advance(KeepFor - TimeSpan.FromMilliseconds(1));
        await Assert.ThrowsAsync<DeviceInterruptedException>(() => RunAsync(Task.FromResult(Result())));
        Assert.Equal(100, _begun);

        _time.Advance(TimeSpan.FromMilliseconds(1));
        await RunAsync(Task.FromResult(Result()));
        Assert.Equal(101, _begun);
    }

    [Fact]
    public async Task RunAsync_MoreThanAreKept_ForgetsTheOldest()
    {
        await RunAsync(Task.FromResult(Result()));
        var second = Guid.NewGuid();
        await RunAsync(Task.FromResult(Result()), second);
        for (var i = 2; i <= RecentCommands.MaxKept; i++)
        {
            await RunAsync(Task.FromResult(Result()), Guid.NewGuid());
        }

        await Assert.ThrowsAsync<DeviceInterruptedException>(() => RunAsync(Task.FromResult(Result()), second));
        await RunAsync(Task.FromResult(Result()));

        Assert.Equal(RecentCommands.MaxKept + 2, _begun);
    }

    private async Task AssertNotBegunAsync()
    {
        var interrupted = await Assert.ThrowsAsync<DeviceInterruptedException>(() => RunAsync(Task.FromResult(Result())));
        Assert.True(interrupted.Published);
        Assert.Equal("d", interrupted.DeviceId);
        Assert.Equal(1, _begun);
    }

    private Task<CommandResult> RunAsync(Task<CommandResult> command, Guid? id = null) => _commands.RunAsync(id ?? _id, KeepFor, () =>
    {
        _begun++;
        return command;
    });

    private CommandResult Result() => new("d", _id, [], Evidence.Observed);
}
