using Microsoft.Data.Sqlite;
using MqttDeviceCluster.Storage.GroupCommit;
using MqttDeviceCluster.Storage.Sqlite;

namespace MqttDeviceCluster.Tests.Storage;

public sealed class SqliteScanTests : GrainStateScanContract
{
    [Fact]
    public async Task ScanAsync_KeysWithNul_AreInOrderAndFoundByPrefix()
    {
        await using var store = await TestStore.OpenAsync();
        await WriteAsync(store, ["a", "a\0", "a\0b", "\0", "a\u0001"]);

        Assert.Equal(["\0", "a", "a\0", "a\0b", "a\u0001"], (await ScanAsync(store)).Records.Select(record => record.Key));
        Assert.Equal(["a\0", "a\0b"], (await PagesAsync(store, "a\0", 1)).SelectMany(page => page.Records).Select(record => record.Key));
    }

    [Fact]
    public async Task Statement_AnyRange_IsARangeOfThePrimaryKeyWithoutASort()
    {
        await using var store = await TestStore.OpenAsync();
        using var connection = store.Connect();
        using var command = connection.CreateCommand();
        command.CommandText = $"EXPLAIN QUERY PLAN {SqliteSession.Scanning}";
        foreach (var name in (string[])["$service", "$type", "$name", "$from", "$to", "$limit"])
        {
            command.Parameters.Add(new SqliteParameter(name, "1"));
        }

        using var reader = command.ExecuteReader();
        List<string> steps = [];
        while (reader.Read())
        {
            steps.Add(reader.GetString(3));
        }

        Assert.Equal(["SEARCH grain_state USING PRIMARY KEY (service_id=? AND grain_type=? AND grain_key>? AND grain_key<?)"], steps);
    }

    [Theory]
    [InlineData("", null)]
    [InlineData("a", "b")]
    [InlineData("a\u007F", "a\u0080")]
    [InlineData("\uD7FF", "\uE000")]
    [InlineData("\uFFFF", "\U00010000")]
    [InlineData("a\U0010FFFF", "b")]
    [InlineData("\U0010FFFF", null)]
    [InlineData("\U0010FFFF\U0010FFFF", null)]
    public void UpperBound_Prefix_IsTheNextTextThatHasUtf8(string prefix, string? expected) =>
        Assert.Equal(expected, new GrainStateRange("service", "device", "state", prefix, null).UpperBound);

    private protected override Task<IStoreHome> NewHomeAsync() => Task.FromResult<IStoreHome>(new SqliteHome());
}
