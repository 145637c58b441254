namespace MqttDeviceCluster.Silo.Hosting;

/// <summary>
/// Keeps Orleans from crashing the process of a silo that reads what it has written itself: that it is dead. Such a silo ends in its own way, with an exit code of its own.
/// Every other fatal error is Orleans' to handle.
/// </summary>
internal sealed partial class LeavingErrorHandler(IFatalErrorHandler orleans, ILogger<LeavingErrorHandler> logger) : IFatalErrorHandler
{
    private volatile bool _leaving;

    /// <summary>Gets the handler of all the rest.</summary>
    internal IFatalErrorHandler Orleans { get; } = orleans;

    /// <summary>Puts it between Orleans and the handler that is registered.</summary>
    public static void Add(IServiceCollection services)
    {
        var registered = services.Last(static service => service.ServiceType == typeof(IFatalErrorHandler));
        services.AddSingleton(provider => new LeavingErrorHandler(
            (IFatalErrorHandler)ActivatorUtilities.CreateInstance(provider, registered.ImplementationType!), provider.GetRequiredService<ILogger<LeavingErrorHandler>>()));
        services.AddSingleton<IFatalErrorHandler>(static provider => provider.GetRequiredService<LeavingErrorHandler>());
    }

    /// <summary>Says that the silo is about to write its own row as dead. There is no way back: a write that failed may have arrived.</summary>
    public void Leave() => _leaving = true;

    public bool IsUnexpected(Exception exception) => Orleans.IsUnexpected(exception);

    public void OnFatalException(object? sender = null, string? context = null, Exception? exception = null)
    {
        // Only what the membership says comes without an exception.
        if (_leaving && exception is null)
        {
            LogLeft();
            return;
        }

        Orleans.OnFatalException(sender, context, exception);
    }

    // Orleans has just said as an error that the silo was declared dead.
    [LoggerMessage(LogLevel.Information, "It was the silo itself that wrote that it is dead: it ends in order.")]
    private partial void LogLeft();
}
