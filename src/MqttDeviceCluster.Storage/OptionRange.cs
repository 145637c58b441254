namespace MqttDeviceCluster.Storage;

/// <summary>A check that the options of every database need.</summary>
internal static class OptionRange
{
    public static void Check(string setting, int value, int min, int max, List<string> problems)
    {
        if (value < min || value > max)
        {
            problems.Add($"{setting} must be {min} to {max} but is {value}");
        }
    }
}
