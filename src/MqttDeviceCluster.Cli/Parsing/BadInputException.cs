namespace MqttDeviceCluster.Cli.Parsing;

/// <summary>Something the user typed cannot be meant. The message names it and the accepted form.</summary>
internal sealed class BadInputException(string message) : Exception(message);
