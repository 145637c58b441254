using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Newtonsoft.Json;
using Orleans.Serialization;
using JsonSerializer = System.Text.Json.JsonSerializer;

namespace MqttDeviceCluster.Tests.Grains;

public sealed class DeviceStateJsonTests
{
    /// <summary>The stored form of the first version: its rows stay readable for ever.</summary>
    private const string FirstGolden =
        """{"pins":[{"pin":13,"mode":3,"state":1,"at":"2026-03-04T12:00:00.1234567+00:00"},{"pin":14,"at":"2026-03-04T12:00:00+00:00"}],"lastSeen":"2026-03-04T12:00:01+00:00","boot":17,"seq":42,"prevBoot":16,"prevSeq":9}""";

    /// <summary>The stored form of this version. A change here is a change for rows that exist already: it must still be read.</summary>
    private const string Golden =
        """{"pins":[{"pin":13,"mode":3,"state":1,"at":"2026-03-04T12:00:00.1234567+00:00"},{"pin":14,"at":"2026-03-04T12:00:00+00:00"}],"lastSeen":"2026-03-04T12:00:01+00:00","boot":17,"seq":42,"prevBoot":16,"prevSeq":9,"firstSeen":"2026-03-03T12:00:00+00:00","presence":2,"presenceBy":3,"presenceAt":"2026-03-04T12:00:02+00:00","status":true,"runs":18,"ran":17,"fw":"1.6.0"}""";

    private static DeviceState State => FirstState with
    {
        FirstSeen = TestClock.Noon.AddDays(-1),
        Presence = (int)Presence.Offline,
        PresenceReason = (int)PresenceReason.LastWill,
        PresenceSince = TestClock.Noon.AddSeconds(2),
        OffersStatus = true,
        RunningBoot = 18,
        FormerBoot = 17,
        Firmware = "1.6.0",
    };

    private static DeviceState FirstState => new()
    {
        Pins =
        [
            new() { Pin = 13, Mode = 3, State = 1, ReceivedAt = TestClock.Noon.AddTicks(1234567) },
            new() { Pin = 14, ReceivedAt = TestClock.Noon },
        ],
        LastSeen = TestClock.Noon.AddSeconds(1),
        Boot = 17,
        Seq = 42,
        PreviousBoot = 16,
        PreviousSeq = 9,
    };

    [Fact]
    public void Serialize_State_IsTheGoldenJson() => Assert.Equal(Golden, JsonSerializer.Serialize(State, Web));

    [Fact]
    public void Deserialize_GoldenJson_IsTheState() => AssertEqual(State, JsonSerializer.Deserialize<DeviceState>(Golden));

    [Fact]
    public void Deserialize_RowOfTheFirstVersion_IsAStateThatLacksWhatItDidNotKeep() =>
        AssertEqual(FirstState, JsonSerializer.Deserialize<DeviceState>(FirstGolden));

    [Fact]
    public void Completed_RowOfTheFirstVersion_WasFirstSeenAtTheEarliestTimeThatIsKnown()
    {
        var state = JsonSerializer.Deserialize<DeviceState>(FirstGolden)!.Completed();

        AssertEqual(FirstState with { FirstSeen = TestClock.Noon }, state); // When pin 14 was reported.
        Assert.Equal(DevicePresence.Unknown, state.ToPresence());
    }

    [Fact]
    public void Completed_OnlyRetainedUpdatesOrNothing_SaysWhatThereIsToSay()
    {
        Assert.Equal(TestClock.Noon, (FirstState with { LastSeen = null }).Completed().FirstSeen);
        Assert.Null(new DeviceState().Completed().FirstSeen);
        Assert.Equal(State.FirstSeen, State.Completed().FirstSeen);
    }

    [Fact]
    public void ToSnapshot_State_HasEverythingThatCallersMaySee()
    {
        var snapshot = State.ToSnapshot("a", TestClock.Noon.AddHours(1));

        Assert.Equal(
            new DeviceSnapshot("a", snapshot.Pins, State.LastSeen)
            {
                Presence = new(Presence.Offline, PresenceReason.LastWill, TestClock.Noon.AddSeconds(2)),
                FirstSeen = State.FirstSeen,
                Firmware = "1.6.0",
                AsOf = TestClock.Noon.AddHours(1),
            },
            snapshot);
        Assert.Equal(
            [new(13, PinMode.Output, PinState.High, TestClock.Noon.AddTicks(1234567)), new PinUpdate(14, null, null, TestClock.Noon)], snapshot.Pins.AsEnumerable());
    }

    [Fact]
    public void Serialize_EmptyState_IsShortAndReadsBack()
    {
        Assert.Equal("""{"pins":[]}""", JsonSerializer.Serialize(new DeviceState()));
        AssertEqual(new(), JsonSerializer.Deserialize<DeviceState>("{}"));
        AssertEqual(new(), JsonSerializer.Deserialize<DeviceState>("""{"pins":[]}"""));
    }

    [Fact]
    public void Deserialize_MembersOfALaterVersion_AreIgnored() => AssertEqual(
        State, JsonSerializer.Deserialize<DeviceState>(Golden.Replace("\"boot\"", "\"battery\":{\"percent\":80},\"boot\"", StringComparison.Ordinal)));

    [Fact]
    public void RoundTrip_EnumsAsNames_DoNotMatter()
    {
        JsonSerializerOptions options = new() { Converters = { new JsonStringEnumConverter() } };
        AssertEqual(State, JsonSerializer.Deserialize<DeviceState>(JsonSerializer.Serialize(State, options), options));
    }

    [Fact]
    public void RoundTrip_DefaultGrainStorageSerializer_KeepsEverything()
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.UseOrleansClient(static client => client.UseLocalhostClustering());
        using var host = builder.Build();
        var settings = OrleansJsonSerializerSettings.GetDefaultSerializerSettings(host.Services);
        foreach (var state in new[] { State, FirstState, new DeviceState() })
        {
            AssertEqual(state, JsonConvert.DeserializeObject<DeviceState>(JsonConvert.SerializeObject(state, settings), settings));
        }
    }

    [Fact]
    public void RoundTrip_OrleansSerializer_KeepsEverything()
    {
        var serializer = new ServiceCollection().AddSerializer().BuildServiceProvider().GetRequiredService<Serializer>();
        foreach (var state in new[] { State, FirstState, new DeviceState() })
        {
            AssertEqual(state, serializer.Deserialize<DeviceState>(serializer.SerializeToArray(state)));
        }
    }

    private static JsonSerializerOptions Web => new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static void AssertEqual(DeviceState expected, DeviceState? actual)
    {
        Assert.NotNull(actual);
        Assert.Equal(expected.Pins.AsEnumerable(), actual.Pins);
        Assert.Equal(expected with { Pins = [] }, actual with { Pins = [] });
    }
}
