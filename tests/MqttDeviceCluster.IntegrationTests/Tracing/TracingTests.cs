using System.Diagnostics;

namespace MqttDeviceCluster.IntegrationTests.Tracing;

/// <summary>One command is one trace, whatever becomes of it: names, kinds, parents, links, attributes and status.</summary>
[Collection(TracedClusterCollection.Name)]
public sealed class TracingTests(TracedCluster cluster)
{
    private const string Call = "IDeviceGrain/SetPinsAsync";
    private const string Publish = "publish device/{id}/pin/set";
    private const string Process = "process device/{id}/pin/update";
    private const string Stranger = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    private static readonly CommandOptions Patient = new() { Timeout = TimeSpan.FromSeconds(30) };

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Command_DeviceEchoesNothing_IsOneTraceToTheStoredUpdate()
    {
        var id = await cluster.FindDeviceAsync();
        await using var device = await TracedDevice.ConnectAsync(cluster.Broker, id, command => [new(TracedDevice.PayloadOf(command))]);
        using var caller = Caller();

        var result = await cluster.Devices.SetPinsAsync(id, [new(13, PinState.High)], Patient, Cancelled);

        var spans = await cluster.Spans.WaitForAsync(caller.TraceId, 5);
        var (client, server, publish, process, write) = (spans[0], spans[1], spans[2], spans[3], spans[4]);
        AssertSpan(client, Call, ActivityKind.Client, caller.SpanId);
        AssertSpan(server, Call, ActivityKind.Server, client.SpanId);
        AssertSpan(publish, Publish, ActivityKind.Producer, server.SpanId);
        AssertSpan(process, Process, ActivityKind.Consumer, publish.SpanId);
        AssertSpan(write, "write storage", ActivityKind.Client, process.SpanId);
        Assert.All(spans, span => Assert.Equal((ActivityStatusCode.Unset, 0), (span.Status, span.Links.Count())));
        Assert.All([server, publish, process], span => Assert.Equal(result.CommandId.ToString(), span.GetTagItem(DeviceSpans.CommandTag)));
        Assert.All([server, process], span => Assert.Equal(("observed", "observed", id), (span.GetTagItem(DeviceInstruments.OutcomeTag), span.GetTagItem(DeviceSpans.EvidenceTag), span.GetTagItem(DeviceSpans.DeviceTag))));
        Assert.Equal("set", server.GetTagItem(DeviceInstruments.KindTag));
        AssertTags(
            publish,
            ("mdc.command.id", result.CommandId.ToString()),
            ("messaging.destination.name", $"device/{id}/pin/set"),
            ("messaging.destination.template", "device/{id}/pin/set"),
            ("messaging.message.body.size", 22),
            ("messaging.message.conversation_id", result.CommandId.ToString("N")),
            ("messaging.operation.name", "publish"),
            ("messaging.operation.type", "send"),
            ("messaging.system", "mqtt"),
            ("mqtt.qos", 1),
            ("network.protocol.name", "mqtt"),
            ("network.protocol.version", "5"),
            ("server.address", "127.0.0.1"),
            ("server.port", cluster.Broker.Port));
        AssertTags(
            process,
            (DeviceInstruments.OutcomeTag, "observed"),
            ("mdc.command.evidence", "observed"),
            ("mdc.command.id", result.CommandId.ToString()),
            ("mdc.device.id", id),
            ("messaging.destination.name", $"device/{id}/pin/update"),
            ("messaging.destination.template", "device/{id}/pin/update"),
            ("messaging.operation.name", "process"),
            ("messaging.operation.type", "process"),
            ("messaging.system", "mqtt"),
            ("network.protocol.name", "mqtt"),
            ("network.protocol.version", "5"));
    }

    [Fact]
    public async Task Command_CallerIsOnASilo_IsOneTraceAndItsContextEndsWithTheCall()
    {
        var id = await cluster.FindDeviceAsync();
        await using var device = await TracedDevice.ConnectAsync(cluster.Broker, id, command => [new(TracedDevice.PayloadOf(command))]);
        using var caller = Caller();

        await cluster.DevicesOnSilo.SetPinsAsync(id, [new(13, PinState.High)], Patient, Cancelled);

        var spans = await cluster.Spans.WaitForAsync(caller.TraceId, 4);
        Assert.Equal([Call, Publish, Process, "write storage"], spans.Select(span => span.DisplayName));
        AssertSpan(spans[0], Call, ActivityKind.Server, caller.SpanId);
        Assert.Equal(("orleans", "IDeviceGrain", "SetPinsAsync"), (spans[0].GetTagItem("rpc.system"), spans[0].GetTagItem("rpc.service"), spans[0].GetTagItem("rpc.method")));
        Assert.Empty(RequestContext.Keys);
    }

