namespace MqttDeviceCluster.Silo.Hosting;

/// <summary>Settings in files, one in each, as Kubernetes and Docker mount secrets.</summary>
internal static class SettingsDirectory
{
    private const string Key = "SettingsDirectory";

    /// <summary>Adds the files of the directory that <paramref name="configuration"/>, or the command line, names; nothing when there is none.</summary>
    /// <exception cref="SiloStartException">It cannot be read, or holds a file that is no setting: nobody else's files are there, as they may be in the environment.</exception>
    public static void Add(ConfigurationManager configuration, IReadOnlyDictionary<string, string?> commandLine)
    {
        if ((commandLine.GetValueOrDefault(Key) ?? configuration[Key]) is not { } path)
        {
            return;
        }

        try
        {
            var directory = Path.GetFullPath(path, Environment.CurrentDirectory);
            var files = new ConfigurationBuilder().AddKeyPerFile(directory).Build();
            var strangers = files.AsEnumerable().Where(static setting => setting.Value is not null && !SiloCommandLine.IsSetting(setting.Key)).Select(static setting => setting.Key).Order().ToList();
            if (strangers.Count > 0)
            {
                throw new SiloStartException($"{Key} is {directory}, where each file is a setting: {string.Join(", ", strangers)} {(strangers.Count == 1 ? "is" : "are")} not.");
            }

            configuration.AddConfiguration(files);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new SiloStartException($"{Key} is '{path}', which cannot be read ({e.Message.TrimEnd('.')}).", e);
        }
    }
}
