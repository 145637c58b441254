using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace MqttDeviceCluster;

/// <summary>The rules for a device id: case and leading zeros matter, <c>0a</c>, <c>a</c> and <c>A</c> are three devices.</summary>
public static class DeviceId
{
    /// <summary>The greatest length of an id, in bytes of UTF-8.</summary>
    public const int MaxBytes = 128;

    /// <summary>
    /// Returns whether <paramref name="deviceId"/> is 1 to 128 bytes of well-formed UTF-8 without <c>/</c>, <c>+</c>, <c>#</c>, NUL or
    /// control characters, and not of blanks alone.
    /// </summary>
    public static bool IsValid([NotNullWhen(true)] string? deviceId) => Problem(deviceId) is null;

    /// <summary>Throws when <paramref name="deviceId"/> is not valid.</summary>
    /// <exception cref="ArgumentException">The id breaks the rules of <see cref="IsValid"/>; the message says which.</exception>
    public static void ThrowIfInvalid([NotNull] string? deviceId, string? paramName = null)
    {
        if (Problem(deviceId) is { } problem)
        {
            throw new ArgumentException($"The device id {problem}.", paramName ?? nameof(deviceId));
        }

#pragma warning disable CS8777 // A null id has a problem, so it never gets here.
    }
#pragma warning restore CS8777

    private static string? Problem(string? deviceId)
    {
        if (string.IsNullOrEmpty(deviceId))
        {
            return "is empty";
        }

        // Orleans has no grain of that name.
        if (string.IsNullOrWhiteSpace(deviceId))
        {
            return "is blank";
        }

        // Cheap upper bound first: a hostile id of a megabyte is not scanned.
        if (deviceId.Length > MaxBytes || Encoding.UTF8.GetByteCount(deviceId) > MaxBytes)
        {
            return $"is longer than {MaxBytes} bytes";
        }

        for (var i = 0; i < deviceId.Length; i++)
        {
            var c = deviceId[i];
            if (c is '/' or '+' or '#')
            {
                return $"contains '{c}'";
            }

            if (char.IsControl(c))
            {
                return "contains a control character";
            }

            if (char.IsSurrogate(c))
            {
                if (!char.IsSurrogatePair(deviceId, i))
                {
                    return "is not well-formed Unicode";
                }

                i++;
            }
        }

        return null;
    }
}
