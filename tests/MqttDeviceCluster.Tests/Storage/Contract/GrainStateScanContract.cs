using System.Diagnostics.Metrics;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Storage;
using static MqttDeviceCluster.Tests.Storage.OpenStore;

namespace MqttDeviceCluster.Tests.Storage;

/// <summary>Listing what is stored, without a grain.</summary>
public abstract class GrainStateScanContract
{
    // UTF-16 sorts U+E000 and U+FFFD after U+10000, UTF-8 before it.
    private static readonly string[] OddKeys =
    [
        "a", "0a", "A", "00a", "aa", "a b", "a%", "a_", "a'", "ä", "a\u0308", "\u007F", "\u007Fa", "\u0080", "\uD7FF", "\uD7FFx", "\uE000", "\uFFFD", "\uFFFF",
        "\U00010000", "\U0010FFFE", "\U0010FFFF", "\U0010FFFF\U0010FFFF", "\U0010FFFFa", "a\U0010FFFF", "a\U0010FFFFb", "b", "é/1", "é/2", "日本/1",
    ];

    public sealed class Text
    {
        public string Value { get; set; } = "";
    }

    [Fact]
    public async Task ScanAsync_AnyKeys_GivesThemInTheOrderOfTheirBytes()
    {
        await using var store = await OpenAsync();
        await WriteAsync(store, OddKeys);

        var page = await ScanAsync(store, maxRecords: 100);

        Assert.Equal(InByteOrder(OddKeys), page.Records.Select(record => record.Key));
        Assert.All(page.Records, record => Assert.Equal(record.Key, record.State.Value));
        Assert.Null(page.Continuation);
    }

    [Fact]
    public async Task ScanAsync_AnyPrefixAndPageSize_GivesWhatBeginsWithItOnce()
    {
        await using var store = await OpenAsync();
        await WriteAsync(store, OddKeys);
        string[] prefixes = ["", "a", "A", "a%", "a_", "\u007F", "\uD7FF", "\uE000", "\U0010FFFF", "\U0010FFFF\U0010FFFF", "a\U0010FFFF", "é", "é/", "日本", "nothing", "z"];
        foreach (var prefix in prefixes)
        {
            var expected = InByteOrder(OddKeys.Where(key => key.StartsWith(prefix, StringComparison.Ordinal)));
            foreach (var maxRecords in (int[])[1, 2, 7, 100])
            {
                var pages = await PagesAsync(store, prefix, maxRecords);

                Assert.Equal(expected, pages.SelectMany(page => page.Records).Select(record => record.Key));
                Assert.All(pages.SkipLast(1), page => Assert.Equal(maxRecords, page.Records.Count));
            }
        }
    }

    [Fact]
    public async Task ScanAsync_PrefixThatIsNoUnicode_BeginsNoKey()
    {
        await using var store = await OpenAsync();
        await WriteAsync(store, ["\U00010000", "\uFFFD"]);

        Assert.Empty((await ScanAsync(store, keyPrefix: "\uD800")).Records);
    }

    [Fact]
    public async Task ScanAsync_ContinuationThatIsNoKey_IsRefusedOrAfterNothing()
    {
        await using var store = await OpenAsync();
        await WriteAsync(store, ["a"]);

        await Assert.ThrowsAsync<ArgumentException>(() => ScanAsync(store, continuation: "a\uD800"));
        Assert.Empty((await ScanAsync(store, continuation: "a\0")).Records);
        Assert.False(store.Status.IsFailing);
    }

    [Fact]
    public async Task ScanAsync_OtherServicesTypesAndStateNames_AreNotSeen()
    {
        var home = await NewHomeAsync();
        await using var store = await home.OpenAsync();
        await using var otherService = await home.OpenAsync(new() { ServiceId = "Service" });
        TestState<Text> Of(string value) => new(new Text { Value = value });
        await store.Storage.WriteStateAsync("state", Device("a"), Of("mine"));
        await store.Storage.WriteStateAsync("State", Device("a"), Of("other name"));
        await store.Storage.WriteStateAsync("t", Device("b"), Of("other name"));
        await store.Storage.WriteStateAsync("state", Device("c", "Device"), Of("other type"));
        await store.Storage.WriteStateAsync("state", Device("c", "device2"), Of("other type"));
        await otherService.Storage.WriteStateAsync("state", Device("d"), Of("other service"));

        foreach (var maxRecords in (int[])[1, 100])
        {
            var pages = await PagesAsync(store, "", maxRecords);

            Assert.Equal([("a", "mine")], pages.SelectMany(page => page.Records).Select(record => (record.Key, record.State.Value)));
        }

        var noUtf8 = GrainType.Create("device");
        noUtf8 = new GrainType([.. IdSpan.UnsafeGetArray(noUtf8.Value)!, 0xFF]);
        Assert.Empty((await store.Scanner.ScanAsync<Text>(noUtf8, "state", null, null, 10, TestContext.Current.CancellationToken)).Records);
    }

