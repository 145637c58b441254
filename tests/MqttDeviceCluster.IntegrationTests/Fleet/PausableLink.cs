using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Orleans.Configuration;

namespace MqttDeviceCluster.IntegrationTests.Fleet;

/// <summary>The connections of an Orleans client, which can be made to pass nothing on to it: a process that hangs, or a network that stalls.</summary>
internal sealed class PausableLink
{
    private volatile TaskCompletionSource _open = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public PausableLink() => _open.SetResult();

    public void Attach(IClientBuilder client) => client.Configure<ClientConnectionOptions>(options => options.ConfigureConnection(connection => connection.Use(
        next => async context =>
        {
            var (network, held) = (context.Transport, new Pipe());
            var pump = PumpAsync(network.Input, held.Writer);
            context.Transport = new Duplex(held.Reader, network.Output);
            await next(context);
            network.Input.CancelPendingRead();
            await pump;
        })));

    public void Pause() => _open = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Resume() => _open.SetResult();

    private async Task PumpAsync(PipeReader from, PipeWriter to)
    {
        try
        {
            while (true)
            {
                var read = await from.ReadAsync();
                await _open.Task;
                foreach (var segment in read.Buffer)
                {
                    await to.WriteAsync(segment);
                }

                from.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted || read.IsCanceled)
                {
                    break;
                }
            }
        }
        catch (Exception exception) when (exception is IOException or ConnectionAbortedException or ConnectionResetException)
        {
            // The silo is gone; the client sees the end.
        }
        finally
        {
            await to.CompleteAsync();
        }
    }

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
