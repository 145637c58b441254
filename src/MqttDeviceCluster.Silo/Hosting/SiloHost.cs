using System.Reflection;
using Microsoft.Extensions.Configuration.Memory;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;
using MqttDeviceCluster.Silo.Diagnostics;
using MqttDeviceCluster.Storage;
using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster.Silo.Hosting;

/// <summary>The process from its command line to its exit code.</summary>
internal static class SiloHost
{
    // Quiet by default: Orleans tells a hundred things at Information. Anything in the configuration goes before these.
    private static readonly Dictionary<string, string?> LoggingDefaults = new()
    {
        ["Logging:LogLevel:Default"] = "Information",
        ["Logging:LogLevel:Microsoft"] = "Warning",
        ["Logging:LogLevel:System"] = "Warning",
        ["Logging:LogLevel:Orleans"] = "Warning",
        // Orleans' base class tells of each start, stop and change of its range.
        ["Logging:LogLevel:MqttDeviceCluster.FleetService"] = "Warning",
        // Its "check thread has not completed" right after the start counts from the machine's boot: a false alarm of 10.4.2.
        ["Logging:LogLevel:Orleans.Runtime.Watchdog"] = "Error",
        // One line for each grain that a pause of the process caught at work, dozens at once. The pause is told by others, and counted in orleans-scheduler-long-running-turns.
        ["Logging:LogLevel:Orleans.Runtime.Scheduler"] = "Error",
        // Each of these tells of a failing store once for each device and try, with a stack trace: 350 lines in a second for a hundred devices. The store itself says so once, and of a
        // state that cannot be read as well (under GrainStorageHealth; under the storage's type it is Orleans that logs). A message that is given up says so itself.
        ["Logging:LogLevel:MqttDeviceCluster.Storage.GroupCommitGrainStorage"] = "Critical",
        ["Logging:LogLevel:MqttDeviceCluster.Storage.ObservedRedisGrainStorage"] = "Critical",
        ["Logging:LogLevel:Orleans.Grain"] = "Critical",
        [$"Logging:LogLevel:Orleans.Streams.{DeviceStreams.ProviderName}"] = "Critical",
        // A line for each device whose grain ended before it heard of a failed delivery, which is delivered again all the same.
        ["Logging:LogLevel:Orleans.Streams.StreamConsumerExtension"] = "Error",
        // Two lines about a stop of a silo with many devices, which takes some seconds.
        ["Logging:LogLevel:Orleans.Runtime.SiloLifecycleSubject"] = "Error",
        // Orleans' placement: two lines for each call that it retries, also when it need not.
        ["Logging:LogLevel:Polly"] = "Warning",
        // Warns at each probe while something is degraded; what is degraded says so itself, once.
        ["Logging:LogLevel:Microsoft.Extensions.Diagnostics.HealthChecks"] = "Critical",
        // Says with a stack trace what this class says in a sentence.
        ["Logging:LogLevel:Microsoft.Extensions.Hosting.Internal.Host"] = "Critical",
        ["Logging:Console:FormatterName"] = LineConsoleFormatter.FormatterName,
        // For the formatters that read them, json and simple: without them a line has no time and no trace.
        ["Logging:Console:FormatterOptions:TimestampFormat"] = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'",
        ["Logging:Console:FormatterOptions:UseUtcTimestamp"] = "true",
        ["Logging:Console:FormatterOptions:IncludeScopes"] = "true",
    };

