using System.Buffers.Text;
using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>
/// The life of each update of a run: sent, taken by the broker, delivered to a silo, acknowledged by it. Each has a pin of its own, so that in the end the store tells which are
/// there, whatever came after them.
/// </summary>
internal sealed class UpdateLedger
{
    /// <summary>A device has so many pins, then the next devices take over: the store keeps 1,024 of a device, and rewrites them all with each update.</summary>
    private const int PinsPerDevice = 100;

    /// <summary>How long the service may be away. Reaching it is a failure.</summary>
    private static readonly TimeSpan ServiceBound = TimeSpan.FromSeconds(90);

    private static readonly byte[] NumberField = "\"n\":"u8.ToArray();

    private readonly Lock _lock = new();
    private readonly List<Entry> _entries = [];
    private readonly HashSet<int> _served = [];
    private readonly int _devices;
    private int _open;
    private int _acknowledgements;
    private int _newFrom;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <param name="devices">How many devices send at a time.</param>
    public UpdateLedger(int devices) => _devices = devices;

    /// <summary>Gets the devices that have sent so far.</summary>
    public ImmutableArray<string> DeviceIds
    {
        get
        {
            lock (_lock)
            {
                return [.. Enumerable.Range(0, _entries.Count).Select(DeviceIdOf).Distinct()];
            }
        }
    }

    /// <summary>Gets how often a silo has acknowledged one.</summary>
    public int Acknowledgements
    {
        get
        {
            lock (_lock)
            {
                return _acknowledgements;
            }
        }
    }

    /// <summary>Returns the number of the update in a packet, if it has one.</summary>
    public static int? NumberIn(ReadOnlySpan<byte> packet) =>
        packet.LastIndexOf(NumberField) is var at and >= 0 && Utf8Parser.TryParse(packet[(at + NumberField.Length)..], out int number, out _) ? number : null;

    /// <summary>Makes the next update.</summary>
    public (int Number, string Topic, byte[] Payload) Next()
    {
        lock (_lock)
        {
            var number = _entries.Count;
            _entries.Add(new() { SentAt = Stopwatch.GetTimestamp() });
            var payload = string.Create(CultureInfo.InvariantCulture, $$"""[{"pin":{{PinOf(number)}},"mode":3,"state":1,"n":{{number}}}]""");
            return (number, $"device/{DeviceIdOf(number)}/pin/update", Encoding.UTF8.GetBytes(payload));
        }
    }

    /// <summary>The broker took it: from now on it is somebody's fault if it is lost.</summary>
    public void OnTaken(int number) => Change(number, static entry => entry.TakenAt = entry.TakenAt == 0 ? Stopwatch.GetTimestamp() : entry.TakenAt);

    /// <summary>The broker took it and has no session that wants it.</summary>
    public void OnUnheard(int number) => Change(number, static entry => entry.Unheard = true);

    /// <summary>The sender did not know whether the broker has it, and sent it again, as a device does.</summary>
    public void OnSentAgain(int number) => Change(number, static entry => entry.SentAgain++);

    public void OnDelivered(int number) => Change(number, static entry => entry.Delivered++);

    public void OnAcknowledged(int number) => Change(number, static entry =>
    {
        entry.Acknowledged++;
        entry.AcknowledgedAt = entry.AcknowledgedAt == 0 ? Stopwatch.GetTimestamp() : entry.AcknowledgedAt;
    });

    /// <summary>Waits until of every device an update is acknowledged by a silo that was sent from now on. One at a time may wait so.</summary>
    public async Task WaitForEveryDeviceAsync()
    {
        lock (_lock)
        {
            _newFrom = _entries.Count;
            _served.Clear();
        }

        var open = await WaitAsync(() => _devices - _served.Count, ServiceBound);
        if (open > 0)
        {
            throw new TimeoutException($"{open} of {_devices} devices are not served.");
        }
    }

    /// <summary>Waits until a silo has acknowledged everything that the broker took, up to <paramref name="bound"/>; says how many it has not.</summary>
    public Task<int> SettleAsync(TimeSpan bound) => WaitAsync(() => _open, bound);

