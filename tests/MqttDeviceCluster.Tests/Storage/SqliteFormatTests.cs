using System.Collections.Immutable;
using System.Globalization;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using MqttDeviceCluster.Storage;
using static MqttDeviceCluster.Tests.Storage.TestStore;

namespace MqttDeviceCluster.Tests.Storage;

/// <summary>The bytes in the file: what a version wrote, every later one reads.</summary>
public sealed class SqliteFormatTests
{
    private const string GoldenSchema = """
        CREATE TABLE grain_state (
          service_id  TEXT    NOT NULL COLLATE BINARY,
          grain_type  TEXT    NOT NULL COLLATE BINARY,
          grain_key   TEXT    NOT NULL COLLATE BINARY,
          state_name  TEXT    NOT NULL COLLATE BINARY,
          etag        TEXT    NOT NULL COLLATE BINARY,
          modified_at INTEGER NOT NULL, -- Unix time in milliseconds
          state       ANY     NOT NULL,
          PRIMARY KEY (service_id, grain_type, grain_key, state_name)
        ) STRICT, WITHOUT ROWID
        """;

    private const string GoldenState =
        """{"Pins":{"13":{"Mode":3,"State":1,"ReceivedAt":"2026-01-02T03:04:05+00:00"},"14":{"Mode":192,"State":null,"ReceivedAt":"2026-01-02T03:04:05.678+00:00"}},"Label":"Tür <1>","Boot":null}""";

    public enum Mode
    {
        Output = 3,
    }

    public sealed record Pin(Mode Mode, int? State, DateTimeOffset ReceivedAt);

    public sealed record Device
    {
        public ImmutableSortedDictionary<int, Pin> Pins { get; init; } = ImmutableSortedDictionary<int, Pin>.Empty;

        public string Label { get; init; } = "";

        public int? Boot { get; init; } = 1;
    }

    [Fact]
    public async Task WriteStateAsync_Row_IsTheGoldenRow()
    {
        FakeTimeProvider time = new(DateTimeOffset.Parse("2026-01-02T03:04:05.678Z", CultureInfo.InvariantCulture));
        await using var store = await OpenAsync(serviceId: "mdc", timeProvider: time);
        TestState<Device> state = new(Golden());
        await store.Storage.WriteStateAsync("pins", TestStore.Device("0a"), state);

        using var connection = store.Connect();
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT *, typeof(state) FROM grain_state";
        using var reader = command.ExecuteReader();
        Assert.True(reader.Read());
        Assert.Equal(
            ["mdc", "device", "0a", "pins", state.ETag!, "1767323045678", GoldenState, "text"],
            Enumerable.Range(0, reader.FieldCount).Select(reader.GetString));
        Assert.Equal(GoldenSchema, connection.Scalar("SELECT sql FROM sqlite_schema WHERE name = 'grain_state'"));
        Assert.Equal(1L, connection.Scalar("PRAGMA user_version"));
        Assert.Equal(0x4D444353L, connection.Scalar("PRAGMA application_id"));
        Assert.Equal("wal", connection.Scalar("PRAGMA journal_mode"));
    }

    [Fact]
    public async Task ReadStateAsync_FileOfVersion1_GivesTheState()
    {
        var path = NewPath();
        CreateFile(path, $"{GoldenSchema}; PRAGMA application_id = 1296319315; PRAGMA user_version = 1");
        await using var store = await OpenAsync(path, serviceId: "mdc");
        store.Execute($"INSERT INTO grain_state VALUES ('mdc', 'device', '0a', 'pins', 'e1', 1767323045678, '{GoldenState}')");

        var state = await store.ReadAsync<Device>(TestStore.Device("0a"), "pins");

        Assert.Equal("e1", state.ETag);
        Assert.Equal(Golden().Pins, state.State.Pins);
        Assert.Equal(("Tür <1>", null), (state.State.Label, state.State.Boot));
    }

    [Fact]
    public async Task ReadStateAsync_RecordThatIsNoJson_ThrowsForThatGrainOnlyAndIsNoFailureOfTheStore()
    {
        await using var store = await OpenAsync();
        TestState<Device> state = new(Golden());
        await store.Storage.WriteStateAsync("pins", TestStore.Device("bad"), state);
        await store.Storage.WriteStateAsync("pins", TestStore.Device("good"), new TestState<Device>(Golden()));
        store.Execute("UPDATE grain_state SET state = '{' WHERE grain_key = 'bad'");

        var exception = await Assert.ThrowsAsync<GrainStateException>(() => store.ReadAsync<Device>(TestStore.Device("bad"), "pins"));

        Assert.Null(exception.InnerException);
        Assert.Contains("device/bad", exception.Message, StringComparison.Ordinal);
        Assert.False(store.Status.IsFailing);
        Assert.Single(store.Logs.At(LogLevel.Error));
        Assert.True((await store.ReadAsync<Device>(TestStore.Device("good"), "pins")).RecordExists);
    }

