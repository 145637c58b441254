using System.Text;
using Microsoft.Extensions.DependencyInjection;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Provider;

namespace MqttDeviceCluster.Tests.Streaming.Mqtt.Provider;

/// <summary>What the provider promises to Orleans and to the broker. Run them on every upgrade of Orleans.</summary>
public sealed class ProviderContractTests(ProviderFixture fixture) : IClassFixture<ProviderFixture>
{
    private readonly string _key = Guid.NewGuid().ToString("N");

    [Fact]
    public async Task Message_GrainIsDone_IsAcknowledgedWithoutAnotherMessage()
    {
        var session = await fixture.Broker.SessionAsync();

        var delivery = session.Deliver(Topic(), "1");

        await delivery.CompletionAsync();
        Assert.Equal(["1"], ReadingGrains.Of(_key).Received);
    }

    [Fact]
    public async Task Message_GrainStillWorks_IsNotAcknowledged()
    {
        var session = await fixture.Broker.SessionAsync();
        var (begun, mayEnd) = Hold(_key);

        var delivery = session.Deliver(Topic(), "1");
        await begun.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);

        // Another stream goes all the way meanwhile, so the agent had every chance to acknowledge.
        var other = session.Deliver($"sensor/{_key}-other/reading", "x");
        await other.CompletionAsync();
        Assert.False(delivery.IsComplete);
        mayEnd.SetResult();
        await delivery.CompletionAsync();
    }

    [Fact]
    public async Task Messages_OfOneStream_ArriveInOrderAndAreAcknowledgedInOrder()
    {
        var session = await fixture.Broker.SessionAsync();

        var deliveries = Enumerable.Range(0, 200).Select(i => session.Deliver(Topic(), $"{i}")).ToList();

        await deliveries[^1].CompletionAsync();
        Assert.Equal(Enumerable.Range(0, 200).Select(i => $"{i}"), ReadingGrains.Of(_key).Received);
        Assert.All(deliveries, delivery => Assert.True(delivery.IsComplete));
        Assert.Equal(deliveries.Select(delivery => delivery.Order).Order(), deliveries.Select(delivery => delivery.Order));
    }

    [Fact]
    public async Task Message_DecoderPassesOverIt_IsAcknowledgedAndNobodyHearsOfIt()
    {
        var session = await fixture.Broker.SessionAsync();

        var nothing = session.Deliver(Topic(), "nothing");
        var next = session.Deliver(Topic(), "1");

        await nothing.CompletionAsync();
        await next.CompletionAsync();
        Assert.Equal(["1"], ReadingGrains.Of(_key).Received);
        Assert.Empty(DeadLetters());
    }

    [Fact]
    public async Task Message_GrainThrowsOnce_IsDeliveredAgain()
    {
        var session = await fixture.Broker.SessionAsync();
        var behavior = ReadingGrains.Of(_key);
        behavior.OnReading = _ => behavior.Received.Count == 1 ? throw new InvalidOperationException("Once.") : Task.CompletedTask;

        var delivery = session.Deliver(Topic(), "1");

        await delivery.CompletionAsync();
        Assert.Equal(["1", "1"], behavior.Received);
    }

    [Fact]
    public async Task Message_GrainKeepsThrowing_IsDeadLetteredThenAcknowledgedAndTheNextFollows()
    {
        var session = await fixture.Broker.SessionAsync();
        var behavior = ReadingGrains.Of(_key);
        behavior.OnReading = reading => reading.Text == "poison" ? throw new InvalidOperationException("Poison.") : Task.CompletedTask;

        var poison = session.Deliver(Topic(), "poison");
        var next = session.Deliver(Topic(), "good");

        await next.CompletionAsync();
        await poison.CompletionAsync();
        Assert.Contains("good", behavior.Received);
        var letter = Assert.Single(DeadLetters());
        Assert.Equal("poison", Encoding.UTF8.GetString(letter.Payload.Span));
        Assert.Contains(new("reason", MqttRefusal.DeliveryFailed), letter.UserProperties);
        Assert.Contains(new("topic", Topic()), letter.UserProperties);
    }

    [Fact]
    public async Task Message_GrainKeepsThrowingWhileFailuresAreHeld_IsNeitherDeadLetteredNorAcknowledged()
    {
        var session = await fixture.Broker.SessionAsync();
        var behavior = ReadingGrains.Of(_key);
        var failing = true;
        var attempts = 0;
        var longEnough = new TaskCompletionSource();

        // Attempts come after 0, 50, 150, 350 and 750 ms within the delivery time of one second: the tenth is well past it.
        behavior.OnReading = _ =>
        {
            if (++attempts == 10)
            {
                longEnough.TrySetResult();
            }

            return failing ? throw new InvalidOperationException("The store is away.") : Task.CompletedTask;
        };
        fixture.Gate.HoldFailures = true;
        try
        {
            var delivery = session.Deliver(Topic(), "1");
            await longEnough.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);

            Assert.False(delivery.IsComplete);
            failing = false;
            await delivery.CompletionAsync();
            Assert.Empty(DeadLetters());
        }
        finally
        {
            fixture.Gate.HoldFailures = false;
        }
    }

    [Theory]
    [InlineData("sensor/{0}/reading", "bad", "bad_text")]
    [InlineData("sensor/{0}/reading", "throw", MqttRefusal.DecoderError)]
    [InlineData("nothing/{0}", "x", MqttRefusal.NoRoute)]
    [InlineData("sensor//reading/{0}", "x", MqttRefusal.NoRoute)]
    [InlineData("orphan/{0}", "x", MqttRefusal.NoConsumer)]
    public async Task Message_ThatCannotBeDelivered_IsDeadLetteredAndAcknowledged(string topic, string payload, string reason)
    {
        var session = await fixture.Broker.SessionAsync();

        var delivery = session.Deliver(string.Format(null, topic, _key), payload);

        await delivery.CompletionAsync();
        Assert.Contains(new("reason", reason), Assert.Single(DeadLetters()).UserProperties);
        Assert.Empty(ReadingGrains.Of(_key).Received);
    }

    [Fact]
    public async Task Message_LargerThanAllowed_IsRefused()
    {
        var session = await fixture.Broker.SessionAsync();

        var delivery = session.Deliver(Topic(), new string('x', 101));

        await delivery.CompletionAsync();
        Assert.Contains(new("reason", MqttRefusal.PayloadTooLarge), Assert.Single(DeadLetters()).UserProperties);
    }

    [Fact]
    public async Task Message_OtherStreamsGrainIsStuck_IsDeliveredAllTheSame()
    {
        var session = await fixture.Broker.SessionAsync();
        var (begun, mayEnd) = Hold(_key);
        var stuck = session.Deliver(Topic(), "1");
        await begun.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);

        var others = Enumerable.Range(0, 50).Select(i => session.Deliver($"sensor/{_key}-{i}/reading", "x")).ToList();

        foreach (var other in others)
        {
            await other.CompletionAsync();
        }

        Assert.False(stuck.IsComplete);
        mayEnd.SetResult();
        await stuck.CompletionAsync();
    }

    [Fact]
    public async Task Message_FirstActivationFails_IsDeliveredWhenItSucceeds()
    {
        var session = await fixture.Broker.SessionAsync();
        var behavior = ReadingGrains.Of(_key);
        var activations = 0;
        behavior.OnActivate = () => ++activations == 1 ? throw new InvalidOperationException("Not yet.") : Task.CompletedTask;

        var delivery = session.Deliver(Topic(), "1");

        await delivery.CompletionAsync();
        Assert.Equal(["1"], behavior.Received);
    }

    [Fact]
    public async Task Reconnect_SessionPresent_UndeliveredMessagesAreLeftToTheBroker()
    {
        var session = await fixture.Broker.SessionAsync();
        var behavior = ReadingGrains.Of(_key);
        var (begun, mayEnd) = Hold(_key);
        session.Deliver(Topic(), "1").IsAbandoned = true;
        await begun.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        session.Deliver(Topic(), "2").IsAbandoned = true;

        session.Reconnect(sessionPresent: true);
        var again = session.Deliver(Topic(), "2");
        mayEnd.SetResult();

        await again.CompletionAsync();
        Assert.Equal(["1", "2"], behavior.Received);
    }

    [Fact]
    public async Task Reconnect_SessionLost_UndeliveredMessagesAreDelivered()
    {
        var session = await fixture.Broker.SessionAsync();
        var behavior = ReadingGrains.Of(_key);
        var (begun, mayEnd) = Hold(_key);
        session.Deliver(Topic(), "1");
        await begun.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        session.Deliver(Topic(), "2");

        session.Reconnect(sessionPresent: false);
        var next = session.Deliver(Topic(), "3");
        mayEnd.SetResult();

        await next.CompletionAsync();
        Assert.Equal(["1", "2", "3"], behavior.Received);
    }

    [Fact]
    public async Task Reconnect_SessionLostThenKept_WhatTheLostOneBroughtIsStillDelivered()
    {
        var session = await fixture.Broker.SessionAsync();
        var behavior = ReadingGrains.Of(_key);
        var (begun, mayEnd) = Hold(_key);
        session.Deliver(Topic(), "1");
        await begun.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        session.Deliver(Topic(), "2");

        session.Reconnect(sessionPresent: false);
        session.Deliver(Topic(), "3").IsAbandoned = true;
        session.Reconnect(sessionPresent: true);
        var next = session.Deliver(Topic(), "3");
        mayEnd.SetResult();

        await next.CompletionAsync();
        Assert.Equal(["1", "2", "3"], behavior.Received);
    }

    [Fact]
    public async Task Message_GrainHangs_IsGivenUpAfterAWhileAndHoldsUpNobodyAnyMore()
    {
        var session = await fixture.Broker.SessionAsync();
        var (begun, mayEnd) = Hold(_key);
        try
        {
            // Nothing else comes, so nothing but the waiting read can notice. The call itself would take 30 s to time out.
            var hanging = session.Deliver(Topic(), "1");
            var behind = session.Deliver(Topic(), "2");
            await begun.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
            Assert.False(hanging.IsComplete);

            await hanging.CompletionAsync().WaitAsync(TimeSpan.FromSeconds(15), TestContext.Current.CancellationToken);
            await behind.CompletionAsync().WaitAsync(TimeSpan.FromSeconds(15), TestContext.Current.CancellationToken);
            await session.Deliver(Topic(), "3").CompletionAsync().WaitAsync(TimeSpan.FromSeconds(15), TestContext.Current.CancellationToken);

            Assert.Equal(["1"], ReadingGrains.Of(_key).Received);
            Assert.Contains(new("reason", MqttRefusal.DeliveryTimedOut), DeadLetters()[0].UserProperties);
        }
        finally
        {
            mayEnd.SetResult();
        }

        await session.Deliver(Topic(), "4").CompletionAsync();
    }

    [Fact]
    public async Task Message_FailedWithTheStore_IsNotGivenUpInTheMomentTheStoreIsBack()
    {
        var session = await fixture.Broker.SessionAsync();
        var behavior = ReadingGrains.Of(_key);
        var attempts = 0;
        fixture.Gate.HoldFailures = true;
        try
        {
            // The first round of attempts takes a second. It fails while the store is away, which is back before anyone asks.
            behavior.OnReading = _ =>
            {
                attempts++;
                if (attempts == 4)
                {
                    fixture.Gate.HoldFailures = false;
                }

                return attempts <= 6 ? throw new InvalidOperationException("The store is away.") : Task.CompletedTask;
            };
            await session.Deliver(Topic(), "1").CompletionAsync();

            Assert.Empty(DeadLetters());
            Assert.Equal(7, attempts);
        }
        finally
        {
            fixture.Gate.HoldFailures = false;
        }
    }

    [Fact]
    public async Task Fenced_UndeliveredMessages_AreNotDelivered()
    {
        var session = await fixture.Broker.SessionAsync();
        var behavior = ReadingGrains.Of(_key);
        var (begun, mayEnd) = Hold(_key);
        session.Deliver(Topic(), "1").IsAbandoned = true;
        await begun.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        session.Deliver(Topic(), "2").IsAbandoned = true;

        session.Fence();
        session.Reconnect(sessionPresent: true);
        var next = session.Deliver(Topic(), "3");
        mayEnd.SetResult();

        await next.CompletionAsync();
        Assert.Equal(["1", "3"], behavior.Received);
    }

    [Fact]
    public async Task AtMostOnce_MoreThanMayWait_DropsTheOldest()
    {
        var session = await fixture.Broker.SessionAsync();
        var behavior = ReadingGrains.Of(_key);
        var (begun, mayEnd) = Hold(_key);
        session.Deliver(Topic(), "0", MqttQualityOfService.AtMostOnce).IsAbandoned = true;
        await begun.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);

        for (var i = 1; i <= 5; i++)
        {
            session.Deliver(Topic(), $"{i}", MqttQualityOfService.AtMostOnce).IsAbandoned = true;
        }

        var last = session.Deliver(Topic(), "end");
        mayEnd.SetResult();

        await last.CompletionAsync();
        Assert.Equal(["0", "3", "4", "5", "end"], behavior.Received);
    }

    [Fact]
    public async Task OnNextAsync_BrokerAccepts_PublishesToTheKeysTopic()
    {
        await fixture.Cluster.Client.GetGrain<IReadingGrain>(_key).PublishAsync("hello");

        var (_, message) = Assert.Single(fixture.Broker.Published, published => published.Topic == $"sensor/{_key}/do");
        Assert.Equal("hello", Encoding.UTF8.GetString(message.Payload.Span));
    }

    [Fact]
    public async Task OnNextAsync_BrokerRefuses_ThrowsToTheCallerOfTheGrain()
    {
        fixture.Broker.OnPublish = (topic, _) => topic.Contains(_key, StringComparison.Ordinal)
            ? new(MqttPublishOutcome.Refused, 0x87, "NotAuthorized")
            : new(MqttPublishOutcome.Accepted, 0, "Success");

        var exception = await Assert.ThrowsAsync<MqttPublishException>(() => fixture.Cluster.Client.GetGrain<IReadingGrain>(_key).PublishAsync("hello"));

        Assert.Equal(MqttPublishOutcome.Refused, exception.Outcome);
        Assert.Equal(0x87, exception.ReasonCode);
    }

    [Fact]
    public async Task OnNextAsync_EncoderJudgesTheResult_ThrowsItsException()
    {
        fixture.Broker.OnPublish = (topic, _) => new(
            topic.Contains(_key, StringComparison.Ordinal) ? MqttPublishOutcome.NoMatchingSubscribers : MqttPublishOutcome.Accepted, 0x10, "NoMatchingSubscribers");

        await Assert.ThrowsAsync<TimeoutException>(() => fixture.Cluster.Client.GetGrain<IReadingGrain>(_key).PublishAsync("hello"));
    }

    [Fact]
    public async Task OnNextAsync_KeyThatIsNoTopicLevel_ThrowsArgumentException() =>
        await Assert.ThrowsAsync<ArgumentException>(() => fixture.Cluster.Client.GetGrain<IReadingGrain>($"{_key}/+").PublishAsync("hello"));

    [Fact]
    public async Task Status_SessionOnline_SaysSo()
    {
        await fixture.Broker.SessionAsync();

        var status = fixture.Cluster.GetSiloServiceProvider().GetRequiredKeyedService<IMqttStreamStatus>(ReadingGrain.Provider);

        Assert.Equal(MqttConnectionState.Online, status.Receiving);
        Assert.Equal(MqttConnectionState.Online, status.Publishing);
        Assert.Null(status.Problem);
    }

    private static (TaskCompletionSource Begun, TaskCompletionSource MayEnd) Hold(string key)
    {
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var mayEnd = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        ReadingGrains.Of(key).OnReading = _ =>
        {
            begun.TrySetResult();
            return mayEnd.Task;
        };
        return (begun, mayEnd);
    }

    private string Topic() => $"sensor/{_key}/reading";

    private List<MqttOutgoingMessage> DeadLetters() =>
        [.. fixture.Broker.Published
            .Where(published => published.Topic == "dead/letters"
                && published.Message.UserProperties.Any(property => property.Key == "topic" && property.Value.Contains(_key, StringComparison.Ordinal)))
            .Select(published => published.Message)];
}
