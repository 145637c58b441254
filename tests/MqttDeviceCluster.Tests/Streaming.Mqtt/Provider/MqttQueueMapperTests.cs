using MqttDeviceCluster.Streaming.Mqtt.Provider;

namespace MqttDeviceCluster.Tests.Streaming.Mqtt.Provider;

public sealed class MqttQueueMapperTests
{
    [Fact]
    public void GetAllQueues_OneConnection_AllHaveOneHashSoThatTheyMoveTogether()
    {
        var queues = new MqttQueueMapper("mqtt", connections: 1, queuesPerConnection: 16).GetAllQueues().ToList();

        Assert.Equal(16, queues.Distinct().Count());
        Assert.Single(queues.Select(queue => queue.GetUniformHashCode()).Distinct());
    }

    [Fact]
    public void GetAllQueues_SeveralConnections_AreSpreadOverTheRing()
    {
        var mapper = new MqttQueueMapper("mqtt", connections: 4, queuesPerConnection: 2);

        var hashes = mapper.GetAllQueues().GroupBy(queue => mapper.Locate(queue).Connection)
            .Select(connection => Assert.Single(connection.Select(queue => queue.GetUniformHashCode()).Distinct())).Order().ToList();

        Assert.Equal(4, hashes.Count);
        for (var i = 1; i < hashes.Count; i++)
        {
            Assert.InRange(hashes[i] - hashes[i - 1], uint.MaxValue / 5, uint.MaxValue / 3);
        }
    }

    [Fact]
    public void Locate_EveryQueue_IsItsOwnPlace()
    {
        var mapper = new MqttQueueMapper("mqtt", connections: 3, queuesPerConnection: 5);

        Assert.Equal(
            Enumerable.Range(0, 15).Select(i => (i / 5, i % 5)), mapper.GetAllQueues().Select(mapper.Locate));
    }

    [Fact]
    public void GetAllQueues_AnotherProcess_GetsTheSameHashes()
    {
        // A change of this number moves every queue during a rolling upgrade.
        Assert.Equal(353147387u, Assert.Single(new MqttQueueMapper("mqtt", 1, 1).GetAllQueues()).GetUniformHashCode());
    }

    [Fact]
    public void QueueOf_ManyKeys_AreSpreadEvenly()
    {
        var counts = Enumerable.Range(0, 16_000).Select(i => MqttQueueMapper.QueueOf($"02000000{i:X4}", 16)).CountBy(queue => queue).ToList();

        Assert.Equal(16, counts.Count);
        Assert.All(counts, count => Assert.InRange(count.Value, 800, 1200));
    }
}
