using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Simulator.Wire;
using MQTTnet;
using MQTTnet.Packets;
using MQTTnet.Protocol;

namespace MqttDeviceCluster.Simulator.Connection;

/// <summary>
/// Keeps one connection of a fleet, for one device or many: connects, subscribes, announces, delivers commands, and does it again after a
/// loss when the policy says so.
/// </summary>
internal sealed partial class FleetConnection : IDeviceUplink, IAsyncDisposable
{
    private const int FiltersPerPacket = 1500;
    private static readonly TimeSpan StableAfter = TimeSpan.FromSeconds(30);

    private readonly SimulatedFleetOptions _options;
    private readonly string _clientId;
    private readonly ImmutableArray<SimulatedDevice> _devices;
    private readonly Func<MqttApplicationMessage, bool> _deliver;
    private readonly FleetCounters _counters;
    private readonly TimeProvider _timeProvider;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _lock = new();
    private readonly Random _random = new();
    private TaskCompletionSource _connected = NewSignal();
    private TaskCompletionSource _resume = NewSignal();
    private FleetLink? _link;
    private bool _dropped;
    private bool _restoring;
    private Task _run = Task.CompletedTask;

    public FleetConnection(
        SimulatedFleetOptions options, string clientId, ImmutableArray<SimulatedDevice> devices, Func<MqttApplicationMessage, bool> deliver,
        FleetCounters counters, TimeProvider timeProvider, ILogger logger)
    {
        (_options, _clientId, _devices, _deliver) = (options, clientId, devices, deliver);
        (_counters, _timeProvider, _logger) = (counters, timeProvider, logger);
        foreach (var device in devices)
        {
            device.Attach(this);
        }
    }

    /// <summary>Gets the current wait for a connection.</summary>
    public Task Connected
    {
        get
        {
            lock (_lock)
            {
                return _connected.Task;
            }
        }
    }

    /// <summary>Makes the first attempt, and throws when it fails and the policy wants it to succeed; goes on by itself after that.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        FleetLink? link = null;
        SimulatorConnectionException? failure = null;
        try
        {
            link = await ConnectAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (SimulatorConnectionException exception) when (_options.Reconnect == ReconnectPolicy.Always)
        {
            failure = exception;
        }

        _run = RunAsync(link, failure);
    }

    public void Post(OutgoingMessage message)
    {
        if (Volatile.Read(ref _link)?.TryPost(message) == true)
        {
            return;
        }

        if (message.IsUpdate)
        {
            _counters.CountLost();
        }

        message.Sent?.TrySetException(new IOException("The device is not connected."));
    }

    public void Drop()
    {
        lock (_lock)
        {
            _dropped = true;
            _restoring = false;
            _link?.Dispose();
            MarkAway();
        }
    }

