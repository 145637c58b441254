using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Tests.Streaming.Mqtt.Link;

namespace MqttDeviceCluster.Tests.Streaming.Mqtt.Retained;

public sealed class MqttRetainedCheckTests : IDisposable
{
    private readonly RawBroker _broker = new();

    public void Dispose() => _broker.Dispose();

    [Fact]
    public void Create_CredentialsThatCannotBeUsed_SaysAllThatIsWrong()
    {
        MqttStreamOptions options = new() { ConnectionString = "mqtt://user:s3cret@broker", UserName = "a", UserNameFile = "/no/such/user", ClientCertificateKeyFile = "/no/such/key" };

        var exception = Assert.Throws<FormatException>(() => new MqttRetainedCheck(options, ["#"], "test", TimeProvider.System));

        Assert.Equal(
            "The MQTT credentials cannot be used: UserName and UserNameFile are both given: leave one out; UserNameFile '/no/such/user' does not exist; "
            + "ClientCertificateKeyFile '/no/such/key' does not exist; ClientCertificateKeyFile is given without ClientCertificateFile.",
            exception.Message);
    }

    [Fact]
    public async Task FindAsync_TimeIsUpWithNothingSeen_IsNotNone()
    {
        var finding = Check(quiet: TimeSpan.FromMinutes(1), timeout: TimeSpan.FromMilliseconds(300)).FindAsync(1, TestContext.Current.CancellationToken);
        using var connection = await _broker.AcceptAsync(sessionPresent: false);
        await GrantAsync(connection, await connection.ReadAsync(0x82));
        await connection.ReadAsync(0xE0);
        connection.Dispose();

        var found = await finding;

        Assert.Equal((0, false, false), (found.Count, found.IsComplete, found.IsNone));
    }

    [Fact]
    public async Task ClearAsync_SomeoneRetainsAnotherOneEachTime_EndsAndSaysWhatIsLeft()
    {
        const int Passes = 4;
        var clearing = Check(TimeSpan.FromMilliseconds(20), TimeSpan.FromSeconds(10), Passes).ClearAsync(TestContext.Current.CancellationToken);
        for (var pass = 1; !clearing.IsCompleted; pass++)
        {
            Assert.True(pass <= Passes, "It looks again and again.");
            using (var look = await _broker.AcceptAsync(sessionPresent: false))
            {
                await GrantAsync(look, await look.ReadAsync(0x82));
                var topic = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"device/{pass}/pin/set"));
                await look.SendAsync(0x31, [0, (byte)topic.Length, .. topic, 0, (byte)'x']);
                await look.ReadAsync(0xE0);
            }

            if (pass < Passes)
            {
                using var erase = await _broker.AcceptAsync(sessionPresent: false);
                var message = await erase.ReadAsync(0x33);
                await erase.AnswerPublishAsync(BinaryPrimitives.ReadUInt16BigEndian(message.Body.AsSpan(2 + message.PacketId)));
                await erase.ReadAsync(0xE0);
            }
            else
            {
                await clearing.WaitAsync(RawBroker.Bound, TestContext.Current.CancellationToken);
            }
        }

        var (cleared, left) = await clearing;
        Assert.Equal((Passes - 1, $"device/{Passes}/pin/set"), (cleared, Assert.Single(left.Topics)));
    }

    private static Task GrantAsync(RawConnection connection, RawPacket subscribe) => connection.SendAsync(0x90, [subscribe.Body[0], subscribe.Body[1], 0, 0]);

    private MqttRetainedCheck Check(TimeSpan quiet, TimeSpan timeout, int passes = 1) => new(
        new MqttStreamOptions { ConnectionString = _broker.ConnectionString }, ["device/+/pin/set"], "test", TimeProvider.System)
    {
        Quiet = quiet,
        Timeout = timeout,
        MaxPasses = passes,
    };
}
