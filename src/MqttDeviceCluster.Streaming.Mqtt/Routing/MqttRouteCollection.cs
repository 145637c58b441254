using System.Collections;

namespace MqttDeviceCluster.Streaming.Mqtt;

/// <summary>The routes of a provider.</summary>
/// <remarks>Deliberately no <see cref="ICollection{T}"/>: the configuration binder would try to make routes itself.</remarks>
public sealed class MqttRouteCollection : IReadOnlyList<MqttRoute>
{
    private readonly List<MqttRoute> _routes = [];

    /// <inheritdoc/>
    public int Count => _routes.Count;

    /// <inheritdoc/>
    public MqttRoute this[int index] => _routes[index];

    /// <summary>Adds a route.</summary>
    public void Add(MqttRoute route)
    {
        ArgumentNullException.ThrowIfNull(route);
        _routes.Add(route);
    }

    /// <inheritdoc/>
    public IEnumerator<MqttRoute> GetEnumerator() => _routes.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
