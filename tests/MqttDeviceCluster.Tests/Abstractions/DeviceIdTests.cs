namespace MqttDeviceCluster.Tests.Abstractions;

public sealed class DeviceIdTests
{
    public static TheoryData<string> Valid => ["a", "544B3B144B8C", "room-1:door.2", "Tür 7", "😀", new string('x', 128)];

    public static TheoryData<string?> Invalid =>
        [(string?)null, "", " ", "\u2003 ", "a/b", "a+", "#", "a\0b", "a\nb", "\u007f", "\u0085", "\ud800", "x\udc00", new string('x', 129), new string('ü', 65)];

    [Theory, MemberData(nameof(Valid))]
    public void ThrowIfInvalid_ValidId_ReturnsQuietly(string id)
    {
        DeviceId.ThrowIfInvalid(id);
        Assert.True(DeviceId.IsValid(id));
    }

    [Theory, MemberData(nameof(Invalid))]
    public void ThrowIfInvalid_InvalidId_ThrowsArgumentException(string? id)
    {
        Assert.False(DeviceId.IsValid(id));
        Assert.Throws<ArgumentException>("deviceId", () => DeviceId.ThrowIfInvalid(id, "deviceId"));
    }
}
