using System.Diagnostics;
using OpenTelemetry.Trace;

namespace MqttDeviceCluster.Silo.Diagnostics;

/// <summary>
/// Decides which traces begin in a silo: those of calls, as the operator's sampler has it, and those of messages, which <see cref="DeviceTracer"/> has chosen before. What a silo
/// does on its own (activations, writes, news for watchers, looking after the fleet) is a part of other traces or of none.
/// </summary>
internal sealed class SiloSampler(Sampler sampler) : Sampler
{
    private static readonly string[] Calls = [$"{nameof(IDeviceGrain)}/", $"{nameof(Fleet.IFleetGrain)}/", "Microsoft.AspNetCore."];

    public override SamplingResult ShouldSample(in SamplingParameters samplingParameters)
    {
        if (samplingParameters.ParentContext is { IsRemote: false } parent && parent.TraceFlags.HasFlag(ActivityTraceFlags.Recorded))
        {
            // A part of what was chosen here, also by a ratio that never saw it: the write of an update.
            return new SamplingResult(SamplingDecision.RecordAndSample);
        }

        if (samplingParameters.ParentContext.TraceId != default)
        {
            return sampler.ShouldSample(samplingParameters);
        }

        if (samplingParameters.Kind == ActivityKind.Consumer)
        {
            return new SamplingResult(SamplingDecision.RecordAndSample);
        }

        foreach (var call in Calls)
        {
            if (samplingParameters.Name.StartsWith(call, StringComparison.Ordinal))
            {
                return sampler.ShouldSample(samplingParameters);
            }
        }

        return new SamplingResult(SamplingDecision.Drop);
    }
}