    [Fact]
    public async Task OpenAsync_NewerSchema_IsRefusedAndLeftAsItIs()
    {
        var path = NewPath();
        CreateFile(path, "CREATE TABLE future (x); PRAGMA application_id = 1296319315; PRAGMA user_version = 2");
        var before = File.ReadAllBytes(path);

        var exception = await Assert.ThrowsAsync<GrainStorageUnavailableException>(() => OpenAsync(path));

        Assert.Equal(
            $"Grain storage 'devices' cannot open {path}: it was written by a newer version (its schema is 2, this version knows 1); "
            + "run that version, or give another file.",
            exception.Message);
        Assert.Equal(before, File.ReadAllBytes(path));
    }

    [Fact]
    public async Task OpenAsync_DatabaseOfAnotherApplication_IsRefusedAndLeftAsItIs()
    {
        var path = NewPath();
        CreateFile(path, "CREATE TABLE theirs (x)");
        var before = File.ReadAllBytes(path);

        var exception = await Assert.ThrowsAsync<GrainStorageUnavailableException>(() => OpenAsync(path));

        Assert.Equal($"Grain storage 'devices' cannot open {path}: it is a SQLite database of another application.", exception.Message);
        Assert.Equal(before, File.ReadAllBytes(path));
    }

    [Fact]
    public async Task OpenAsync_FileThatIsNoDatabase_IsRefusedAndLeftAsItIs()
    {
        var path = NewPath();
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, new string('x', 5000));

        var exception = await Assert.ThrowsAsync<GrainStorageUnavailableException>(() => OpenAsync(path));

        Assert.Equal($"Grain storage 'devices' cannot open {path}: the file is not a SQLite database.", exception.Message);
        Assert.Equal(new string('x', 5000), File.ReadAllText(path));
    }

    [Fact]
    public async Task OpenAsync_DirectoryThatCannotBeCreated_SaysSoInOneSentence()
    {
        var file = Path.Combine(Directory.CreateTempSubdirectory("storage-").FullName, "file");
        File.WriteAllText(file, "");
        var path = Path.Combine(file, "cluster.db");

        var exception = await Assert.ThrowsAsync<GrainStorageUnavailableException>(() => OpenAsync(path));

        Assert.StartsWith($"Grain storage 'devices' cannot open {path}: ", exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', exception.Message);
        Assert.Null(exception.InnerException);
    }

    [Fact]
    public async Task OpenAsync_PathIsADirectory_SaysSoInOneSentence()
    {
        var path = Directory.CreateTempSubdirectory("storage-").FullName;

        var exception = await Assert.ThrowsAsync<GrainStorageUnavailableException>(() => OpenAsync(path));

        Assert.Equal(
            $"Grain storage 'devices' cannot open {path}: the file cannot be opened or created (is its path a directory, or may this user not write there?).",
            exception.Message);
    }

    [Fact]
    public async Task OpenAsync_LockedByAnother_SaysSo()
    {
        var path = NewPath();
        await using (await OpenAsync(path))
        {
        }

        using SqliteConnection holder = new($"Data Source={path};Pooling=false");
        holder.Open();
        holder.Execute("PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; PRAGMA user_version = 1; COMMIT");

        var exception = await Assert.ThrowsAsync<GrainStorageUnavailableException>(() => OpenAsync(path));

        Assert.Equal($"Grain storage 'devices' cannot open {path}: another process holds the file locked.", exception.Message);
    }

    [Fact]
    public async Task OpenAsync_ManyAtOnceOnANewFile_AllOpenOneSchema()
    {
        var path = NewPath();
        var stores = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => OpenAsync(path, options => options.BusyTimeout = TimeSpan.FromSeconds(5))));
        try
        {
            await Task.WhenAll(stores.Select((store, i) =>
                store.Storage.WriteStateAsync("pins", TestStore.Device($"{i}"), new TestState<Device>(Golden()))));
            Assert.True((await stores[0].ReadAsync<Device>(TestStore.Device("5"), "pins")).RecordExists);
        }
        finally
        {
            foreach (var store in stores)
            {
                await store.DisposeAsync();
            }
        }
    }

    private static Device Golden()
    {
        var at = DateTimeOffset.Parse("2026-01-02T03:04:05Z", CultureInfo.InvariantCulture);
        return new Device
        {
            Label = "Tür <1>",
            Boot = null,
            Pins = ImmutableSortedDictionary<int, Pin>.Empty
                .Add(13, new Pin(Mode.Output, 1, at))
                .Add(14, new Pin((Mode)192, null, at.AddMilliseconds(678))),
        };
    }

    private static void CreateFile(string path, string sql)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using SqliteConnection connection = new($"Data Source={path};Pooling=false");
        connection.Open();
        connection.Execute(sql);
    }
}
