using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.Configuration;
using Orleans.Messaging;

namespace MqttDeviceCluster.Cli.Connection;

/// <summary>Connects an Orleans client, and finds out within seconds when there is nothing to connect to.</summary>
internal sealed class OrleansClusterConnector : IClusterConnector
{
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(2);

    /// <summary>How soon a gateway that was lost is tried again; Orleans' own minute is long for someone who looks on.</summary>
    private static readonly TimeSpan RetryGatewaysAfter = TimeSpan.FromSeconds(5);

    public async Task<IClusterConnection> ConnectAsync(ClusterSettings settings, CancellationToken cancellationToken)
    {
        NamedGateways names = new(settings.Gateways, RetryGatewaysAfter);
        var endpoints = await names.ResolveAsync(cancellationToken).ConfigureAwait(false);
        var reachable = await ProbeAsync(settings, endpoints, cancellationToken).ConfigureAwait(false);
        var host = Build(settings, names, reachable);
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(ConnectTimeout);
        try
        {
            // A server that is no silo accepts the connection and stays silent: not every wait inside honours the token.
            await host.StartAsync(timeout.Token).WaitAsync(timeout.Token).ConfigureAwait(false);
            return new Connection(host);
        }
        catch (Exception exception)
        {
            await StopAsync(host).ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
            throw new NoClusterException($"no cluster at {NamedGateways.Names(settings.Gateways)}: {Reason(exception, settings)}");
        }
    }

    // Orleans says that it is unable to connect, whatever it was that answered; that something listens is known by now.
    private static string Reason(Exception exception, ClusterSettings settings) => exception switch
    {
        OperationCanceledException =>
            $"something listens there, but no silo of cluster '{settings.ClusterId}' answered within {ConnectTimeout.TotalSeconds:0} s",
        OrleansException => $"something listens there, but it is no silo of cluster '{settings.ClusterId}'",
        _ => NamedGateways.FirstLine(exception.Message),
    };

    /// <summary>Returns the addresses that accept a connection, so that a refusal is told in its own words and at once.</summary>
    private static async Task<IPEndPoint[]> ProbeAsync(
        ClusterSettings settings, IReadOnlyList<IPEndPoint> endpoints, CancellationToken cancellationToken)
    {
        var answers = await Task.WhenAll(endpoints.Select(endpoint => ProbeAsync(endpoint, cancellationToken))).ConfigureAwait(false);
        IPEndPoint[] reachable = [.. endpoints.Where((_, i) => answers[i] is null)];
        if (reachable.Length == 0)
        {
            throw new NoClusterException($"no cluster at {NamedGateways.Names(settings.Gateways)}: {string.Join("; ", answers.Distinct())}");
        }

        return reachable;
    }

    private static async Task<string?> ProbeAsync(IPEndPoint endpoint, CancellationToken cancellationToken)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(ConnectTimeout);
        using var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(endpoint, timeout.Token).ConfigureAwait(false);
            return null;
        }
        catch (SocketException exception)
        {
            return NamedGateways.FirstLine(exception.Message);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return $"no answer within {ConnectTimeout.TotalSeconds:0} s";
        }
    }

    private static IHost Build(ClusterSettings settings, NamedGateways names, IPEndPoint[] reachable)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Logging.ClearProviders();
        if (settings.Verbose)
        {
            builder.Logging.AddStandardError();
        }

        builder.UseOrleansClient(client =>
        {
            client.UseConnectionRetryFilter((_, _) => Task.FromResult(false));
            client.Configure<ClusterOptions>(options =>
            {
                options.ClusterId = settings.ClusterId;
                options.ServiceId = settings.ServiceId;
            });
            if (settings.Stays)
            {
                client.Services.AddSingleton<IGatewayListProvider>(names);
                client.Configure<GatewayOptions>(options => options.GatewayListRefreshPeriod = RetryGatewaysAfter);
            }
            else
            {
                client.UseStaticClustering(reachable);
            }

            client.Configure<ConnectionOptions>(options => options.OpenConnectionTimeout = ConnectTimeout);
        });
        builder.Services.AddDeviceCluster();
        // Ctrl-C belongs to the command line, and nothing of the host is said on standard output.
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        return builder.Build();
    }

    private static async Task StopAsync(IHost host)
    {
        using var timeout = new CancellationTokenSource(StopTimeout);
        try
        {
            await host.StopAsync(timeout.Token).WaitAsync(timeout.Token).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is OperationCanceledException or AggregateException or OrleansException or InvalidOperationException)
        {
            // The answer is known already; a client that cannot leave in order is left.
            host.Services.GetRequiredService<ILogger<OrleansClusterConnector>>().LogClientNotStopped(exception);
        }

        var disposed = Task.Run(async () =>
        {
            if (host is IAsyncDisposable disposable)
            {
                await disposable.DisposeAsync().ConfigureAwait(false);
            }
        });
        await Task.WhenAny(disposed, Task.Delay(StopTimeout)).ConfigureAwait(false);
    }

    private sealed class Connection(IHost host) : IClusterConnection
    {
        public IDeviceCluster Cluster { get; } = host.Services.GetRequiredService<IDeviceCluster>();

        public async ValueTask DisposeAsync() => await StopAsync(host).ConfigureAwait(false);
    }

    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
