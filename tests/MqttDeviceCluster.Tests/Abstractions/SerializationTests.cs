using System.Collections;
using System.Collections.Immutable;
using System.Reflection;
using Microsoft.Extensions.DependencyInjection;
using MqttDeviceCluster.Fleet;
using MqttDeviceCluster.Streams;
using Orleans.Serialization;

namespace MqttDeviceCluster.Tests.Abstractions;

/// <summary>Every contract type survives Orleans' serializer. A type without an example here fails the last test.</summary>
public sealed class SerializationTests
{
    private static readonly DateTimeOffset Noon = new(2026, 3, 4, 12, 0, 0, TimeSpan.Zero);
    private static readonly Guid Id = new("0a0b0c0d-0000-0000-0000-000000000001");
    private static readonly PinUpdate Update = new(13, PinMode.Output, PinState.High, Noon);

    private static readonly DevicePresence Gone = new(Presence.Offline, PresenceReason.LastWill, Noon);
    private static readonly DeviceSnapshot Snapshot = new("0a", [Update], Noon) { Presence = Gone, FirstSeen = Noon, Firmware = "1.6.0", AsOf = Noon.AddSeconds(1) };
    private static readonly WatchSource Source = new("S127.0.0.1:11111:5", Id);

    private static readonly object[] Values =
    [
        new ConfigPin(13, PinMode.Output, PinState.High),
        new SetPin(13, PinState.Low, TimeSpan.FromMilliseconds(500)),
        Update,
        new PinUpdate(14, null, (PinState)512, Noon),
        new PinFilter(13, PinMode.Input, PinState.Low),
        new CommandOptions { Timeout = TimeSpan.FromSeconds(7), CommandId = Guid.Parse("01234567-89ab-cdef-0123-456789abcdef"), Confirm = false, PulseConfirmedBy = PulseEdge.Either, WhenOffline = WhenOffline.Fail },
        new WaitOptions { Timeout = TimeSpan.FromSeconds(7), InOneUpdate = true, IncludeCurrent = true },
        new CommandResult("a", Id, [Update], Evidence.Echoed),
        Snapshot,
        new DeviceSnapshot("0a", [], null),
        new PinReading(13, (PinMode)77, null),
        new DeviceUpdate(Noon, true, [new(13, null, PinState.High)]) { Boot = 17, Seq = 42, CommandId = Id, Redelivered = true },
        new DeviceStatus(Noon, true, true) { Boot = 17, Firmware = "1.6.0", Redelivered = true },
        new ConfigPinsCommand(Id, Noon, [new(13, PinMode.Output)]),
        new SetPinsCommand(Id, Noon, [new(13, PinState.High)]),
        new UpdateCommand(Id, Noon, [13, 14]),
        new BrokerUnavailableException("a", "quota exceeded", refused: true),
        new DeviceBusyException("a", 64),
        new DeviceOfflineException("a"),
        new DeviceOfflineException("a", Gone),
        new FleetUnavailableException("The store is away."),
        new DeviceInterruptedException("a", "stopping", published: true),
        new DeviceTimeoutException("a", TimeSpan.FromSeconds(5), [13, 14], published: true),
        new DeviceTimeoutException("a", TimeSpan.FromSeconds(5), [], published: false),
        Gone,
        new DeviceFilter("0", Presence.Online, new(13, State: PinState.High)),
        new WatchOptions { Pins = new(13), DeviceIdPrefix = "0", DeviceId = "0a", IncludePresence = false, IncludeUnchanged = true, BufferSize = 7 },
        new WatchStartedEvent(Noon),
        new DeviceSnapshotEvent(Snapshot),
        new DeviceAddedEvent("0a", Noon),
        new DeviceForgottenEvent("0a", Noon),
        new PresenceEvent("0a", Noon, Gone),
        new PinEvent("0a", Update, Changed: true) { Redelivered = true },
        new GapEvent(null, Noon, GapReason.SiloLost),
        new GapEvent("0a", Noon, GapReason.SlowWatcher, 42),
        new DevicePage([Snapshot], "there"),
        Source,
        new WatchReceipt([Source], ["S127.0.0.1:11112:5"], ["S127.0.0.1:11113:5"]),
        new WatchBatch(Source, 42, [new PinEvent("0a", Update, Changed: false), new GapEvent(null, Noon, GapReason.SiloJoined)], true, ["S127.0.0.1:11112:5"]),
        new WatchRegistration(Id, null!, new() { BufferSize = 7 }), // An observer needs a cluster.
    ];

    public static TheoryData<int> Indexes => [.. Enumerable.Range(0, Values.Length)];

    private static readonly Serializer Serializer = new ServiceCollection().AddSerializer().BuildServiceProvider().GetRequiredService<Serializer>();

    [Theory, MemberData(nameof(Indexes))]
    public void RoundTrip_Value_KeepsEveryProperty(int index)
    {
        var value = Values[index];

        var copy = Serializer.Deserialize<object>(Serializer.SerializeToArray<object>(value))!;

        AssertSame(value, copy);
    }

    [Fact]
    public void RoundTrip_Command_LeavesTheWithdrawalBehind()
    {
        using CancellationTokenSource withdrawn = new();
        UpdateCommand command = new(Id, Noon, []) { Withdrawn = withdrawn.Token };

        Assert.Equal(CancellationToken.None, Serializer.Deserialize<UpdateCommand>(Serializer.SerializeToArray(command))!.Withdrawn);
    }

    [Fact]
    public void RoundTrip_DefaultArray_DoesNotThrow() =>
        Assert.True(Serializer.Deserialize<ImmutableArray<int>>(Serializer.SerializeToArray(default(ImmutableArray<int>))).IsDefaultOrEmpty);

    [Fact]
    public void Values_CoverEverySerializableType()
    {
        var types = typeof(IDeviceGrain).Assembly.GetTypes()
            .Where(static type => type.GetCustomAttribute<GenerateSerializerAttribute>() is not null && !type.IsAbstract)
            .Where(static type => type.GetCustomAttribute<System.CodeDom.Compiler.GeneratedCodeAttribute>() is null);

        Assert.Empty(types.Except(Values.Select(static value => value.GetType())));
    }

    /// <summary>Compares member by member: two arrays of equal items are not equal to a record that holds them.</summary>
    private static void AssertSame(object? expected, object? actual)
    {
        if (expected is IEnumerable items and not string)
        {
            var (left, right) = (items.Cast<object>().ToArray(), Assert.IsAssignableFrom<IEnumerable>(actual).Cast<object>().ToArray());
            Assert.Equal(left.Length, right.Length);
            foreach (var (one, other) in left.Zip(right))
            {
                AssertSame(one, other);
            }
        }
        else if (expected?.GetType() is { IsEnum: false } type && type.Assembly == typeof(IDeviceGrain).Assembly)
        {
            Assert.IsType(type, actual);
            foreach (var property in type.GetProperties(BindingFlags.Instance | BindingFlags.Public).Where(static p => p.GetIndexParameters().Length == 0))
            {
                if (expected is not Exception || property.DeclaringType != typeof(Exception) || property.Name == nameof(Exception.Message))
                {
                    AssertSame(property.GetValue(expected), property.GetValue(actual));
                }
            }
        }
        else
        {
            Assert.Equal(expected, actual);
        }
    }
}
