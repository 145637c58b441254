using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Link;
using MqttDeviceCluster.Streaming.Mqtt.Session;
using MqttDeviceCluster.Tests.Storage;
using MqttDeviceCluster.Tests.Streaming.Mqtt.Link;

namespace MqttDeviceCluster.Tests.Streaming.Mqtt.Session;

public sealed class MqttCredentialWatchTests : IDisposable
{
    private readonly RawBroker _broker = new();
    private readonly string _directory = Directory.CreateTempSubdirectory("mdc-watch-").FullName;
    private readonly LogCollector _log = new();

    public void Dispose()
    {
        _broker.Dispose();
        _log.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task WaitForOthersAsync_TryingThemFailsUnforeseen_SaysSoOnceAndTriesAgain()
    {
        var tries = 0;
        var watch = Create(settings => ++tries <= 3 ? throw new InvalidOperationException("Nobody foresaw it.") : settings);
        var used = watch.Fingerprint();
        var waiting = watch.WaitForOthersAsync(used, TestContext.Current.CancellationToken);

        File.WriteAllText(Path.Combine(_directory, "password"), "second");
        using var trial = await _broker.AcceptAsync(sessionPresent: false);
        Assert.False(waiting.IsCompleted);
        await trial.ReadAsync(0xE0);
        trial.Dispose();

        await waiting.WaitAsync(RawBroker.Bound, TestContext.Current.CancellationToken);
        Assert.Equal("The credentials of the MQTT connection (test) changed, and trying them failed in our own code. They are tried again.", Assert.Single(_log.At(LogLevel.Error)));
    }

    [Fact]
    public async Task WaitForOthersAsync_CancelledDuringATry_GivesItUp()
    {
        using CancellationTokenSource ended = new();
        var watch = Create(static settings => settings);
        var waiting = watch.WaitForOthersAsync(watch.Fingerprint(), ended.Token);
        File.WriteAllText(Path.Combine(_directory, "password"), "second");
        using var trial = await _broker.AcceptAsync();

        await ended.CancelAsync();

        await trial.ReadResetAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
    }

    private MqttCredentialWatch Create(Func<MqttLinkSettings, MqttLinkSettings> change)
    {
        File.WriteAllText(Path.Combine(_directory, "password"), "first");
        MqttStreamOptions options = new()
        {
            ConnectionString = _broker.ConnectionString,
            UserName = "user",
            PasswordFile = Path.Combine(_directory, "password"),
            CredentialCheckPeriod = TimeSpan.FromMilliseconds(20),
        };
        var broker = MqttConnectionString.Parse(_broker.ConnectionString);
        return new(
            options,
            "test",
            () => change(MqttLinkSettings.Create(options, broker, "client")),
            _log,
            TimeProvider.System,
            new() { RenewWithin = TimeSpan.FromMilliseconds(1) });
    }
}
