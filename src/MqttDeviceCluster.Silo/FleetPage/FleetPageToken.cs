using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Threading.RateLimiting;

namespace MqttDeviceCluster.Silo.FleetPage;

/// <summary>What a try with a token came to.</summary>
internal enum TokenAnswer
{
    Wrong = 0,
    Right = 1,

    /// <summary>Too many wrong ones came from that address; this one was not looked at.</summary>
    TooMany = 2,
}

/// <summary>The token, and the sessions of browsers that knew it.</summary>
/// <remarks>
/// A session is a signed date of expiry: every silo with the same token takes it, none has to remember it, and another token ends them all.
/// </remarks>
internal sealed class FleetPageToken : IDisposable
{
    public const string CookieName = "mdc-fleet";

    /// <summary>How many wrong tokens an address may try in a minute.</summary>
    public const int WrongPerMinute = 10;

    private const int SaltLength = 16;
    private static readonly TimeSpan SessionLength = TimeSpan.FromHours(12);

    private readonly byte[] _hash;
    private readonly Lazy<byte[]> _key;
    private readonly TimeProvider _time;

    // The limiter of AddRateLimiter, without its middleware: that one takes a permit for every request, and a tool that knows the token may send as many as it
    // likes. Were right ones let through when the permits are gone, though, it would not slow down a search: then even they are refused.
    private readonly PartitionedRateLimiter<IPAddress> _wrong = PartitionedRateLimiter.Create<IPAddress, IPAddress>(
        address => RateLimitPartition.GetFixedWindowLimiter(
            address, _ => new() { PermitLimit = WrongPerMinute, Window = TimeSpan.FromMinutes(1) }));

    public FleetPageToken(string token, TimeProvider time)
    {
        _time = time;
        _hash = SHA256.HashData(Encoding.UTF8.GetBytes(token));

        // Slow on purpose: who gets hold of a cookie should not find a short token by trying.
        _key = new(() => Rfc2898DeriveBytes.Pbkdf2(token, "MqttDeviceCluster fleet page session"u8.ToArray(), 200_000, HashAlgorithmName.SHA256, 32));
    }

    public TokenAnswer Try(string? given, IPAddress? from)
    {
        var address = Network(from ?? IPAddress.None);
        using (var left = _wrong.AttemptAcquire(address, 0))
        {
            if (!left.IsAcquired)
            {
                return TokenAnswer.TooMany;
            }
        }

        if (given is not null && CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(given)), _hash))
        {
            return TokenAnswer.Right;
        }

        using (_wrong.AttemptAcquire(address))
        {
            return TokenAnswer.Wrong;
        }
    }

    public string CreateSession()
    {
        var expiry = (_time.GetUtcNow() + SessionLength).ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        var session = $"{expiry}.{Convert.ToHexString(RandomNumberGenerator.GetBytes(SaltLength))}";
        return $"{session}.{Sign(session)}";
    }

    public bool IsSession(string? text)
    {
        if (text is null || text.Length > 200 || text.LastIndexOf('.') is var end && end < 0)
        {
            return false;
        }

        var session = text[..end];
        return CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(Sign(session)), Encoding.UTF8.GetBytes(text[(end + 1)..]))
            && long.TryParse(session.Split('.')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var expiry)
            && expiry > _time.GetUtcNow().ToUnixTimeSeconds();
    }

    public void Dispose() => _wrong.Dispose();

    private string Sign(string session) => Convert.ToHexString(HMACSHA256.HashData(_key.Value, Encoding.UTF8.GetBytes(session)));

    // One host has at least a /64 of IPv6 to try from.
    private static IPAddress Network(IPAddress address) => address switch
    {
        { IsIPv4MappedToIPv6: true } => address.MapToIPv4(),
        { AddressFamily: AddressFamily.InterNetworkV6 } => new IPAddress([.. address.GetAddressBytes().AsSpan(0, 8), .. new byte[8]]),
        _ => address,
    };
}