    /// <summary>Draws the balance.</summary>
    /// <param name="stored">The pins that the store has of each device.</param>
    public UpdateBalance Balance(IReadOnlyDictionary<string, IReadOnlySet<int>> stored)
    {
        lock (_lock)
        {
            List<TimeSpan> waits = [];
            List<long> lostAtBroker = [];
            var (taken, unheard, there, lostHere, again) = (0, 0, 0, 0, 0);
            for (var number = 0; number < _entries.Count; number++)
            {
                var entry = _entries[number];
                var isStored = stored.TryGetValue(DeviceIdOf(number), out var pins) && pins.Contains(PinOf(number));
                taken += entry.Taken ? 1 : 0;
                unheard += entry.Unheard ? 1 : 0;
                there += isStored ? 1 : 0;
                again += Math.Max(0, entry.Delivered - 1);
                if (!isStored && entry.Acknowledged > 0)
                {
                    lostHere++;
                }
                else if (!isStored && entry.Taken && !entry.Unheard)
                {
                    lostAtBroker.Add(entry.TakenAt);
                }

                if (entry.AcknowledgedAt != 0)
                {
                    waits.Add(Stopwatch.GetElapsedTime(entry.SentAt, entry.AcknowledgedAt));
                }
            }

            waits.Sort();
            return new(
                _entries.Count, taken, unheard, there, again, lostHere, [.. lostAtBroker],
                waits.Count == 0 ? TimeSpan.Zero : waits[waits.Count / 2],
                waits.Count == 0 ? TimeSpan.Zero : waits[^(1 + (waits.Count / 100))],
                waits.Count == 0 ? TimeSpan.Zero : waits[^1]);
        }
    }

    private string DeviceIdOf(int number) => string.Create(CultureInfo.InvariantCulture, $"u{number / (_devices * PinsPerDevice)}-{number % _devices}");

    private int PinOf(int number) => number / _devices % PinsPerDevice;

    // Waits until nothing is open any more, or for as long as given; returns what is.
    private async Task<int> WaitAsync(Func<int> count, TimeSpan bound)
    {
        using CancellationTokenSource enough = new(bound);
        while (true)
        {
            int open;
            Task changed;
            lock (_lock)
            {
                (open, changed) = (count(), _changed.Task);
            }

            if (open <= 0 || enough.IsCancellationRequested)
            {
                return open;
            }

            await changed.WaitAsync(enough.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void Change(int number, Action<Entry> change)
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            if (number >= _entries.Count)
            {
                return;
            }

            var entry = _entries[number];
            var (wasOpen, before) = (entry.IsOpen, entry.Acknowledged);
            change(entry);
            _acknowledgements += entry.Acknowledged - before;
            if (entry.Acknowledged > before && number >= _newFrom)
            {
                _served.Add(number % _devices);
            }

            _open += (entry.IsOpen ? 1 : 0) - (wasOpen ? 1 : 0);
            (changed, _changed) = (_changed, new(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        changed.SetResult();
    }

    private sealed class Entry
    {
        public bool IsOpen => Taken && !Unheard && Acknowledged == 0;

        public long SentAt { get; init; }

        public long AcknowledgedAt { get; set; }

        public long TakenAt { get; set; }

        public bool Taken => TakenAt != 0;

        public bool Unheard { get; set; }

        public int SentAgain { get; set; }

        public int Delivered { get; set; }

        public int Acknowledged { get; set; }
    }
}

/// <summary>What became of the updates of a run.</summary>
/// <param name="Published">How many were sent.</param>
/// <param name="Taken">How many the broker acknowledged to their sender.</param>
/// <param name="Unheard">How many of them it took without any session for them.</param>
/// <param name="Stored">How many are in the store.</param>
/// <param name="Duplicates">How many times the broker delivered one again.</param>
/// <param name="Lost">How many a silo acknowledged that are not in the store: this must never be.</param>
/// <param name="LostByBroker">When the broker took each of those that no silo acknowledged and that are not in the store (<see cref="Stopwatch"/>).</param>
/// <param name="MedianWait">From being sent to the first acknowledgement of a silo, which comes after the store's.</param>
/// <param name="P99Wait">Of a hundred, one took as long.</param>
/// <param name="LongestWait">The longest.</param>
internal sealed record UpdateBalance(
    int Published, int Taken, int Unheard, int Stored, int Duplicates, int Lost, ImmutableArray<long> LostByBroker, TimeSpan MedianWait, TimeSpan P99Wait, TimeSpan LongestWait);