    public Task RestoreAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _dropped = false;
            _restoring = !_connected.Task.IsCompleted;
            _resume.TrySetResult();
            return _connected.Task.WaitAsync(cancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        FleetLink? link;
        lock (_lock)
        {
            link = _link;
        }

        if (link is { Lost.IsCompleted: false })
        {
            foreach (var device in _devices)
            {
                if (device.Status(online: false) is { } status)
                {
                    link.TryPost(StatusMessage(status));
                }
            }

            await link.SayGoodbyeAsync().ConfigureAwait(false);
        }

        await _stopping.CancelAsync().ConfigureAwait(false);
        await _run.ConfigureAwait(false);
        _connected.TrySetCanceled();
        _stopping.Dispose();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static OutgoingMessage StatusMessage((string Topic, byte[] Payload) status) =>
        new(status.Topic, status.Payload, Retain: true) { IsUpdate = false, QualityOfService = 1 };

    private async Task RunAsync(FleetLink? link, SimulatorConnectionException? failure)
    {
        var failures = 0;
        var restored = false;
        try
        {
            if (failure is not null)
            {
                LogAway(failure.Message);
                failures = 1;
            }

            while (!_stopping.IsCancellationRequested)
            {
                if (link is null)
                {
                    var delay = restored ? TimeSpan.Zero : ReconnectBackoff.Delay(failures, _random.NextDouble());
                    restored = false;
                    await Task.Delay(delay, _timeProvider, _stopping.Token).ConfigureAwait(false);
                    try
                    {
                        link = await ConnectAsync(_stopping.Token).ConfigureAwait(false);
                        LogBack(failures);
                    }
                    catch (SimulatorConnectionException exception)
                    {
                        // Said once when it starts; after that only as often as an hour has halves of a minute.
                        if (++failures % 60 == 1)
                        {
                            LogAway(exception.Message);
                        }

                        continue;
                    }
                }

                var since = _timeProvider.GetTimestamp();
                restored = await HoldAsync(link).ConfigureAwait(false);
                failures = _timeProvider.GetElapsedTime(since) >= StableAfter ? 0 : failures + 1;
                link = null;
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // The fleet is disposed.
        }
    }

    /// <summary>Ends when the connection has ended and another one is wanted; returns whether it was asked for, and so at once.</summary>
    private async Task<bool> HoldAsync(FleetLink link)
    {
        try
        {
            var reason = await link.Lost.WaitAsync(_stopping.Token).ConfigureAwait(false);
            _counters.CountConnectionLost();
            LogLost(reason);
        }
        finally
        {
            lock (_lock)
            {
                MarkAway();
                link.Dispose();
            }

            await link.DrainAsync().ConfigureAwait(false);
        }

        Task resume;
        lock (_lock)
        {
            if (_restoring)
            {
                return true;
            }

            if (!_dropped && !link.TakenOver && _options.Reconnect != ReconnectPolicy.Never)
            {
                return false;
            }

            _resume = NewSignal();
            resume = _resume.Task;
        }

        LogStaysAway(link.TakenOver ? "another client took over its session" : "it was told to");
        await resume.WaitAsync(_stopping.Token).ConfigureAwait(false);
        return true;
    }

    /// <summary>Called under the lock.</summary>
    private void MarkAway()
    {
        _link = null;
        if (_connected.Task.IsCompleted)
        {
            _connected = NewSignal();
        }
    }

    private async Task<FleetLink> ConnectAsync(CancellationToken cancellationToken)
    {
        var client = new MqttClientFactory().CreateMqttClient();
        FleetLink? link = null;
        try
        {
            client.ApplicationMessageReceivedAsync += ReceiveAsync;
            var will = _devices.Length == 1 ? _devices[0].Status(online: false) : null;
            var result = await client.ConnectAsync(MqttOptions.Build(_options, _clientId, will), cancellationToken).ConfigureAwait(false);
            if (result.ResultCode != MqttClientConnectResultCode.Success)
            {
                throw new SimulatorConnectionException($"The broker {MqttOptions.Display(_options.Broker)} refused the connection: {result.ResultCode}.");
            }

            link = new FleetLink(client, result.ReceiveMaximum ?? ushort.MaxValue, _options.QualityOfService, _devices.Length, _counters, LogRefused);
            var current = link;
            client.DisconnectedAsync += ended =>
            {
                current.TakenOver = ended.Reason == MqttClientDisconnectReason.SessionTakenOver;
                current.MarkLost(ended.Exception?.Message ?? ended.Reason.ToString());
                return Task.CompletedTask;
            };
            if (!client.IsConnected)
            {
                link.MarkLost("ended at once");
            }

            link.Start();
            lock (_lock)
            {
                _link = link;
                if (_dropped)
                {
                    link.Dispose();
                }
            }

            await SubscribeAsync(client, cancellationToken).ConfigureAwait(false);
            foreach (var device in _devices)
            {
                if (device.Status(online: true) is { } status)
                {
                    link.TryPost(StatusMessage(status));
                }
            }

            // After all births, which must find room.
            foreach (var device in _devices.Where(static device => device.Behavior.ReportsOnConnect))
            {
                device.Report();
            }

            _counters.CountConnection();
            lock (_lock)
            {
                if (!_dropped)
                {
                    _restoring = false;
                    _connected.TrySetResult();
                }
            }

            return link;
        }
        catch (Exception exception)
        {
            lock (_lock)
            {
                MarkAway();
            }

            link?.Dispose();
            client.Dispose();
            if (!FleetLink.IsConnectionFailure(exception) || cancellationToken.IsCancellationRequested)
            {
                throw;
            }

            throw new SimulatorConnectionException(
                $"The broker {MqttOptions.Display(_options.Broker)} cannot be reached: {Innermost(exception).Message.TrimEnd('.')}.", exception);
        }
    }

    private static Exception Innermost(Exception exception) => exception.InnerException is { } inner ? Innermost(inner) : exception;

    private async Task SubscribeAsync(IMqttClient client, CancellationToken cancellationToken)
    {
        var ids = _options.Subscription == FleetSubscription.Wildcard ? [DeviceTopics.Wildcard] : _devices.Select(device => device.Id);
        var filters = ids.SelectMany(id => Enum.GetValues<CommandKind>(), DeviceTopics.Command);
        foreach (var batch in filters.Chunk(FiltersPerPacket))
        {
            var subscribe = new MqttClientSubscribeOptions
            {
                TopicFilters = [.. batch.Select(filter => new MqttTopicFilter
                {
                    Topic = filter,
                    QualityOfServiceLevel = _options.QualityOfService > 0 ? MqttQualityOfServiceLevel.AtLeastOnce : MqttQualityOfServiceLevel.AtMostOnce,
                })],
            };

            var result = await client.SubscribeAsync(subscribe, cancellationToken).ConfigureAwait(false);
            var refused = result.Items.FirstOrDefault(item => item.ResultCode > MqttClientSubscribeResultCode.GrantedQoS2);
            if (refused is not null)
            {
                throw new SimulatorConnectionException(
                    $"The broker {MqttOptions.Display(_options.Broker)} refused the subscription to {refused.TopicFilter.Topic}: {refused.ResultCode}.");
            }
        }
    }

    private Task ReceiveAsync(MqttApplicationMessageReceivedEventArgs received)
    {
        try
        {
            if (!_deliver(received.ApplicationMessage))
            {
                _counters.CountStray();
            }
        }
        catch (Exception exception)
        {
            // A caller's event handler. Without this MQTTnet would keep it to itself, and the command unacknowledged.
            LogHandlerFailed(exception, received.ApplicationMessage.Topic);
        }

        return Task.CompletedTask;
    }

    [LoggerMessage(LogLevel.Warning, "A simulated connection is away and tries again. {Reason}")]
    private partial void LogAway(string reason);

    [LoggerMessage(LogLevel.Information, "A simulated connection is back after {Failures} failed attempts.")]
    private partial void LogBack(int failures);

    [LoggerMessage(LogLevel.Information, "A simulated connection was lost: {Reason}.")]
    private partial void LogLost(string reason);

    [LoggerMessage(LogLevel.Information, "A simulated connection stays away: {Reason}.")]
    private partial void LogStaysAway(string reason);

    [LoggerMessage(LogLevel.Warning, "The broker refused what a simulated device sent: {Reason}.")]
    private partial void LogRefused(string reason);

    [LoggerMessage(LogLevel.Error, "A handler of a simulated device failed on {Topic}.")]
    private partial void LogHandlerFailed(Exception exception, string topic);
}
