namespace MqttDeviceCluster.Benchmarks.Machine;

/// <summary>This program, to be started once more with another verb.</summary>
internal static class OwnProgram
{
    public static (string File, string[] Arguments) With(params string[] arguments)
    {
        // `dotnet app.dll` and the app's own host are both possible.
        var self = Environment.ProcessPath!;
        return Path.GetFileNameWithoutExtension(self) == "dotnet" ? (self, [typeof(OwnProgram).Assembly.Location, .. arguments]) : (self, arguments);
    }
}
