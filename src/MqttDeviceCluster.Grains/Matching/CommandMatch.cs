using System.Collections.Immutable;
using System.Diagnostics;

namespace MqttDeviceCluster;

/// <summary>Decides when a command is confirmed.</summary>
/// <remarks>
/// <para>Every asked pin must be seen as asked, in one update or across several; a pin once seen stays seen. Asked for no pin, any
/// update does, also an empty one.</para>
/// <para>An update that echoes the command's id is evidence for the pins it carries, and for no others: a device may answer in
/// several updates, and an answer that reports a pin in another state than the asked one reports a failure, not a success. An echo
/// without pins therefore only confirms a command that asked for no pin.</para>
/// <para>An update that echoes another command's id confirms nothing: it is known to be the answer to something else, most likely to an
/// earlier command whose caller gave up, and says how the pins were before this command reached the device. A device that
/// echoes will answer this one too. Its content is applied to the state all the same.</para>
/// <para>While the command still waits to be sent, its content is no answer either: a report or the edge of an earlier pulse may happen to match.</para>
/// </remarks>
internal sealed class CommandMatch(Guid commandId, ImmutableArray<PinExpectation> asked) : IMatch
{
    private readonly Found[] _found = new Found[asked.Length];
    private ImmutableArray<PinUpdate> _answer;
    private bool _answerEchoed;
    private volatile bool _isSent = true;
    private volatile Activity? _publishing;

    public Guid CommandId => commandId;

    /// <summary>Gets or sets whether the command has been sent, or is about to be. Set from any thread.</summary>
    public bool IsSent
    {
        get => _isSent;
        set => _isSent = value;
    }

    /// <summary>Gets or sets the span of the publish, if it is traced. Set from any thread.</summary>
    public Activity? Publishing
    {
        get => _publishing;
        set => _publishing = value;
    }

    /// <summary>Gets how many updates were evidence so far.</summary>
    public int EvidenceSeen { get; private set; }

    public bool IsSatisfied => asked.IsEmpty ? !_answer.IsDefault : Array.TrueForAll(_found, static found => found.Update is not null);

    /// <summary>Gets what the updates prove: an echo only when it covers every asked pin.</summary>
    public Evidence Evidence
    {
        get
        {
            var echoed = asked.IsEmpty ? _answerEchoed : Array.TrueForAll(_found, static found => found.Echoed);
            return echoed ? Evidence.Echoed : Evidence.Observed;
        }
    }

    /// <summary>Gets the asked pins that were not seen yet, in the order they were asked.</summary>
    public ImmutableArray<int> MissingPins => [.. asked.Where((_, i) => _found[i].Update is null).Select(static pin => pin.Pin)];

    /// <summary>Gets the asked pins, in the order they were asked.</summary>
    public ImmutableArray<int> AskedPins => ImmutableArray.CreateRange(asked, static pin => pin.Pin);

    /// <summary>Gets the updates that confirmed, one for each asked pin in that order; all of the answer when no pin was asked for.</summary>
    public ImmutableArray<PinUpdate> Updates =>
        asked.IsEmpty ? (_answer.IsDefault ? [] : _answer) : [.. _found.Where(static found => found.Update is not null).Select(static found => found.Update!)];

    public void Observe(in ObservedUpdate update)
    {
        if (update.CommandId is { } echo ? echo != commandId : !_isSent)
        {
            return;
        }

        var echoed = update.CommandId is not null;
        if (asked.IsEmpty)
        {
            _answer = LastOfEachPin(update.Pins);
            _answerEchoed = echoed;
            EvidenceSeen++;
            return;
        }

        var isEvidence = false;
        foreach (var pin in update.Pins)
        {
            for (var i = 0; i < asked.Length; i++)
            {
                // A later echo betters a pin that was only observed.
                if (asked[i].IsMetBy(pin.Reading, echoed) && (_found[i].Update is null || (echoed && !_found[i].Echoed)))
                {
                    _found[i] = new(pin.Known, echoed);
                    isEvidence = true;
                }
            }
        }

        EvidenceSeen += isEvidence ? 1 : 0;
    }

    private static ImmutableArray<PinUpdate> LastOfEachPin(ImmutableArray<ObservedPin> pins)
    {
        OrderedDictionary<int, PinUpdate> last = new(pins.Length);
        foreach (var pin in pins)
        {
            last[pin.Reading.Pin] = pin.Known;
        }

        return [.. last.Values];
    }

    private readonly record struct Found(PinUpdate? Update, bool Echoed);
}
