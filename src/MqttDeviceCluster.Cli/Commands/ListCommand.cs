using System.CommandLine;
using MqttDeviceCluster.Cli.Output;
using MqttDeviceCluster.Cli.Parsing;

namespace MqttDeviceCluster.Cli.Commands;

internal sealed class ListCommand : ConnectedCommand
{
    private readonly DefaultedOption<string?> _prefix = Parsers.Of(
        "--prefix", "TEXT", "How the device ids begin. Default: any.", text => (string?)PinSpecs.Prefix(text), null);

    private readonly DefaultedOption<Presence?> _presence = Parsers.OptionalWord<Presence?>(
        "--presence", "The presence. Default: any.", ("online", Presence.Online), ("offline", Presence.Offline), ("unknown", Presence.Unknown));

    private readonly DefaultedOption<PinFilter?> _pin = Parsers.Of(
        "--pin",
        "PIN[=[MODE:]STATE]",
        "Only devices with a pin like that, such as 13=high, 13=output:high or *=high. Default: any.",
        text => (PinFilter?)PinSpecs.Filter(text),
        null);

    private readonly Option<bool> _count = Parsers.Flag("--count", "Only say how many there are.");

    public ListCommand(CliEnvironment environment, CommonOptions common)
        : base(
            "list",
            "List the devices that the cluster ever heard of, as they come. Wakes up no device. With --json: one document a line.",
            """
            mdc list
            mdc list --presence offline --prefix 544B
            mdc list --pin 13=high --json
            mdc list --presence online --count
            """,
            environment,
            common)
    {
        Add(_prefix);
        Add(_presence);
        Add(_pin);
        Add(_count);
        AddCommonOptions();
    }

    protected override string CancelledMessage => "cancelled; the list is not complete";

    protected override Task<Run> PrepareAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var filter = new DeviceFilter(_prefix.Read(parsed), _presence.Read(parsed), _pin.Read(parsed));
        var count = parsed.GetValue(_count);
        return Task.FromResult<Run>(async (cluster, writer, token) =>
        {
            var devices = cluster.ListDevicesAsync(filter, token);
            if (count)
            {
                writer.WriteCount(await CountAsync(devices, token));
                return ExitCode.Done;
            }

            await WriteAsync(devices, writer.List(), token);
            return ExitCode.Done;
        });
    }

    private static async Task<long> CountAsync(IAsyncEnumerable<DeviceSnapshot> devices, CancellationToken cancellationToken)
    {
        var count = 0L;
        await foreach (var _ in devices.WithCancellation(cancellationToken))
        {
            count++;
        }

        return count;
    }

    private async Task WriteAsync(IAsyncEnumerable<DeviceSnapshot> devices, DeviceListWriter list, CancellationToken cancellationToken)
    {
        await using var enumerator = devices.GetAsyncEnumerator(cancellationToken);
        while (await MoveNextAsync(enumerator, list, cancellationToken))
        {
            list.Add(enumerator.Current);
        }

        list.End();
    }

    /// <summary>Moves on, and writes what has gathered when the next device lets wait for it.</summary>
    private async Task<bool> MoveNextAsync(IAsyncEnumerator<DeviceSnapshot> devices, DeviceListWriter list, CancellationToken cancellationToken)
    {
        var next = devices.MoveNextAsync();
        if (next.IsCompleted)
        {
            return await next;
        }

        var moved = next.AsTask();
        await Task.WhenAny(moved, Task.Delay(DeviceListWriter.Patience, Surroundings.TimeProvider, cancellationToken));
        if (!moved.IsCompleted)
        {
            list.Flush();
        }

        return await moved;
    }
}
