namespace MqttDeviceCluster.Silo.FleetPage;

/// <summary>
/// The fleet as the page shows it: the rows of a listing and the events of the watch that began before it, merged. Thread-safe.
/// </summary>
/// <remarks>
/// Devices stand in the order of their last change. A reader that remembers how far it got finds what is newer at the end, however slow it is, and
/// costs nothing meanwhile: of a device that changed a thousand times it gets the last state, once.
/// </remarks>
internal sealed class FleetModel
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, FleetDevice> _devices = new(StringComparer.Ordinal);
    private readonly List<FleetDevice> _seenUntold = [];
    private FleetDevice? _newest;
    private long _version;
    private int _listing;
    private bool _isListingWanted;
    private volatile FleetStatus _status = FleetStatus.Listing;

    public FleetStatus Status
    {
        get => _status;
        set => _status = value;
    }

    /// <summary>Changes may have been missed: until a listing that begins after this has ended, what is shown is not known to be true.</summary>
    public void WantListing()
    {
        lock (_gate)
        {
            _isListingWanted = true;
            if (Status == FleetStatus.Live)
            {
                Status = FleetStatus.Listing;
            }
        }
    }

    /// <summary>A listing begins. What the watch tells from here on is newer than what a row says, unless the row's time is later.</summary>
    public void BeginListing()
    {
        lock (_gate)
        {
            _listing++;
            _isListingWanted = false;
            Status = FleetStatus.Listing;
        }
    }

    /// <summary>The listing named every device: those that neither it nor the watch named since it began are gone.</summary>
    public void EndListing()
    {
        lock (_gate)
        {
            foreach (var device in _devices.Values.Where(device => device.HeardIn != _listing && !device.IsGone))
            {
                Forget(device);
            }

            if (!_isListingWanted)
            {
                Status = FleetStatus.Live;
            }
        }
    }

    /// <summary>Takes in a row of the listing.</summary>
    public void Apply(DeviceSnapshot row)
    {
        lock (_gate)
        {
            var device = Find(row.DeviceId);
            if (device.IsGone && device.HeardIn == _listing)
            {
                // Forgotten after the listing began, perhaps after this row was read. If it sends again, the watch says so.
                return;
            }

            var isNews = Revive(device);
            device.HeardIn = _listing;
            foreach (var update in row.Pins)
            {
                var pin = device.Pin(update.Pin);
                if (pin.ToldIn != _listing || update.ReceivedAt > pin.At)
                {
                    isNews |= Set(pin, update);
                }
            }

            if (device.PresenceToldIn != _listing || row.Presence.Since > device.Presence.Since)
            {
                isNews |= SetFacts(device, row.Presence, row.Firmware);
            }

            if (row.LastSeen > device.LastSeen || device.LastSeen is null)
            {
                isNews |= device.LastSeen != row.LastSeen;
                device.LastSeen = row.LastSeen;
            }

            if (isNews || device.Version == 0)
            {
                Touch(device);
            }
        }
    }

    /// <summary>Takes in an event of the watch. Those that concern no device are the caller's.</summary>
    public void Apply(DeviceEvent news)
    {
        lock (_gate)
        {
            if (news is not (PinEvent or PresenceEvent or DeviceAddedEvent or DeviceForgottenEvent))
            {
                return;
            }

            var device = Find(news.DeviceId!);
            device.HeardIn = _listing;
            if (news is DeviceForgottenEvent)
            {
                Forget(device);
                return;
            }

            var isNews = Revive(device);
            if (news is PresenceEvent { Presence: var presence })
            {
                device.PresenceToldIn = _listing;
                isNews |= SetFacts(device, presence, device.Firmware);
            }
            else if (news is PinEvent { Update: var update })
            {
                var pin = device.Pin(update.Pin);
                pin.ToldIn = _listing;
                isNews |= Set(pin, update);
                if (update.ReceivedAt > device.LastSeen || device.LastSeen is null)
                {
                    device.LastSeen = update.ReceivedAt;
                    if (!isNews && !device.IsSeenUntold)
                    {
                        device.IsSeenUntold = true;
                        _seenUntold.Add(device);
                    }
                }
            }

            if (isNews || device.Version == 0)
            {
                Touch(device);
            }
        }
    }

    /// <summary>
    /// Lets readers know of devices that reported nothing new. A fleet does that all the time: every few seconds is often enough for a time of day.
    /// </summary>
    public void TellSeen()
    {
        lock (_gate)
        {
            foreach (var device in _seenUntold)
            {
                if (device.IsSeenUntold)
                {
                    Touch(device);
                }
            }

            _seenUntold.Clear();
        }
    }

    /// <summary>Writes what is newer than the reader's place, oldest change first, and moves its place.</summary>
    /// <returns>Whether there is more.</returns>
    public bool Read(FleetCursor cursor, FleetRowWriter rows, int limit)
    {
        lock (_gate)
        {
            var device = cursor.Last is { } last && last.Version == cursor.Version ? last.Next : FirstAfter(cursor.Version);
            while (device is not null && limit-- > 0)
            {
                rows.Write(device, cursor.Baseline);
                (cursor.Last, cursor.Version) = (device, device.Version);
                device = device.Next;
            }

            if (device is null)
            {
                cursor.Baseline = cursor.Version;
            }

            return device is not null;
        }
    }

    private FleetDevice Find(string id)
    {
        if (!_devices.TryGetValue(id, out var device))
        {
            device = new FleetDevice(id);
            _devices.Add(id, device);
        }

        return device;
    }

    private FleetDevice? FirstAfter(long version)
    {
        FleetDevice? first = null;
        for (var device = _newest; device is not null && device.Version > version; device = device.Previous)
        {
            first = device;
        }

        return first;
    }

    private static bool Revive(FleetDevice device)
    {
        var wasGone = device.IsGone;
        device.IsGone = false;
        return wasGone;
    }

    private void Forget(FleetDevice device)
    {
        device.IsGone = true;
        device.Pins.Clear();
        (device.Presence, device.PresenceToldIn, device.Firmware, device.LastSeen) = (DevicePresence.Unknown, 0, null, null);

        Touch(device);

        // If it comes again, readers start it anew.
        (device.FactsVersion, device.BornVersion) = (0, 0);
    }

    private bool Set(FleetPin pin, PinUpdate update)
    {
        pin.At = update.ReceivedAt;
        if (pin.Version > 0 && pin.Mode == update.Mode && pin.State == update.State)
        {
            return false;
        }

        (pin.Mode, pin.State, pin.Version) = (update.Mode, update.State, _version + 1);
        return true;
    }

    private bool SetFacts(FleetDevice device, DevicePresence presence, string? firmware)
    {
        if (device.FactsVersion > 0 && device.Presence == presence && device.Firmware == firmware)
        {
            return false;
        }

        (device.Presence, device.Firmware, device.FactsVersion) = (presence, firmware, _version + 1);
        return true;
    }

    // Moves it to the end.
    private void Touch(FleetDevice device)
    {
        if (device.Version > 0 && device != _newest)
        {
            device.Previous?.Next = device.Next;
            device.Next!.Previous = device.Previous;
        }

        if (device != _newest)
        {
            (device.Previous, device.Next) = (_newest, null);
            _newest?.Next = device;
            _newest = device;
        }

        device.Version = ++_version;
        device.IsSeenUntold = false;
        device.FactsVersion = device.FactsVersion == 0 ? _version : device.FactsVersion;
        device.BornVersion = device.BornVersion == 0 ? _version : device.BornVersion;
    }
}

/// <summary>How far a reader got.</summary>
internal sealed class FleetCursor
{
    /// <summary>Gets or sets the number of the last change that was read.</summary>
    public long Version { get; set; }

    /// <summary>
    /// Gets or sets the number up to which everything was read. While a reader goes through what is newer in several steps, a device that it has not come to yet may
    /// move behind its place: what is new of it counts from here.
    /// </summary>
    public long Baseline { get; set; }

    /// <summary>Gets or sets the device that was read last; it may have changed since.</summary>
    public FleetDevice? Last { get; set; }
}

/// <summary>Whether what the page shows is true.</summary>
/// <param name="State"><c>listing</c>, <c>live</c> or <c>stale</c>.</param>
/// <param name="Problem">Why it is stale.</param>
internal sealed record FleetStatus(string State, string? Problem = null)
{
    /// <summary>Devices are still coming in.</summary>
    public static FleetStatus Listing { get; } = new("listing");

    /// <summary>Everything is there and changes come as they happen.</summary>
    public static FleetStatus Live { get; } = new("live");

    /// <summary>Changes may be missing, until it mends.</summary>
    public static FleetStatus Stale(string problem) => new("stale", problem);
}
