using Microsoft.Extensions.Configuration;
using MqttDeviceCluster.Silo.Hosting;

namespace MqttDeviceCluster.Tests.Silo.Hosting;

public sealed class SettingsDirectoryTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("settings-");

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public void Add_Files_AreSettings()
    {
        Write("ConnectionStrings__postgresql", "Host=a;Password= b \n");
        Write("Shutdown__DrainDelay", "00:00:01");
        var configuration = Read();
        Assert.Equal("Host=a;Password= b ", configuration.GetConnectionString("postgresql"));
        Assert.Equal("00:00:01", configuration["Shutdown:DrainDelay"]);
    }

    /// <summary>A kubelet's links, and its directories that begin with two dots.</summary>
    [Fact]
    public void Add_SecretAsMountedByKubernetes_IsRead()
    {
        var data = _directory.CreateSubdirectory("..2026_11_27_10_00_00");
        File.WriteAllText(Path.Combine(data.FullName, "FleetPage__Token"), "0123456789abcdef");
        File.CreateSymbolicLink(Path.Combine(_directory.FullName, "..data"), data.Name);
        File.CreateSymbolicLink(Path.Combine(_directory.FullName, "FleetPage__Token"), "..data/FleetPage__Token");
        Assert.Equal("0123456789abcdef", Read()["FleetPage:Token"]);
    }

    [Fact]
    public void Add_Files_WinOverTheEnvironmentAndLoseToTheCommandLine()
    {
        Write("Simulate", "1");
        Write("DataDirectory", "files");
        var configuration = Read(("Simulate", "2"), ("DataDirectory", "environment"));
        Assert.Equal("1", configuration["Simulate"]);
        var builder = SiloHost.CreateBuilder(SiloCommandLine.Parse([$"--SettingsDirectory={_directory.FullName}", "--DataDirectory=line"]));
        Assert.Equal("1", builder.Configuration["Simulate"]);
        Assert.Equal("line", builder.Configuration["DataDirectory"]);
    }

    [Fact]
    public void Add_FileThatIsNoSetting_IsRefusedWithoutItsContent()
    {
        Write("ConnectionString__postgresql", "secret");
        var refused = Assert.Throws<SiloStartException>(() => Read());
        Assert.Contains("ConnectionString:postgresql is not", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Add_NoSuchDirectory_IsRefused()
    {
        _directory.CreateSubdirectory("other");
        var refused = Assert.Throws<SiloStartException>(() => SettingsDirectory.Add(new(), new Dictionary<string, string?> { ["SettingsDirectory"] = "/nowhere/at/all" }));
        Assert.StartsWith("SettingsDirectory is '/nowhere/at/all', which cannot be read", refused.Message, StringComparison.Ordinal);
    }

    private void Write(string name, string text) => File.WriteAllText(Path.Combine(_directory.FullName, name), text);

    private ConfigurationManager Read(params (string Key, string Value)[] before)
    {
        ConfigurationManager configuration = new();
        configuration.AddInMemoryCollection(before.Select(static setting => KeyValuePair.Create(setting.Key, (string?)setting.Value)));
        configuration["SettingsDirectory"] = _directory.FullName;
        SettingsDirectory.Add(configuration, new Dictionary<string, string?>());
        return configuration;
    }
}
