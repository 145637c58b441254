using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using MqttDeviceCluster.Storage;
using MqttDeviceCluster.Storage.Hosting;
using MqttDeviceCluster.Storage.Sqlite;
using Orleans.Serialization;
using Orleans.Storage;

namespace MqttDeviceCluster.Tests.Storage;

public sealed class SqliteRegistrationTests
{
    [Theory]
    [InlineData("x.db", null, null)]
    [InlineData(null, "Data Source=x.db", null)]
    [InlineData(null, null, "DataSource (a path) or ConnectionString is required")]
    [InlineData(" ", "", "DataSource (a path) or ConnectionString is required")]
    [InlineData("x.db", "Data Source=x.db", "DataSource and ConnectionString are both set; give one")]
    [InlineData(":memory:", null, "DataSource must be a path but is ':memory:'; memory and URIs are not supported")]
    [InlineData(null, "Data Source=file:x?mode=memory", "Data Source in ConnectionString must be a path but is 'file:x?mode=memory'; memory and URIs are not supported")]
    [InlineData(null, "Data Source=x;Mode=Memory", "ConnectionString must not set Mode: the provider decides it")]
    [InlineData(null, "Data Source=x;Cache=Shared", "ConnectionString must not set Cache: the provider decides it")]
    [InlineData(null, "Foreign Keys=True", "Data Source in ConnectionString must be a path but is ''")]
    [InlineData(null, "nonsense", "ConnectionString is not valid: ")]
    public void ValidateConfiguration_WhereTheFileIs_IsCheckedByText(string? dataSource, string? connectionString, string? problem)
    {
        SqliteGrainStorageOptionsValidator validator = new(new() { DataSource = dataSource, ConnectionString = connectionString }, "devices");
        if (problem is null)
        {
            validator.ValidateConfiguration();
            return;
        }

        var exception = Assert.Throws<OrleansConfigurationException>(validator.ValidateConfiguration);
        Assert.StartsWith($"Invalid SqliteGrainStorageOptions for grain storage 'devices': {problem}", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ValidateConfiguration_SeveralProblems_ReportsAllOfThem()
    {
        var exception = Assert.Throws<OrleansConfigurationException>(() => Resolve(new()
        {
            ["ConnectionName"] = "nowhere",
            ["SerializerKey"] = "unknown",
            ["MaxPendingOperations"] = "0",
            ["MaxBatchSize"] = "many",
            ["ReadConnections"] = "65",
            ["BusyTimeout"] = "00:02:00",
        }));

        Assert.Equal(
            "Invalid SqliteGrainStorageOptions for grain storage 'devices': ConnectionName is 'nowhere' but ConnectionStrings:nowhere is not set; "
            + "SerializerKey is 'unknown' but no IGrainStorageSerializer is registered under it; MaxBatchSize is 'many', which is no Int32; "
            + "MaxPendingOperations must be 1 to 1000000 but is 0; ReadConnections must be 1 to 64 but is 65; "
            + "BusyTimeout must be 00:00:00 to 00:01:00 but is 00:02:00.",
            exception.Message);
    }

    [Theory]
    [InlineData("0")]
    [InlineData("2")]
    [InlineData("24:00:00")]
    public void ValidateConfiguration_TimeThatIsDaysToDotNet_IsRefused(string time) => Assert.Equal(
        $"Invalid SqliteGrainStorageOptions for grain storage 'devices': BusyTimeout must be hh:mm:ss, such as 00:01:00, but is '{time}'.",
        Assert.Throws<OrleansConfigurationException>(() => Resolve(new() { ["DataSource"] = "a.db", ["BusyTimeout"] = time })).Message);

    [Fact]
    public void Configure_Section_SetsTheOptions()
    {
        var options = Resolve(new()
        {
            ["ConnectionName"] = "store",
            ["SerializerKey"] = "other",
            ["MaxPendingOperations"] = "7",
            ["MaxBatchSize"] = "8",
            ["ReadConnections"] = "9",
            ["BusyTimeout"] = "00:00:03",
        });

        Assert.Equal("Data Source=named.db", options.ConnectionString);
        Assert.IsType<OtherSerializer>(options.GrainStorageSerializer);
        Assert.Equal((7, 8, 9, TimeSpan.FromSeconds(3)), (options.MaxPendingOperations, options.MaxBatchSize, options.ReadConnections, options.BusyTimeout));
        Assert.Equal("a.db", Resolve(new() { ["DataSource"] = "a.db" }).DataSource);
        Assert.IsType<SystemTextJsonGrainStorageSerializer>(Resolve(new() { ["DataSource"] = "a.db" }).GrainStorageSerializer);
    }

    [Fact]
    public void AddSqliteGrainStorage_SerializerUnderTheProvidersName_IsUsed()
    {
        OpenStore.TestSiloBuilder builder = new();
        builder.Services.AddKeyedSingleton<IGrainStorageSerializer>("devices", new OtherSerializer());
        builder.AddSqliteGrainStorage("devices", options => options.DataSource = "a.db");
        using var services = builder.Services.BuildServiceProvider();

        Assert.IsType<OtherSerializer>(GetOptions(services).GrainStorageSerializer);
    }

    [Fact]
    public void AddSqliteGrainStorage_Twice_IsOneProviderWithBothConfigurations()
    {
        OpenStore.TestSiloBuilder builder = new();
        builder.Services.AddSerializer().AddLogging();
        builder.AddSqliteGrainStorage("devices", options => options.DataSource = "a.db");
        builder.AddSqliteGrainStorage("devices", options => options.MaxBatchSize = 3);
        builder.AddSqliteGrainStorageAsDefault(options => options.DataSource = "b.db");
        using var services = builder.Services.BuildServiceProvider();

        Assert.Equal(("a.db", 3), (GetOptions(services).DataSource, GetOptions(services).MaxBatchSize));
        Assert.Equal(2, services.GetServices<ILifecycleParticipant<ISiloLifecycle>>().Count());
        Assert.Same(services.GetRequiredKeyedService<IGrainStorage>("devices"), services.GetRequiredKeyedService<IGrainStorageStatus>("devices"));
        Assert.Same(services.GetRequiredKeyedService<IGrainStorage>("Default"), services.GetRequiredService<IGrainStorage>());
        Assert.NotSame(services.GetRequiredKeyedService<IGrainStorage>("devices"), services.GetRequiredService<IGrainStorage>());
    }

    private static SqliteGrainStorageOptions Resolve(Dictionary<string, string?> section)
    {
        var configuration = new ConfigurationBuilder()
            .AddInMemoryCollection(section.ToDictionary(pair => $"section:{pair.Key}", pair => pair.Value))
            .AddInMemoryCollection(new Dictionary<string, string?> { ["ConnectionStrings:store"] = "Data Source=named.db" })
            .Build();
        OpenStore.TestSiloBuilder builder = new(configuration);
        builder.Services.AddSingleton<IConfiguration>(configuration);
        builder.Services.AddKeyedSingleton<IGrainStorageSerializer>("other", new OtherSerializer());
        new SqliteGrainStorageProviderBuilder().Configure(builder, "devices", configuration.GetSection("section"));
        using var services = builder.Services.BuildServiceProvider();
        foreach (var validator in services.GetServices<IConfigurationValidator>())
        {
            validator.ValidateConfiguration();
        }

        return GetOptions(services);
    }

    private static SqliteGrainStorageOptions GetOptions(IServiceProvider services) =>
        services.GetRequiredService<Microsoft.Extensions.Options.IOptionsMonitor<SqliteGrainStorageOptions>>().Get("devices");

    private sealed class OtherSerializer : IGrainStorageSerializer
    {
        public BinaryData Serialize<T>(T? input) => throw new NotSupportedException();

        public T Deserialize<T>(BinaryData input) => throw new NotSupportedException();
    }
}
