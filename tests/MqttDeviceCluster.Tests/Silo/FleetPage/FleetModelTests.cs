using System.Text.Json;
using MqttDeviceCluster.Silo.FleetPage;

namespace MqttDeviceCluster.Tests.Silo.FleetPage;

public sealed class FleetModelTests : IDisposable
{
    private readonly FleetModel _model = new();
    private readonly FleetCursor _cursor = new();
    private readonly FleetRowWriter _rows = new();

    public FleetModelTests() => _model.BeginListing();

    public void Dispose() => _rows.Dispose();

    [Fact]
    public void EndListing_AnotherOneIsWantedMeanwhile_IsNotLiveBeforeThatEnded()
    {
        _model.WantListing();
        _model.EndListing();
        Assert.Equal(FleetStatus.Listing, _model.Status);

        _model.BeginListing();
        _model.EndListing();
        Assert.Equal(FleetStatus.Live, _model.Status);

        _model.WantListing();
        Assert.Equal(FleetStatus.Listing, _model.Status);
    }

    [Fact]
    public void Read_NothingNew_IsEmpty()
    {
        _model.Apply(FakeFleet.Device("a", FakeFleet.Pin(13, PinState.Low)));
        Assert.Single(Read());
        _model.Apply(FakeFleet.Device("a", FakeFleet.Pin(13, PinState.Low, second: 9)));
        Assert.Empty(Read());
    }

    [Fact]
    public void Read_InSteps_MissesNothingOfADeviceThatMovesBehindThem()
    {
        foreach (var id in (string[])["a", "b", "c"])
        {
            _model.Apply(FakeFleet.Device(id, FakeFleet.Pin(1, PinState.Low), FakeFleet.Pin(2, PinState.Low)));
        }

        Assert.True(_model.Read(_cursor, _rows, 1));
        _model.Apply(new PinEvent("b", FakeFleet.Pin(2, PinState.High, second: 1), true));
        _model.Apply(new PinEvent("a", FakeFleet.Pin(2, PinState.High, second: 1), true));
        var rows = Read();

        Assert.Equal(["a", "c", "b", "a"], rows.Select(row => row.GetProperty("id").GetString()));
        Assert.Equal("[[1,3,0],[2,3,1]]", Pins(rows[2]));
    }

    [Fact]
    public void Read_ManyStepsWithChangesBetween_EndsWithTheTruth()
    {
        var random = new Random(7);
        Dictionary<string, Dictionary<int, int>> seen = [];
        Dictionary<string, Dictionary<int, int>> truth = [];
        for (var step = 0; step < 20_000; step++)
        {
            var id = $"{random.Next(50)}";
            if (random.Next(20) == 0)
            {
                _model.Apply(new DeviceForgottenEvent(id, FakeFleet.Start));
                truth.Remove(id);
            }
            else
            {
                var (pin, state) = (random.Next(4), random.Next(3));
                _model.Apply(new PinEvent(id, FakeFleet.Pin(pin, (PinState)state, second: step), true));
                truth.TryAdd(id, []);
                truth[id][pin] = state;
            }

            if (random.Next(10) == 0)
            {
                _model.Read(_cursor, _rows, random.Next(1, 20));
                Merge(seen, Take());
            }
        }

        Merge(seen, Read());
        Assert.Equal(JsonSerializer.Serialize(Sorted(truth)), JsonSerializer.Serialize(Sorted(seen)));
    }

    [Fact]
    public void Apply_RowOlderThanTheWatch_ChangesNothing()
    {
        _model.Apply(new PinEvent("a", FakeFleet.Pin(13, PinState.High, second: 5), true));
        _model.Apply(new PresenceEvent("a", FakeFleet.Start.AddSeconds(5), new(Presence.Offline, PresenceReason.LastWill, FakeFleet.Start.AddSeconds(5))));
        Read();
        _model.Apply(FakeFleet.Device("a", FakeFleet.Pin(13, PinState.Low)));
        Assert.Empty(Read());
    }

    [Fact]
    public void Apply_RowNewerThanTheWatch_Wins()
    {
        _model.Apply(new PinEvent("a", FakeFleet.Pin(13, PinState.High), true));
        Read();
        _model.Apply(FakeFleet.Device("a", FakeFleet.Pin(13, PinState.Low, second: 1)));
        Assert.Equal("[[13,3,0]]", Pins(Assert.Single(Read())));
    }

