using Microsoft.Extensions.Logging;

namespace MqttDeviceCluster;

internal sealed partial class DeviceGrain
{
    /// <summary>Says it once per activation: a device that names too many pins does so in every report.</summary>
    private void LogRefusedPins(int count)
    {
        if (!_refusedPins)
        {
            _refusedPins = true;
            LogRefusedPins(_deviceId, count, _options.MaxPins);
        }
    }

    [LoggerMessage(LogLevel.Warning, "A message for a device whose id breaks the rules was ignored.")]
    private partial void LogInvalidId();

    [LoggerMessage(LogLevel.Debug, "A {Type} of device '{DeviceId}' was ignored: this version does not know it.")]
    private partial void LogUnknownMessage(string deviceId, string type);

    [LoggerMessage(LogLevel.Debug, "An update of device '{DeviceId}' was ignored as late or repeated (boot {Boot}, number {Seq}).")]
    private partial void LogLate(string deviceId, long? boot, long? seq);

    [LoggerMessage(LogLevel.Warning, "Device '{DeviceId}' named {Count} pins that are not kept: a pin must not be negative, and at most {Max} are kept.")]
    private partial void LogRefusedPins(string deviceId, int count, int max);

    // The store tells of its failures, once; this would be one line for each device and try.
    [LoggerMessage(LogLevel.Debug, "The state of device '{DeviceId}' could not be stored; its update is not acknowledged and will come again.")]
    private partial void LogStoreFailed(Exception exception, string deviceId);

    // With a store that fails while a silo stops it would be one line for each of its devices.
    [LoggerMessage(LogLevel.Debug, "The time device '{DeviceId}' was last seen could not be stored at deactivation.")]
    private partial void LogLastSeenLost(Exception exception, string deviceId);

    // What it comes to is said where a message is given up.
    [LoggerMessage(LogLevel.Debug, "A message of device '{DeviceId}' could not be delivered.")]
    private partial void LogDeliveryFailed(Exception exception, string deviceId);

    [LoggerMessage(LogLevel.Debug, "The last will of boot {Boot} of device '{DeviceId}' was ignored: the device runs boot {Running}.")]
    private partial void LogOldWill(string deviceId, long? boot, long? running);

    [LoggerMessage(LogLevel.Warning, "The state of device '{DeviceId}' could not be removed; the device is not forgotten.")]
    private partial void LogClearFailed(Exception exception, string deviceId);
}
