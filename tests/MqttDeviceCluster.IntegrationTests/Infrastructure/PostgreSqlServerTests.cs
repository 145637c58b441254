using Npgsql;

namespace MqttDeviceCluster.IntegrationTests.Infrastructure;

public sealed class PostgreSqlServerTests
{
    [Fact]
    public async Task Suspend_ThenResume_AnswersOnlyAfterwards()
    {
        await using var server = await PostgreSqlServer.StartNewAsync();
        var database = new NpgsqlConnectionStringBuilder(server.ConnectionString("postgres")) { Pooling = false }.ConnectionString;
        await using NpgsqlConnection connection = new(database);
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        await using NpgsqlCommand command = new("SELECT 1", connection);

        await server.SuspendAsync();
        var answer = command.ExecuteScalarAsync(TestContext.Current.CancellationToken);
        // Nothing tells that an answer does not come.
        await Task.Delay(300, TestContext.Current.CancellationToken);
        Assert.False(answer.IsCompleted);

        await server.ResumeAsync();
        Assert.Equal(1, await answer.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken));
        Assert.Equal(1, await PostgreSqlServer.ScalarAsync(database, "SELECT 1"));
    }
}
