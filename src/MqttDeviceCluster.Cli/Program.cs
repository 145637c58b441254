using System.Text;
using MqttDeviceCluster.Cli;

Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
return await Mdc.RunAsync(args, CliEnvironment.OfProcess());