    [Fact]
    public void Apply_RowOfALaterListing_WinsEvenWithAnEarlierTime()
    {
        // The clock of the silo that has the device now may be behind.
        _model.Apply(new PinEvent("a", FakeFleet.Pin(13, PinState.High, second: 5), true));
        Read();
        _model.BeginListing();
        _model.Apply(FakeFleet.Device("a", FakeFleet.Pin(13, PinState.Low)));
        Assert.Equal("[[13,3,0]]", Pins(Assert.Single(Read())));
    }

    [Fact]
    public void Apply_ForgottenDuringTheListing_StaysGoneUntilItSendsAgain()
    {
        _model.Apply(FakeFleet.Device("a", FakeFleet.Pin(13, PinState.Low)));
        Read();
        _model.Apply(new DeviceForgottenEvent("a", FakeFleet.Start));
        _model.Apply(FakeFleet.Device("a", FakeFleet.Pin(13, PinState.Low)));
        Assert.True(Assert.Single(Read()).GetProperty("gone").GetBoolean());

        _model.Apply(new DeviceAddedEvent("a", FakeFleet.Start));
        _model.Apply(new PinEvent("a", FakeFleet.Pin(14, PinState.High), true));
        var row = Assert.Single(Read());
        Assert.True(row.GetProperty("new").GetBoolean());
        Assert.Equal(("unknown", "[[14,3,1]]"), (row.GetProperty("presence").GetString(), Pins(row)));
    }

    [Fact]
    public void EndListing_DeviceNobodyNamed_IsGone()
    {
        _model.Apply(FakeFleet.Device("a"));
        _model.Apply(FakeFleet.Device("b"));
        _model.Apply(FakeFleet.Device("c"));
        _model.EndListing();
        Read();
        _model.BeginListing();
        _model.Apply(FakeFleet.Device("a"));
        _model.Apply(new PinEvent("b", FakeFleet.Pin(1, PinState.Low), false));
        _model.EndListing();
        Assert.Equal(["b", "c"], Read().Select(row => row.GetProperty("id").GetString()));
    }

    [Fact]
    public void TellSeen_UnchangedReport_IsToldThenOnly()
    {
        _model.Apply(FakeFleet.Device("a", FakeFleet.Pin(13, PinState.Low)));
        Read();
        _model.Apply(new PinEvent("a", FakeFleet.Pin(13, PinState.Low, second: 9), false));
        Assert.Empty(Read());
        _model.TellSeen();
        Assert.Equal($$"""{"id":"a","seen":{{FakeFleet.Start.AddSeconds(9).ToUnixTimeMilliseconds()}}}""", Assert.Single(Read()).GetRawText());
        _model.TellSeen();
        Assert.Empty(Read());
    }

    private static string Pins(JsonElement row) =>
        JsonSerializer.Serialize(row.GetProperty("pins").EnumerateArray().Select(pin => pin.EnumerateArray().Take(3).Select(n => n.GetInt32())));

    private static void Merge(Dictionary<string, Dictionary<int, int>> seen, IEnumerable<JsonElement> rows)
    {
        foreach (var row in rows)
        {
            var id = row.GetProperty("id").GetString()!;
            if (row.TryGetProperty("gone", out _))
            {
                seen.Remove(id);
                continue;
            }

            if (row.TryGetProperty("new", out _))
            {
                seen[id] = [];
            }

            if (row.TryGetProperty("pins", out var pins))
            {
                foreach (var pin in pins.EnumerateArray())
                {
                    seen[id][pin[0].GetInt32()] = pin[2].GetInt32();
                }
            }
        }
    }

    private static SortedDictionary<string, SortedDictionary<int, int>> Sorted(Dictionary<string, Dictionary<int, int>> fleet) =>
        new(fleet.ToDictionary(device => device.Key, device => new SortedDictionary<int, int>(device.Value)), StringComparer.Ordinal);

    private List<JsonElement> Read()
    {
        while (_model.Read(_cursor, _rows, 2))
        {
        }

        return Take();
    }

    private List<JsonElement> Take() => [.. JsonDocument.Parse(_rows.Take()).RootElement.EnumerateArray()];
}