    public static string Version { get; } =
        typeof(SiloHost).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    /// <summary>Runs the silo until it is asked to stop. Returns one of <see cref="SiloExitCodes"/>.</summary>
    public static async Task<int> RunAsync(string[] args, TextWriter output, TextWriter error)
    {
        var details = false;
        try
        {
            var commandLine = SiloCommandLine.Parse(args);
            if (commandLine.Help || commandLine.Version)
            {
                await output.WriteLineAsync(commandLine.Help ? SiloCommandLine.Usage : Version);
                return SiloExitCodes.Stopped;
            }

            var builder = CreateBuilder(commandLine);
            details = builder.Configuration["Logging:LogLevel:Default"] is "Debug" or "Trace";
            var settings = SiloSettings.From(builder.Configuration, Environment.CurrentDirectory);
            SiloPreflight.Check(settings);
            SiloComposition.AddSilo(builder, settings);
            await using var app = builder.Build();
            SiloComposition.MapEndpoints(app, settings);
            return await RunAsync(app, settings);
        }
        catch (SiloStartException e)
        {
            await SayAsync(e.Message, e);
            return e.ExitCode;
        }
#pragma warning disable CA1031 // The last stop of every failure to start: it is said and the process ends with a failure.
        catch (Exception e)
        {
            var found = Unwrap(e);
            // What options' validators say is made for operators; of anything else the place may matter.
            var isPlain = IsPlain(found);
            var hint = details ? "" : " (--Logging:LogLevel:Default=Debug shows where.)";
            await SayAsync(isPlain ? SettingNames.In(found.Message) : $"The silo cannot go on: {found.Message}{hint}", e);
            return found is SiloStartException start ? start.ExitCode : SiloExitCodes.CannotStart;
        }
#pragma warning restore CA1031

        async Task SayAsync(string sentence, Exception e)
        {
            await error.WriteLineAsync($"error: {sentence.ReplaceLineEndings(" ")}");
            if (details)
            {
                await error.WriteLineAsync(e.ToString());
            }
        }
    }

    /// <summary>Puts the configuration together: our defaults, appsettings.json beside the binary, environment, the files of a directory, command line.</summary>
    /// <exception cref="SiloStartException">The directory cannot be read, or holds a file that is no setting.</exception>
    public static WebApplicationBuilder CreateBuilder(SiloCommandLine commandLine)
    {
        var options = new WebApplicationOptions
        {
            ContentRootPath = AppContext.BaseDirectory,
            EnvironmentName = commandLine.Settings.GetValueOrDefault("Environment"),
        };
        var builder = WebApplication.CreateBuilder(options);
        builder.Configuration.Sources.Insert(0, new MemoryConfigurationSource { InitialData = LoggingDefaults });
        SettingsDirectory.Add(builder.Configuration, commandLine.Settings);
        builder.Configuration.AddInMemoryCollection(commandLine.Settings);
        builder.Services.AddSingleton(new StartPhase { TracesAlways = builder.Configuration["Logging:LogLevel:Default"] is "Debug" or "Trace" });
        builder.Logging.ClearProviders();
        builder.Logging.Configure(options => options.ActivityTrackingOptions = ActivityTrackingOptions.TraceId | ActivityTrackingOptions.SpanId);
        builder.Logging.AddConsole().AddConsoleFormatter<LineConsoleFormatter, ConsoleFormatterOptions>();
        return builder;
    }

    /// <summary>Finds what a lifecycle stage threw: Orleans and the host wrap it.</summary>
    public static Exception Unwrap(Exception e) => e switch
    {
        AggregateException { InnerException: { } inner } => Unwrap(inner),
        { InnerException: { } inner } when IsPlain(inner) => inner,
        _ => e,
    };

    /// <summary>Returns whether the message is made for operators, and says all there is to say.</summary>
    public static bool IsPlain(Exception? e) =>
        e is SiloStartException or OrleansConfigurationException or OptionsValidationException or GrainStorageUnavailableException or ClusteringUnavailableException;

    private static async Task<int> RunAsync(WebApplication app, SiloSettings settings)
    {
        try
        {
            await app.StartAsync();
        }
        catch (Exception e) when (app.Lifetime.ApplicationStopping.IsCancellationRequested && IsCancellation(e))
        {
            return SiloExitCodes.Stopped;
        }

        var log = new SiloLog(app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("MqttDeviceCluster.Silo"));
        app.Services.GetRequiredService<StartPhase>().IsOver = true;
        log.Started(settings, app.Urls);
        await app.WaitForShutdownAsync();
        log.Stopped();
        await TelemetryShutdown.RunAsync(app.Services);
        return SiloExitCodes.Stopped;
    }

    // Orleans has one of its own, which is none.
    private static bool IsCancellation(Exception e) => e switch
    {
        AggregateException { InnerExceptions: var inner } => inner.All(IsCancellation),
        _ => e is OperationCanceledException or OrleansLifecycleCanceledException,
    };
}