    [Fact]
    public async Task ScanAsync_RecordsAddedChangedAndClearedBetweenPages_TheOthersAreSeenOnce()
    {
        await using var store = await OpenAsync();
        await WriteAsync(store, ["b", "d", "f", "h"]);
        var first = await ScanAsync(store, maxRecords: 2);
        Assert.Equal(["b", "d"], first.Records.Select(record => record.Key));

        await WriteAsync(store, ["a", "e", "i"]);
        foreach (var gone in (string[])["d", "f"])
        {
            await store.Storage.ClearStateAsync("state", Device(gone), await store.ReadAsync<Text>(Device(gone)));
        }

        var changed = await store.ReadAsync<Text>(Device("h"));
        changed.State.Value = "changed";
        await store.Storage.WriteStateAsync("state", Device("h"), changed);
        var second = await ScanAsync(store, continuation: first.Continuation, maxRecords: 2);
        var third = await ScanAsync(store, continuation: second.Continuation, maxRecords: 2);

        Assert.Equal([("e", "e"), ("h", "changed")], second.Records.Select(record => (record.Key, record.State.Value)));
        Assert.Equal(["i"], third.Records.Select(record => record.Key));
        Assert.Null(third.Continuation);
    }

    [Fact]
    public async Task ScanAsync_RecordsThatCannotBeDeserialized_AreLeftOutLoggedOncePerPageAndCounted()
    {
        var home = await NewHomeAsync();
        await using var store = await home.OpenAsync();
        using Measured unreadable = new(store, GrainStorageTelemetry.Unreadable);
        await WriteAsync(store, ["a", "b", "c", "d", "e"]);
        home.Execute($"UPDATE {home.Table} SET state = '{{' WHERE grain_key IN ('b', 'c', 'd')");

        var pages = await PagesAsync(store, "", 3);

        Assert.Equal(["a"], pages[0].Records.Select(record => record.Key));
        Assert.Equal(["e"], pages[1].Records.Select(record => record.Key));
        Assert.Equal(2, pages.Count);
        Assert.Equal(3, unreadable.Sum);
        Assert.Equal(
            [
                "A scan of grain storage 'devices' left out 2 records of state 'state' that cannot be deserialized; the first is of grain 'device/b'.",
                "A scan of grain storage 'devices' left out 1 records of state 'state' that cannot be deserialized; the first is of grain 'device/d'.",
            ],
            store.Logs.At(LogLevel.Warning));
        Assert.False(store.Status.IsFailing);
    }

    [Fact]
    public async Task ScanAsync_OnlyUnreadableRecordsInAPage_GoesOn()
    {
        var home = await NewHomeAsync();
        await using var store = await home.OpenAsync();
        await WriteAsync(store, ["a", "b", "c"]);
        home.Execute($"UPDATE {home.Table} SET state = '{{' WHERE grain_key < 'c'");

        var first = await ScanAsync(store, maxRecords: 2);

        Assert.Empty(first.Records);
        Assert.Equal(["c"], (await ScanAsync(store, continuation: first.Continuation)).Records.Select(record => record.Key));
    }

    [Fact]
    public async Task ScanAsync_NullState_GivesANewOne()
    {
        var home = await NewHomeAsync();
        await using var store = await home.OpenAsync();
        await WriteAsync(store, ["a"]);
        home.Execute($"UPDATE {home.Table} SET state = 'null'");

        Assert.Equal("", Assert.Single((await ScanAsync(store)).Records).State.Value);
    }

    [Fact]
    public async Task ScanAsync_ModifiedAt_IsWhenTheRecordWasWritten()
    {
        Microsoft.Extensions.Time.Testing.FakeTimeProvider time = new(new DateTimeOffset(2026, 1, 2, 3, 4, 5, 678, TimeSpan.Zero));
        await using var store = await (await NewHomeAsync()).OpenAsync(new() { TimeProvider = time });
        await WriteAsync(store, ["a"]);
        time.Advance(TimeSpan.FromMinutes(1));
        await WriteAsync(store, ["b"]);

        Assert.Equal(
            [time.GetUtcNow() - TimeSpan.FromMinutes(1), time.GetUtcNow()], (await ScanAsync(store)).Records.Select(record => record.ModifiedAt!.Value));
    }

