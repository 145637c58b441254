using System.Net.Sockets;
using System.Security.Authentication;
using MqttDeviceCluster.Storage.PostgreSql;
using MqttDeviceCluster.Storage.Redis;
using Npgsql;
using StackExchange.Redis;

#pragma warning disable CS0618 // The constructors that are not obsolete want what only the driver knows.

namespace MqttDeviceCluster.Tests.Storage;

/// <summary>Which failures a start waits out, and which end it at once.</summary>
public sealed class AwayTests
{
    private static readonly SocketException Refused = new((int)SocketError.ConnectionRefused);

    [Theory]
    [InlineData("57P03", true)]
    [InlineData("57P01", true)]
    [InlineData("53300", true)]
    [InlineData("25006", true)]
    [InlineData("08P01", true)]
    [InlineData("28P01", false)]
    [InlineData("28000", false)]
    [InlineData("3D000", false)]
    [InlineData("42501", false)]
    [InlineData("53100", false)]
    public void PostgreSql_ServerAnswers_ItsStateTells(string state, bool isAway) =>
        Assert.Equal(isAway, PostgreSqlReasons.IsAway(new PostgresException("no", "FATAL", "FATAL", state)));

    [Fact]
    public void PostgreSql_NobodyAnswers_IsAway() => Assert.All(
        (Exception[])
        [
            new NpgsqlException("Failed to connect", Refused),
            new NpgsqlException("Exception while reading", new TimeoutException()),
            new NpgsqlException("Exception while reading", new EndOfStreamException()),
            new NpgsqlException("Unable to connect to a suitable host", new AggregateException(new NpgsqlException("Failed", Refused), new NpgsqlException("Failed", Refused))),
            new NpgsqlException("No suitable host was found."),
            new SocketException((int)SocketError.HostNotFound),
        ],
        static cause => Assert.True(PostgreSqlReasons.IsAway(cause), cause.ToString()));

    [Fact]
    public void PostgreSql_SomethingIsWrong_IsNot() => Assert.All(
        (Exception[])
        [
            new NpgsqlException("Exception while performing SSL handshake", new AuthenticationException()),
            new NpgsqlException("Unable to connect to a suitable host", new AggregateException(new PostgresException("no", "FATAL", "FATAL", "28P01"))),
            new PostgreSqlStoreException("its encoding is LATIN1"),
            new ArgumentException("no"),
        ],
        static cause => Assert.False(PostgreSqlReasons.IsAway(cause), cause.ToString()));

    [Fact]
    public void PostgreSql_SeveralHosts_SayWhatTheFirstOneSays() => Assert.Equal(
        "nothing listens there",
        PostgreSqlReasons.Explain(new NpgsqlException("Unable to connect to a suitable host", new AggregateException(new NpgsqlException("Failed", Refused)))));

    [Theory]
    [InlineData("LOADING Redis is loading the dataset in memory", true)]
    [InlineData("CLUSTERDOWN The cluster is down", true)]
    [InlineData("MASTERDOWN Link with MASTER is down", true)]
    [InlineData("READONLY You can't write against a read only replica.", true)]
    [InlineData("WRONGPASS invalid username-password pair", false)]
    [InlineData("NOPERM this user has no permissions", false)]
    [InlineData("MISCONF Redis is configured to save RDB snapshots, LOADING", false)]
    public void Redis_ServerAnswers_ItsFirstWordTells(string message, bool isAway) => Assert.Equal(isAway, RedisReasons.IsAway(new RedisServerException(message)));

    [Fact]
    public void Redis_NobodyAnswers_IsAway()
    {
        Assert.True(RedisReasons.IsAway(new RedisConnectionException(ConnectionFailureType.UnableToConnect, "It was not possible to connect to the redis server(s).")));
        Assert.True(RedisReasons.IsAway(new RedisTimeoutException("Timeout", CommandStatus.Unknown)));
        Assert.False(RedisReasons.IsAway(new RedisConnectionException(ConnectionFailureType.AuthenticationFailure, "no")));
        Assert.False(RedisReasons.IsAway(new RedisConnectionException(
            ConnectionFailureType.UnableToConnect, "It was not possible to connect", new RedisServerException("WRONGPASS invalid username-password pair"))));
    }
}