    [Fact]
    public async Task Command_Traced_ContextTravelsInUserPropertiesAndNothingElseDoes()
    {
        var id = await cluster.FindDeviceAsync();
        await using var device = await TracedDevice.ConnectAsync(
            cluster.Broker, id, command => [new(TracedDevice.PayloadOf(command), Echo: command.CorrelationData)]);
        using var caller = Caller();

        var result = await cluster.Devices.SetPinsAsync(id, [new(13, PinState.High)], Patient, Cancelled);

        var publish = (await cluster.Spans.WaitForAsync(caller.TraceId, 5))[2];
        var command = Assert.Single(device.Commands);
        Assert.Equal("""[{"pin":13,"state":1}]""", TracedDevice.PayloadOf(command));
        Assert.Equal(["deadline", "traceparent", "tracestate"], TracedDevice.PropertiesOf(command).Select(property => property.Name));
        Assert.Equal($"00-{caller.TraceId}-{publish.SpanId}-01", TracedDevice.TraceParentOf(command));
        Assert.Contains(("tracestate", "vendor=1"), TracedDevice.PropertiesOf(command));
        Assert.Equal(Evidence.Echoed, result.Evidence);
        SpanTree.AssertEqual("""
            - Client IDeviceGrain/SetPinsAsync, below CALLER
              - Server IDeviceGrain/SetPinsAsync
                mdc: command.evidence=echoed, command.id=COMMAND, command.kind=set, command.outcome=echoed, device.id=DEVICE
                - Producer publish device/{id}/pin/set
                  mdc: command.id=COMMAND
                  messaging: destination.name=device/DEVICE/pin/set, destination.template=device/{id}/pin/set, message.body.size=22, message.conversation_id=COMMAND, operation.name=publish, operation.type=send, system=mqtt
                  mqtt: qos=1
                  - Consumer process device/{id}/pin/update
                    mdc: command.evidence=echoed, command.id=COMMAND, command.outcome=echoed, device.id=DEVICE
                    messaging: destination.name=device/DEVICE/pin/update, destination.template=device/{id}/pin/update, operation.name=process, operation.type=process, system=mqtt
                    - Client write storage
            """, await cluster.Spans.WaitForAsync(caller.TraceId, 5), (caller.SpanId, "CALLER"));
    }

    [Fact]
    public async Task Command_ConfirmedOverTheOtherSilosConnection_IsOneTrace()
    {
        var id = await cluster.FindDeviceAsync(onReceivingSilo: false);
        await using var device = await TracedDevice.ConnectAsync(cluster.Broker, id, command => [new(TracedDevice.PayloadOf(command))]);
        using var caller = Caller();

        await cluster.Devices.SetPinsAsync(id, [new(13, PinState.High)], Patient, Cancelled);

        SpanTree.AssertEqual("""
            - Client IDeviceGrain/SetPinsAsync, below CALLER
              - Server IDeviceGrain/SetPinsAsync
                mdc: command.evidence=observed, command.id=COMMAND, command.kind=set, command.outcome=observed, device.id=DEVICE
                - Producer publish device/{id}/pin/set
                  mdc: command.id=COMMAND
                  messaging: destination.name=device/DEVICE/pin/set, destination.template=device/{id}/pin/set, message.body.size=22, message.conversation_id=COMMAND, operation.name=publish, operation.type=send, system=mqtt
                  mqtt: qos=1
                  - Consumer process device/{id}/pin/update
                    mdc: command.evidence=observed, command.id=COMMAND, command.outcome=observed, device.id=DEVICE
                    messaging: destination.name=device/DEVICE/pin/update, destination.template=device/{id}/pin/update, operation.name=process, operation.type=process, system=mqtt
                    - Client write storage
            """, await cluster.Spans.WaitForAsync(caller.TraceId, 5), (caller.SpanId, "CALLER"));
    }

    [Fact]
    public async Task Command_AnsweredInTwoUpdates_BothBelongToItAndTheSecondConfirms()
    {
        var id = await cluster.FindDeviceAsync();
        await using var device = await TracedDevice.ConnectAsync(
            cluster.Broker, id, _ => [new("""[{"pin":13,"state":1}]"""), new("""[{"pin":15,"state":1}]"""), new("""[{"pin":14,"state":1}]""")]);
        using var caller = Caller();

        await cluster.Devices.SetPinsAsync(id, [new(13, PinState.High), new(14, PinState.High)], Patient, Cancelled);

        await cluster.Spans.WaitForAsync(span => span.TraceId == caller.TraceId && span.DisplayName == Process, 2, "both updates");
        var spans = cluster.Spans.Find(span => span.TraceId == caller.TraceId);
        var publish = Assert.Single(spans, span => span.DisplayName == Publish);
        var updates = spans.Where(span => span.DisplayName == Process).OrderBy(span => span.StartTimeUtc).ToList();

        // The one in between is no evidence.
        Assert.Equal([publish.SpanId, publish.SpanId], updates.Select(span => span.ParentSpanId));
        Assert.Equal([null, "observed"], updates.Select(span => span.GetTagItem(DeviceSpans.EvidenceTag)));
    }

