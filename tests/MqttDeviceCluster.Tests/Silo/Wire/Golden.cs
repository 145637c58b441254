namespace MqttDeviceCluster.Tests.Silo.Wire;

/// <summary>Payloads as files, byte for byte what goes over the wire: no newline at the end.</summary>
internal static class Golden
{
    public static byte[] Read(string direction, string name) =>
        File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Silo", "Wire", "Golden", direction, name + ".json"));

    public static IEnumerable<string> Names(string direction) =>
        Directory.EnumerateFiles(Path.Combine(AppContext.BaseDirectory, "Silo", "Wire", "Golden", direction))
            .Select(file => Path.GetFileNameWithoutExtension(file)!).Order(StringComparer.Ordinal);
}
