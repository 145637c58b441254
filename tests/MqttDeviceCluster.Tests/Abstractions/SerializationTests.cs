using System.Collections;
using System.Collections.Immutable;
using System.Reflection;
using Microsoft.Extensions.DependencyInjection;
using MqttDeviceCluster.Streams;
using Orleans.Serialization;

namespace MqttDeviceCluster.Tests.Abstractions;

/// <summary>Every contract type survives Orleans' serializer. A type without an example here fails the last test.</summary>
public sealed class SerializationTests
{
    private static readonly DateTimeOffset Noon = new(2026, 3, 4, 12, 0, 0, TimeSpan.Zero);
    private static readonly Guid Id = new("0a0b0c0d-0000-0000-0000-000000000001");
    private static readonly PinUpdate Update = new(13, PinMode.Output, PinState.High, Noon);

    private static readonly object[] Values =
    [
        new ConfigPin(13, PinMode.Output, PinState.High),
        new SetPin(13, PinState.Low, TimeSpan.FromMilliseconds(500)),
        Update,
        new PinUpdate(14, null, (PinState)512, Noon),
        new PinFilter(13, PinMode.Input, PinState.Low),
        new CommandOptions { Timeout = TimeSpan.FromSeconds(7), Confirm = false, PulseConfirmedBy = PulseEdge.Either },
        new WaitOptions { Timeout = TimeSpan.FromSeconds(7), InOneUpdate = true, IncludeCurrent = true },
        new CommandResult("a", Id, [Update], Evidence.Echoed),
        new DeviceSnapshot("0a", [Update], Noon),
        new DeviceSnapshot("0a", [], null),
        new PinReading(13, (PinMode)77, null),
        new DeviceUpdate(Noon, true, [new(13, null, PinState.High)]) { Boot = 17, Seq = 42, CommandId = Id },
        new ConfigPinsCommand(Id, Noon, [new(13, PinMode.Output)]),
        new SetPinsCommand(Id, Noon, [new(13, PinState.High)]),
        new UpdateCommand(Id, Noon, [13, 14]),
        new BrokerUnavailableException("a", "quota exceeded", refused: true),
        new DeviceBusyException("a", 64),
        new DeviceOfflineException("a"),
        new DeviceInterruptedException("a", "stopping", published: true),
        new DeviceTimeoutException("a", TimeSpan.FromSeconds(5), [13, 14], published: true),
        new DeviceTimeoutException("a", TimeSpan.FromSeconds(5), [], published: false),
    ];

    public static TheoryData<int> Indexes => [.. Enumerable.Range(0, Values.Length)];

    private static readonly Serializer Serializer = new ServiceCollection().AddSerializer().BuildServiceProvider().GetRequiredService<Serializer>();

    [Theory, MemberData(nameof(Indexes))]
    public void RoundTrip_Value_KeepsEveryProperty(int index)
    {
        var value = Values[index];

        var copy = Serializer.Deserialize<object>(Serializer.SerializeToArray<object>(value))!;

        Assert.IsType(value.GetType(), copy);
        foreach (var property in value.GetType().GetProperties().Where(static p => p.GetIndexParameters().Length == 0))
        {
            if (typeof(Exception).IsAssignableFrom(value.GetType()) && property.DeclaringType == typeof(Exception) && property.Name != nameof(Exception.Message))
            {
                continue;
            }

            var (expected, actual) = (property.GetValue(value), property.GetValue(copy));
            if (expected is IEnumerable items and not string)
            {
                Assert.Equal(items.Cast<object>(), Assert.IsAssignableFrom<IEnumerable>(actual).Cast<object>());
            }
            else
            {
                Assert.Equal(expected, actual);
            }
        }
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
            .Where(static type => type.GetCustomAttribute<GenerateSerializerAttribute>() is not null && !type.IsAbstract);

        Assert.Empty(types.Except(Values.Select(static value => value.GetType())));
    }
}