    [Fact]
    public async Task Command_DeviceIsCold_ShowsItsActivationAndItsRead()
    {
        const string Cold = "cold";
        await using var device = await TracedDevice.ConnectAsync(cluster.Broker, Cold, command => [new(TracedDevice.PayloadOf(command))]);
        using var caller = Caller();

        await cluster.Devices.SetPinsAsync(Cold, [new(13, PinState.High)], Patient, Cancelled);

        SpanTree.AssertEqual("""
            - Client IDeviceGrain/SetPinsAsync, below CALLER
              - Internal place grain
              - Internal activate grain
                - Internal register directory entry
                - Client read storage
                - Internal execute OnActivateAsync
              - Server IDeviceGrain/SetPinsAsync
                mdc: command.evidence=observed, command.id=COMMAND, command.kind=set, command.outcome=observed, device.id=DEVICE
                - Producer publish device/{id}/pin/set
                  mdc: command.id=COMMAND
                  messaging: destination.name=device/DEVICE/pin/set, destination.template=device/{id}/pin/set, message.body.size=22, message.conversation_id=COMMAND, operation.name=publish, operation.type=send, system=mqtt
                  mqtt: qos=1
                  - Consumer process device/{id}/pin/update
                    mdc: command.evidence=observed, command.id=COMMAND, command.outcome=observed, device.id=DEVICE
                    messaging: destination.name=device/DEVICE/pin/update, destination.template=device/{id}/pin/update, operation.name=process, operation.type=process, system=mqtt
                    - Client write storage
            """, await cluster.Spans.WaitForAsync(caller.TraceId, 10), (caller.SpanId, "CALLER"));
    }

    [Theory]
    [InlineData("01")]
    [InlineData("00")]
    public async Task Command_DeviceContinuesTheTrace_UpdateStandsBelowTheDevicesSpan(string flags)
    {
        var id = await cluster.FindDeviceAsync();
        var deviceSpan = ActivitySpanId.CreateRandom();
        await using var device = await TracedDevice.ConnectAsync(
            cluster.Broker, id, command => [new(TracedDevice.PayloadOf(command), $"{TracedDevice.TraceParentOf(command)[..36]}{deviceSpan}-{flags}")]);
        using var caller = Caller();

        await cluster.Devices.SetPinsAsync(id, [new(13, PinState.High)], Patient, Cancelled);

        // Whether the device sampled its part says nothing about ours. Its own span is not among these.
        SpanTree.AssertEqual("""
            - Client IDeviceGrain/SetPinsAsync, below CALLER
              - Server IDeviceGrain/SetPinsAsync
                mdc: command.evidence=observed, command.id=COMMAND, command.kind=set, command.outcome=observed, device.id=DEVICE
                - Producer publish device/{id}/pin/set
                  mdc: command.id=COMMAND
                  messaging: destination.name=device/DEVICE/pin/set, destination.template=device/{id}/pin/set, message.body.size=22, message.conversation_id=COMMAND, operation.name=publish, operation.type=send, system=mqtt
                  mqtt: qos=1
            - Consumer process device/{id}/pin/update, below THE DEVICE'S SPAN
              mdc: command.evidence=observed, command.id=COMMAND, command.outcome=observed, device.id=DEVICE
              messaging: destination.name=device/DEVICE/pin/update, destination.template=device/{id}/pin/update, operation.name=process, operation.type=process, system=mqtt
              - Client write storage
            """, await cluster.Spans.WaitForAsync(caller.TraceId, 5), (caller.SpanId, "CALLER"), (deviceSpan, "THE DEVICE'S SPAN"));
    }