    [Fact]
    public async Task ScanAsync_BigRecords_EndThePageEarly()
    {
        await using var store = await OpenAsync();
        foreach (var key in (string[])["a", "b", "c"])
        {
            await store.Storage.WriteStateAsync("state", Device(key), new TestState<Text>(new Text { Value = new string('x', 5_000_000) }));
        }

        var pages = await PagesAsync(store, "", 100);

        Assert.Equal([2, 1], pages.Select(page => page.Records.Count));
    }

    [Fact]
    public async Task ScanAsync_WrongArguments_Throws()
    {
        await using var store = await OpenAsync();
        await WriteAsync(store, ["a", "b"]);
        var first = await ScanAsync(store, maxRecords: 1);
        using CancellationTokenSource cancelled = new();
        await cancelled.CancelAsync();

        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => ScanAsync(store, maxRecords: 0));
        await Assert.ThrowsAsync<ArgumentException>(() => ScanAsync(store, keyPrefix: "b", continuation: first.Continuation));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => store.Scanner.ScanAsync<Text>(GrainType.Create("device"), "state", null, null, 10, cancelled.Token));
    }

    [Fact]
    public async Task ScanAsync_TableGone_FailsLikeARead()
    {
        var home = await NewHomeAsync();
        await using var store = await home.OpenAsync();
        home.Execute($"ALTER TABLE {home.Table} RENAME TO hidden");

        var exception = await Assert.ThrowsAsync<GrainStorageUnavailableException>(() => ScanAsync(store));

        Assert.Contains("could not read from", exception.Message, StringComparison.Ordinal);
        Assert.Null(exception.InnerException);
        Assert.True(store.Status.IsFailing);
    }

    [Fact]
    public async Task ScanAsync_StoreStopped_Throws()
    {
        var store = await OpenAsync();
        var scanner = store.Scanner;
        await store.DisposeAsync();

        await Assert.ThrowsAsync<GrainStorageUnavailableException>(
            () => scanner.ScanAsync<Text>(GrainType.Create("device"), "state", null, null, 10, TestContext.Current.CancellationToken));
    }

    private protected abstract Task<IStoreHome> NewHomeAsync();

    private async Task<OpenStore> OpenAsync() => await (await NewHomeAsync()).OpenAsync();

    private protected static Task<GrainStatePage<Text>> ScanAsync(OpenStore store, string? keyPrefix = null, string? continuation = null, int maxRecords = 10) =>
        store.Scanner.ScanAsync<Text>(GrainType.Create("device"), "state", keyPrefix, continuation, maxRecords, TestContext.Current.CancellationToken);

    private protected static async Task<List<GrainStatePage<Text>>> PagesAsync(OpenStore store, string? keyPrefix, int maxRecords)
    {
        List<GrainStatePage<Text>> pages = [];
        do
        {
            pages.Add(await ScanAsync(store, keyPrefix, pages.LastOrDefault()?.Continuation, maxRecords));
            Assert.True(pages.Count <= 100, "the scan does not end");
        }
        while (pages[^1].Continuation is not null);
        return pages;
    }

    private protected static async Task WriteAsync(OpenStore store, IEnumerable<string> keys)
    {
        foreach (var key in keys)
        {
            await store.Storage.WriteStateAsync("state", Device(key), new TestState<Text>(new Text { Value = key }));
        }
    }

    private static IEnumerable<string> InByteOrder(IEnumerable<string> keys) =>
        keys.OrderBy(Encoding.UTF8.GetBytes, Comparer<byte[]>.Create(static (left, right) => left.AsSpan().SequenceCompareTo(right)));

    /// <summary>Adds up what one instrument of one store measured.</summary>
    private sealed class Measured : IDisposable
    {
        private readonly MeterListener _listener = new();
        private long _sum;

        public Measured(OpenStore store, string instrumentName)
        {
            var meters = store.Services.GetRequiredService<IMeterFactory>();
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == instrumentName && instrument.Meter.Scope == meters)
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            };
            _listener.SetMeasurementEventCallback<long>((_, value, _, _) => Interlocked.Add(ref _sum, value));
            _listener.Start();
        }

        public long Sum => Interlocked.Read(ref _sum);

        public void Dispose() => _listener.Dispose();
    }
}
