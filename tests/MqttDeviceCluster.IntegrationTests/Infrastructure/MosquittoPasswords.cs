using System.Diagnostics;

namespace MqttDeviceCluster.IntegrationTests.Infrastructure;

/// <summary>Password files for mosquitto.</summary>
internal static class MosquittoPasswords
{
    /// <summary>Writes a file with these users, their passwords hashed as mosquitto wants it.</summary>
    public static async Task WriteAsync(string file, params (string User, string Password)[] users)
    {
        await File.WriteAllTextAsync(file, string.Concat(users.Select(user => $"{user.User}:{user.Password}\n")), TestContext.Current.CancellationToken);
        using var process = Process.Start(MosquittoBroker.Find("mosquitto_passwd"), ["-U", file]);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, process.ExitCode);
    }
}
