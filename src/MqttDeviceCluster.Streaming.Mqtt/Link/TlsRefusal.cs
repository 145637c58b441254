using System.Net.Sockets;
using System.Security.Authentication;
using MQTTnet.Exceptions;

namespace MqttDeviceCluster.Streaming.Mqtt.Link;

/// <summary>
/// Says in plain words why a broker ended a TLS connection. It tells by an alert, which with TLS 1.3 comes after the handshake, and which .NET passes on
/// in the words of the system's library.
/// </summary>
internal static class TlsRefusal
{
    // In the words of OpenSSL, on every other system but Windows and Apple's; RFC 8446 names the alerts in the same words.
    private static readonly (string Alert, string Meaning)[] Alerts =
    [
        ("certificate required", "the broker wants a client certificate"),
        ("unknown ca", "the broker does not accept the client certificate: it does not trust its authority"),
        ("certificate unknown", "the broker does not accept the client certificate"),
        ("certificate expired", "the broker says that the client certificate has expired"),
        ("certificate revoked", "the broker says that the client certificate is revoked"),
        ("unsupported certificate", "the client certificate is not one for clients"),
        ("bad certificate", "the broker does not accept the client certificate"),
        ("protocol version", "the broker does not speak a version of TLS that we take"),
    ];

    /// <summary>Returns what the broker said or probably meant, or <see langword="null"/> if it did neither.</summary>
    /// <param name="exception">What was thrown.</param>
    /// <param name="isHandshakeDone">Whether the broker's certificate was seen and accepted.</param>
    /// <param name="hasCertificate">Whether we have one to show.</param>
    public static string? Explain(Exception exception, bool isHandshakeDone, bool hasCertificate)
    {
        var isClosed = exception is MqttCommunicationException { InnerException: null };
        for (var inner = exception; inner is not null; inner = inner.InnerException)
        {
            foreach (var (alert, meaning) in Alerts)
            {
                if (inner.Message.Contains(alert, StringComparison.OrdinalIgnoreCase))
                {
                    return meaning;
                }
            }

            isClosed |= inner is SocketException { SocketErrorCode: SocketError.ConnectionReset or SocketError.ConnectionAborted or SocketError.Shutdown };

            // Before TLS 1.3 a missing certificate is a plain failure of the handshake.
            if (inner is AuthenticationException && inner.Message.Contains("handshake failure", StringComparison.OrdinalIgnoreCase))
            {
                return "the broker ended the TLS handshake; it may want a client certificate";
            }
        }

        // The alert races with the reset of a connection that is closed with our CONNECT unread.
        return !isClosed || !isHandshakeDone
            ? null
            : $"the broker closed the connection without a reason; perhaps it {(hasCertificate ? "does not accept the" : "wants a")} client certificate";
    }
}