    [Fact]
    public async Task Command_DeviceSendsATraceOfItsOwn_IsLinkedAndNotFollowed()
    {
        var id = await cluster.FindDeviceAsync();
        await using var device = await TracedDevice.ConnectAsync(cluster.Broker, id, command => [new(TracedDevice.PayloadOf(command), Stranger)]);
        using var caller = Caller();

        await cluster.Devices.SetPinsAsync(id, [new(13, PinState.High)], Patient, Cancelled);

        SpanTree.AssertEqual("""
            - Client IDeviceGrain/SetPinsAsync, below CALLER
              - Server IDeviceGrain/SetPinsAsync
                mdc: command.evidence=observed, command.id=COMMAND, command.kind=set, command.outcome=observed, device.id=DEVICE
                - Producer publish device/{id}/pin/set
                  mdc: command.id=COMMAND
                  messaging: destination.name=device/DEVICE/pin/set, destination.template=device/{id}/pin/set, message.body.size=22, message.conversation_id=COMMAND, operation.name=publish, operation.type=send, system=mqtt
                  mqtt: qos=1
                  - Consumer process device/{id}/pin/update
                    mdc: command.evidence=observed, command.id=COMMAND, command.outcome=observed, device.id=DEVICE
                    messaging: destination.name=device/DEVICE/pin/update, destination.template=device/{id}/pin/update, operation.name=process, operation.type=process, system=mqtt
                    link: 0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331
                    - Client write storage
            """, await cluster.Spans.WaitForAsync(caller.TraceId, 5), (caller.SpanId, "CALLER"));
        Assert.Empty(cluster.Spans.Find(span => span.TraceId.ToString() == Stranger[3..35]));
    }

    [Fact]
    public async Task Update_Unasked_IsATraceOfItsOwnLinkedToTheDevices()
    {
        var id = await cluster.FindDeviceAsync();
        await using var device = await TracedDevice.ConnectAsync(cluster.Broker, id, _ => []);
        cluster.TracesUnasked = true;
        try
        {
            await device.ReportAsync("""[{"pin":13,"state":1}]""", Stranger);

            var process = Assert.Single(await cluster.Spans.WaitForAsync(
                span => span.Kind == ActivityKind.Consumer && Equals(span.GetTagItem(DeviceSpans.DeviceTag), id), 1, "the update's span"));
            AssertSpan(process, Process, ActivityKind.Consumer, default);
            Assert.NotEqual(Stranger[3..35], process.TraceId.ToString());
            Assert.Equal(Stranger[3..35], Assert.Single(process.Links).Context.TraceId.ToString());
            Assert.Null(process.GetTagItem(DeviceSpans.CommandTag));
            var spans = await cluster.Spans.WaitForAsync(process.TraceId, 2);
            AssertSpan(spans[1], "write storage", ActivityKind.Client, process.SpanId);
        }
        finally
        {
            cluster.TracesUnasked = false;
        }
    }

    [Fact]
    public async Task Update_UnaskedAndNotSampled_MakesNoActivityAtAll()
    {
        var id = await cluster.FindDeviceAsync();
        await using var device = await TracedDevice.ConnectAsync(cluster.Broker, id, _ => []);
        List<Activity> made = [];
        using ActivityListener listener = new()
        {
            ShouldListenTo = static _ => true,
            ActivityStopped = activity =>
            {
                lock (made)
                {
                    made.Add(activity);
                }
            },
        };
        ActivitySource.AddActivityListener(listener);
        var wait = cluster.Devices.WaitForAsync(id, [new(13, State: PinState.High)], new() { Timeout = TimeSpan.FromSeconds(30), IncludeCurrent = true }, Cancelled);

        // The wait is known to stand once a later call of the same client was answered by the same grain.
        await cluster.Devices.GetSnapshotAsync(id, Cancelled);

        await device.ReportAsync("""[{"pin":13,"state":1}]""", Stranger);
        await wait;

        // The second one is applied after the first is stored.
        var second = cluster.Devices.WaitForAsync(id, [new(13, State: PinState.Low)], new() { Timeout = TimeSpan.FromSeconds(30), IncludeCurrent = true }, Cancelled);
        await cluster.Devices.GetSnapshotAsync(id, Cancelled);
        await device.ReportAsync("""[{"pin":13,"state":0}]""", Stranger);
        await second;
        lock (made)
        {
            Assert.DoesNotContain(made, activity => activity.Kind == ActivityKind.Consumer);
            Assert.DoesNotContain(made, activity => activity.OperationName == "write storage" && $"{activity.GetTagItem("orleans.grain.id")}".Contains(id, StringComparison.Ordinal));
        }
    }

    /// <summary>A span of the calling service, with something in its baggage that is nobody else's.</summary>
    private static Activity Caller() => new Activity("caller") { ActivityTraceFlags = ActivityTraceFlags.Recorded, TraceStateString = "vendor=1" }
        .SetIdFormat(ActivityIdFormat.W3C).AddBaggage("secret", "of the caller").Start();

    private static void AssertSpan(Activity span, string name, ActivityKind kind, ActivitySpanId parent) =>
        Assert.Equal((name, kind, parent), (span.DisplayName, span.Kind, span.ParentSpanId));

    private static void AssertTags(Activity span, params (string Key, object? Value)[] expected) => Assert.Equal(
        expected.OrderBy(tag => tag.Key, StringComparer.Ordinal), span.TagObjects.Select(tag => (tag.Key, tag.Value)).OrderBy(tag => tag.Key, StringComparer.Ordinal));
}
