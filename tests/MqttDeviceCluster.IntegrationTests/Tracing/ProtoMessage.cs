using System.Runtime.InteropServices;
using Google.Protobuf;

namespace MqttDeviceCluster.IntegrationTests.Tracing;

/// <summary>A message of the protobuf wire format whose schema the reader has in mind: fields by their numbers. The package with OTLP's own types is on no feed.</summary>
internal sealed class ProtoMessage
{
    private readonly List<(int Field, object Value)> _fields = [];

    public static ProtoMessage Parse(ByteString bytes)
    {
        ProtoMessage message = new();
        var input = bytes.CreateCodedInput();
        while (input.ReadTag() is var tag && tag != 0)
        {
            object value = WireFormat.GetTagWireType(tag) switch
            {
                WireFormat.WireType.Varint => input.ReadUInt64(),
                WireFormat.WireType.Fixed64 => input.ReadFixed64(),
                WireFormat.WireType.Fixed32 => input.ReadFixed32(),
                WireFormat.WireType.LengthDelimited => input.ReadBytes(),
                var type => throw new InvalidDataException($"OTLP has no field of the wire type {type}."),
            };
            message._fields.Add((WireFormat.GetTagFieldNumber(tag), value));
        }

        return message;
    }

    /// <summary>Returns the messages in a field.</summary>
    public IEnumerable<ProtoMessage> Messages(int field) => _fields.Where(entry => entry.Field == field).Select(entry => Parse((ByteString)entry.Value));

    public ProtoMessage? Message(int field) => Messages(field).LastOrDefault();

    public string Text(int field) => Find(field) is ByteString bytes ? bytes.ToStringUtf8() : "";

    /// <summary>Returns bytes as lower case hexadecimal digits.</summary>
    public string Hex(int field) => Find(field) is ByteString bytes ? Convert.ToHexStringLower(bytes.Span) : "";

    public ulong Number(int field) => Find(field) switch
    {
        ulong wide => wide,
        uint narrow => narrow,
        _ => 0,
    };

    /// <summary>Returns repeated numbers, packed.</summary>
    public IReadOnlyList<double> Doubles(int field) => Find(field) is ByteString bytes ? [.. MemoryMarshal.Cast<byte, double>(bytes.Span)] : [];

    /// <summary>Reads attributes: KeyValue messages, their values as text.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Attributes(int field) => [.. Messages(field).Select(pair =>
    {
        var value = pair.Message(2)!;
        return KeyValuePair.Create(pair.Text(1), value.Find(1) is not null ? value.Text(1) : value.Find(2) is not null ? (value.Number(2) != 0 ? "true" : "false") : $"{value.Number(3)}");
    })];

    private object? Find(int field) => _fields.LastOrDefault(entry => entry.Field == field).Value;
}
