namespace MqttDeviceCluster.Silo.FleetPage;

/// <summary>What <see cref="FleetModel"/> knows of a device, and its place in the order of changes.</summary>
internal sealed class FleetDevice(string id)
{
    public string Id { get; } = id;

    /// <summary>Gets or sets the number of the last change to anything here.</summary>
    public long Version { get; set; }

    /// <summary>Gets or sets the number of the change that made it known, or gone: what readers knew of it before that is void.</summary>
    public long BornVersion { get; set; }

    /// <summary>Gets or sets the number of the last change to presence or firmware.</summary>
    public long FactsVersion { get; set; }

    /// <summary>Gets or sets the listing during or before which anything was last heard of the device.</summary>
    public int HeardIn { get; set; }

    /// <summary>Gets or sets the listing during or before which the watch last told of its presence; 0 if it never did.</summary>
    public int PresenceToldIn { get; set; }

    public DevicePresence Presence { get; set; } = DevicePresence.Unknown;

    public string? Firmware { get; set; }

    public DateTimeOffset? LastSeen { get; set; }

    /// <summary>Gets or sets whether it was forgotten. It keeps its place, so that slow readers hear of that too.</summary>
    public bool IsGone { get; set; }

    /// <summary>Gets or sets whether <see cref="LastSeen"/> changed alone, which readers are told a little later.</summary>
    public bool IsSeenUntold { get; set; }

    /// <summary>Gets the pins in their order.</summary>
    public List<FleetPin> Pins { get; } = [];

    public FleetDevice? Previous { get; set; }

    public FleetDevice? Next { get; set; }

    /// <summary>Returns the pin, made if it was not there.</summary>
    public FleetPin Pin(int number)
    {
        var index = Pins.Count;
        while (index > 0 && Pins[index - 1].Number >= number)
        {
            index--;
        }

        if (index == Pins.Count || Pins[index].Number != number)
        {
            Pins.Insert(index, new FleetPin(number));
        }

        return Pins[index];
    }
}

/// <summary>What <see cref="FleetModel"/> knows of a pin.</summary>
internal sealed class FleetPin(int number)
{
    public int Number { get; } = number;

    /// <summary>Gets or sets the number of the last change to mode or state; 0 when nothing is known yet.</summary>
    public long Version { get; set; }

    /// <summary>Gets or sets the listing during or before which the watch last told of it; 0 if it never did.</summary>
    public int ToldIn { get; set; }

    public PinMode? Mode { get; set; }

    public PinState? State { get; set; }

    public DateTimeOffset At { get; set; }
}
