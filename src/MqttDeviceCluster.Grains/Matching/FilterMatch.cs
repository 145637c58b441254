using System.Collections.Immutable;
using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster;

/// <summary>Decides when a wait for filters is over. The filters do not overlap, so an update matches one at most.</summary>
internal sealed class FilterMatch(ImmutableArray<PinFilter> filters, bool inOneUpdate) : IMatch
{
    private readonly PinUpdate?[] _found = new PinUpdate?[filters.Length];

    public bool IsSatisfied => Array.TrueForAll(_found, static found => found is not null);

    /// <summary>Gets the pins of the filters that were not matched; filters for any pin name none.</summary>
    public ImmutableArray<int> MissingPins =>
        [.. filters.Where((filter, i) => _found[i] is null && filter.Pin is not null).Select(static filter => filter.Pin!.Value).Distinct()];

    /// <summary>Gets the update that matched each filter, in their order.</summary>
    public ImmutableArray<PinUpdate> Updates => [.. _found.Select(static found => found!)];

    public void Observe(in ObservedUpdate update)
    {
        if (inOneUpdate)
        {
            Array.Clear(_found);
        }

        foreach (var pin in update.Pins)
        {
            Observe(pin);
        }
    }

    /// <summary>Observes what the cluster already holds, as if it were one update.</summary>
    public void ObserveCurrent(DeviceState state) => Observe(new ObservedUpdate(
        null,
        ImmutableArray.CreateRange(state.Pins, static pin =>
        {
            var known = pin.ToUpdate();
            return new ObservedPin(new PinReading(known.Pin, known.Mode, known.State), known);
        })));

    private void Observe(in ObservedPin pin)
    {
        for (var i = 0; i < filters.Length; i++)
        {
            if (_found[i] is null && Names(pin.Reading, filters[i]) && filters[i].Matches(pin.Known))
            {
                _found[i] = pin.Known;
            }
        }
    }

    /// <summary>
    /// Returns whether the device said something of what the filter asks for. What was known before may complete it, but a report
    /// of a mode alone is no news of a state.
    /// </summary>
    private static bool Names(in PinReading reading, PinFilter filter) =>
        (filter.Mode is null && filter.State is null)
        || (filter.Mode is not null && reading.Mode is not null)
        || (filter.State is not null && reading.State is not null);
}
