using Microsoft.Extensions.Options;

namespace MqttDeviceCluster;

internal sealed class DeviceOptionsValidator(IOptions<DeviceOptions> options) : IConfigurationValidator
{
    private const int MaxCount = 65536;

    public void ValidateConfiguration()
    {
        var value = options.Value;
        List<string> problems = [];
        CheckCount(nameof(value.MaxWaitingCommands), value.MaxWaitingCommands);
        CheckCount(nameof(value.MaxConcurrentWaits), value.MaxConcurrentWaits);
        CheckCount(nameof(value.MaxPins), value.MaxPins);
        if (value.LastSeenWriteInterval < TimeSpan.FromSeconds(1) || value.LastSeenWriteInterval > TimeSpan.FromDays(1))
        {
            problems.Add($"{nameof(value.LastSeenWriteInterval)} must be 1 second to 1 day but is {value.LastSeenWriteInterval}");
        }

        CheckCount(nameof(value.MaxConcurrentWatches), value.MaxConcurrentWatches);
        if (value.OfflineAfterSilence is { } silence && (silence < TimeSpan.FromSeconds(1) || silence > TimeSpan.FromDays(365)))
        {
            problems.Add($"{nameof(value.OfflineAfterSilence)} must be 1 second to 365 days, or null, but is {silence}");
        }

        if (problems.Count > 0)
        {
            throw new OrleansConfigurationException($"Invalid {nameof(DeviceOptions)}: {string.Join("; ", problems)}.");
        }

        void CheckCount(string name, int count)
        {
            if (count is < 1 or > MaxCount)
            {
                problems.Add($"{name} must be 1 to {MaxCount} but is {count}");
            }
        }
    }
}
