using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using MqttDeviceCluster.Silo;
using MqttDeviceCluster.Silo.Hosting;

namespace MqttDeviceCluster.Tests.Silo.Hosting;

public sealed class LeavingErrorHandlerTests
{
    // As Orleans' MembershipTableManager reports it.
    private const string Dead = "I have been told I am dead, so this silo will stop!";

    private readonly FatalErrors _orleans = new();
    private readonly LeavingErrorHandler _handler;

    public LeavingErrorHandlerTests() => _handler = new(_orleans, NullLogger<LeavingErrorHandler>.Instance);

    [Fact]
    public void Dead_NotByItself_GoesToOrleans()
    {
        _handler.OnFatalException(this, Dead);

        Assert.Equal([(this, Dead, null)], _orleans.Reports);
    }

    [Fact]
    public void Dead_ByItself_GoesNowhere()
    {
        _handler.Leave();

        _handler.OnFatalException(this, Dead);

        Assert.Empty(_orleans.Reports);
    }

    [Fact]
    public void OtherError_WhileItLeaves_GoesToOrleans()
    {
        InvalidOperationException error = new();
        _handler.Leave();

        _handler.OnFatalException(this, "ProcessMembershipUpdates", error);

        Assert.Equal([(this, "ProcessMembershipUpdates", error)], _orleans.Reports);
        Assert.True(_handler.IsUnexpected(error));
        Assert.False(_handler.IsUnexpected(new OperationCanceledException()));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Add_OnlyWithACluster_StandsBeforeOrleansOwn(bool cluster)
    {
        var builder = SiloHost.CreateBuilder(SiloCommandLine.Parse(cluster
            ? ["--Orleans:Clustering:ProviderType=Redis", "--Orleans:Clustering:ConnectionString=127.0.0.1:1", "--Orleans:GrainStorage:Default:ProviderType=Memory", "--ConnectionStrings:mqtt=mqtt://127.0.0.1:1"]
            : []));
        SiloComposition.AddSilo(builder, SiloSettings.From(builder.Configuration, "/"));
        await using var services = builder.Services.BuildServiceProvider();

        var handler = services.GetRequiredService<IFatalErrorHandler>();

        const string own = "Orleans.Runtime.FatalErrorHandler";
        if (!cluster)
        {
            Assert.Equal(own, handler.GetType().FullName);
            return;
        }

        Assert.Same(services.GetRequiredService<LeavingErrorHandler>(), handler);
        Assert.Equal(own, ((LeavingErrorHandler)handler).Orleans.GetType().FullName);
    }
}
