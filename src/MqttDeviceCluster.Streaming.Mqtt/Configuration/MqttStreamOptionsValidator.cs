using System.Text;
using Microsoft.Extensions.Options;
using Orleans.Configuration;

namespace MqttDeviceCluster.Streaming.Mqtt;

/// <summary>Stops the start when a provider's options cannot work, and says everything that is wrong with them at once.</summary>
internal sealed class MqttStreamOptionsValidator(
    MqttStreamOptions options, StreamPullingAgentOptions? pullingAgentOptions, string name) : IConfigurationValidator
{
    public static IConfigurationValidator Create(IServiceProvider services, string name, bool receives) => new MqttStreamOptionsValidator(
        (services.GetService(typeof(IOptionsMonitor<MqttStreamOptions>)) as IOptionsMonitor<MqttStreamOptions>)!.Get(name),
        receives ? (services.GetService(typeof(IOptionsMonitor<StreamPullingAgentOptions>)) as IOptionsMonitor<StreamPullingAgentOptions>)!.Get(name) : null,
        name);

    public void ValidateConfiguration()
    {
        List<string> problems = [];
        InRange(problems, nameof(options.QueuesPerConnection), options.QueuesPerConnection, 1, 1024);
        InRange(problems, nameof(options.Connections), options.Connections, 1, 64);
        InRange(problems, nameof(options.ReceiveMaximum), options.ReceiveMaximum, 1, ushort.MaxValue);
        InRange(problems, nameof(options.MaxPendingAtMostOnce), options.MaxPendingAtMostOnce, 1, 1_000_000);
        InRange(problems, nameof(options.MaxPayloadBytes), options.MaxPayloadBytes, 1, 256 * 1024 * 1024);
        InRange(problems, nameof(options.MaxBatchSize), options.MaxBatchSize, 1, 4096);
        InRange(problems, nameof(options.PublishWindow), options.PublishWindow, 1, ushort.MaxValue);
        InRange(problems, nameof(options.MaxPendingPublishes), options.MaxPendingPublishes, 1, 1_000_000);
        InRange(problems, nameof(options.SessionExpiry), options.SessionExpiry, TimeSpan.FromMinutes(1), TimeSpan.FromSeconds(uint.MaxValue - 1));
        InRange(problems, nameof(options.KeepAlive), options.KeepAlive, TimeSpan.FromSeconds(1), TimeSpan.FromHours(18));
        InRange(problems, nameof(options.ConnectTimeout), options.ConnectTimeout, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(5));
        InRange(problems, nameof(options.MaxReconnectDelay), options.MaxReconnectDelay, TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1));
        InRange(problems, nameof(options.PublishConnectWait), options.PublishConnectWait, TimeSpan.Zero, TimeSpan.FromHours(1));
        InRange(problems, nameof(options.PublishStallTime), options.PublishStallTime, TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1));
        InRange(problems, nameof(options.MaxDeliveryTime), options.MaxDeliveryTime, TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1));
        InRange(problems, nameof(options.CredentialCheckPeriod), options.CredentialCheckPeriod, TimeSpan.FromMilliseconds(100), TimeSpan.FromDays(1));
        if (options.AcknowledgeOutOfOrderAfter is { } after)
        {
            InRange(problems, nameof(options.AcknowledgeOutOfOrderAfter), after, TimeSpan.Zero, TimeSpan.FromHours(1));
        }

        ValidateText(problems);
        MqttCredentialRules.Check(options, problems);
        ValidateRoutes(problems);
        if (pullingAgentOptions is { BatchContainerBatchSize: not 1 })
        {
            problems.Add(
                $"{nameof(StreamPullingAgentOptions)}.{nameof(pullingAgentOptions.BatchContainerBatchSize)} must be 1 but is " +
                $"{pullingAgentOptions.BatchContainerBatchSize}: with more, messages would be acknowledged before they are delivered");
        }

        if (problems.Count > 0)
        {
            throw new OrleansConfigurationException(
                $"Invalid {nameof(MqttStreamOptions)} for stream provider '{name}': {string.Join("; ", problems)}.");
        }
    }

    private static void InRange<T>(List<string> problems, string property, T value, T least, T most)
        where T : IComparable<T>
    {
        if (value.CompareTo(least) < 0 || value.CompareTo(most) > 0)
        {
            problems.Add($"{property} must be {least} to {most} but is {value}");
        }
    }

    private void ValidateText(List<string> problems)
    {
        if (string.IsNullOrWhiteSpace(options.ConnectionString))
        {
            problems.Add($"{nameof(options.ConnectionString)} is missing");
        }
        else
        {
            try
            {
                MqttConnectionString.Parse(options.ConnectionString);
            }
            catch (FormatException exception)
            {
                problems.Add($"{nameof(options.ConnectionString)}: {exception.Message.TrimEnd('.')}");
            }
        }

        if (options.ClientId is { } clientId && (clientId.Length == 0 || clientId.Contains('\0') || Encoding.UTF8.GetByteCount(clientId) > 60_000))
        {
            problems.Add($"{nameof(options.ClientId)} must not be empty, contain NUL or be longer than 60,000 bytes");
        }

        if (options.SharedGroup is { } group && (group.Length == 0 || group.AsSpan().ContainsAny("/+#\0")))
        {
            problems.Add($"{nameof(options.SharedGroup)} must be one topic level without wildcards but is '{group}'");
        }
    }

    private void ValidateRoutes(List<string> problems)
    {
        if (options.Routes.Count == 0)
        {
            problems.Add($"{nameof(options.Routes)} is empty");
        }

        var incoming = options.Routes.OfType<MqttIncomingRoute>().ToList();
        for (var i = 0; i < incoming.Count; i++)
        {
            var route = incoming[i];
            if (route.Connection < 0 || route.Connection >= options.Connections)
            {
                problems.Add($"the route from '{route.TopicTemplate}' names connection {route.Connection} of {options.Connections}");
            }

            foreach (var other in incoming.Skip(i + 1).Where(other => route.Template.Overlaps(other.Template)))
            {
                problems.Add($"the routes from '{route.TopicTemplate}' and '{other.TopicTemplate}' overlap: a topic must belong to one route");
            }

            if (options.DeadLetterTopic is { } topic && MqttTopicTemplate.FilterMatches(route.Template.Filter, topic))
            {
                problems.Add($"{nameof(options.DeadLetterTopic)} '{topic}' matches the route from '{route.TopicTemplate}', so a dead letter would come back");
            }
        }

        foreach (var group in options.Routes.OfType<MqttOutgoingRoute>().GroupBy(route => route.StreamNamespace, StringComparer.Ordinal).Where(group => group.Count() > 1))
        {
            problems.Add($"stream namespace '{group.Key}' has more than one route to a topic");
        }

        if (options.DeadLetterTopic is { } deadLetters && (deadLetters.Length == 0 || deadLetters.AsSpan().ContainsAny("+#\0")))
        {
            problems.Add($"{nameof(options.DeadLetterTopic)} must be a topic without wildcards but is '{deadLetters}'");
        }

        if (options.Connections > 1 && options.SharedGroup is null && incoming.Select(route => route.Connection).Distinct().Count() < options.Connections)
        {
            problems.Add($"{nameof(options.Connections)} is {options.Connections}, but not every connection has a route, and there is no {nameof(options.SharedGroup)}");
        }
    }
}
