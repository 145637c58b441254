using System.CommandLine;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

namespace MqttDeviceCluster.Benchmarks.Micro;

/// <summary>The verb <c>micro</c>.</summary>
internal static class MicroCommand
{
    public static Command Create()
    {
        Option<string> filter = new("--filter") { Description = "Which benchmarks, such as *Ledger*. Default all.", DefaultValueFactory = _ => "*" };
        Command command = new("micro", "Measures the parts of the hot path, with their allocations.") { filter };
        command.SetAction(parsed =>
        {
            // In this process: a generated project of its own would not know how this repository builds.
            var config = ManualConfig.Create(DefaultConfig.Instance)
                .AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance))
                .AddDiagnoser(MemoryDiagnoser.Default)
                .HideColumns(Column.Error, Column.Gen0, Column.Gen1, Column.Gen2)
                .WithOptions(ConfigOptions.JoinSummary);
            var summaries = BenchmarkSwitcher.FromAssembly(typeof(MicroCommand).Assembly).Run(["--filter", parsed.GetRequiredValue(filter)], config);
            return summaries.Any() && summaries.All(summary => !summary.HasCriticalValidationErrors && summary.Reports.All(report => report.Success)) ? 0 : 1;
        });
        return command;
    }
}
