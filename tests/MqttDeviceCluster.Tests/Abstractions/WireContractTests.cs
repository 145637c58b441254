using System.Reflection;
using System.Text;
using MqttDeviceCluster.Storage;
using MqttDeviceCluster.Streaming.Mqtt;

namespace MqttDeviceCluster.Tests.Abstractions;

/// <summary>
/// Holds what silos of two versions send each other to WireContracts.txt: names, numbers and types of all that is serialized. A member or a value that is added changes that file, which is
/// in order; one that changes its number, its name or its type breaks a rolling upgrade.
/// </summary>
public sealed class WireContractTests
{
    private static readonly Assembly[] Assemblies = [typeof(IDeviceGrain).Assembly, typeof(DeviceGrain).Assembly, typeof(MqttStreamOptions).Assembly, typeof(GrainStorageUnavailableException).Assembly];

    private static readonly NullabilityInfoContext Nullability = new();

    [Fact]
    public void Types_ThatAreSerialized_AreWhatTheFileSays()
    {
        var file = Path.Combine(AppContext.BaseDirectory, "Abstractions", "WireContracts.txt");
        var actual = Describe();

        Assert.True(actual == File.ReadAllText(file), $"Abstractions/WireContracts.txt should be:\n{actual}");
    }

    [Fact]
    public void Types_ThatAreSerialized_HaveANameThatDoesNotFollowTheCode()
    {
        Assert.True(Serialized().Count() > 40);
        Assert.All(Serialized(), static type => Assert.NotNull(type.GetCustomAttribute<AliasAttribute>(inherit: false)));
    }

    private static IEnumerable<Type> Serialized() => Assemblies.SelectMany(static assembly => assembly.GetTypes())
        .Where(static type => type.GetCustomAttribute<GenerateSerializerAttribute>(inherit: false) is not null);

    private static string Describe()
    {
        StringBuilder text = new();
        var enumerations = Serialized().SelectMany(Members).SelectMany(static member => PartsOf(member.Type)).Where(static type => type.IsEnum).Distinct();
        foreach (var type in Serialized().Concat(enumerations).OrderBy(NameOf, StringComparer.Ordinal))
        {
            text.Append(NameOf(type)).Append(type.BaseType is { } parent && parent != typeof(object) && parent != typeof(ValueType) && parent != typeof(Enum) ? $" : {NameOf(parent)}" : "").Append('\n');
            foreach (var line in type.IsEnum ? ValuesOf(type) : MembersOf(type))
            {
                text.Append("  ").Append(line).Append('\n');
            }
        }

        return text.ToString();
    }

    private static IEnumerable<string> ValuesOf(Type type) => Enum.GetNames(type).Select(name => $"{Convert.ToInt64(Enum.Parse(type, name), null)} {name}");

    private static IEnumerable<string> MembersOf(Type type) => Members(type).OrderBy(static member => member.Id).Select(static member =>
        $"{member.Id} {member.Name} {NameOf(member.Type)}{(member.MayBeNull && Nullable.GetUnderlyingType(member.Type) is null ? "?" : "")}");

    private static IEnumerable<(uint Id, string Name, Type Type, bool MayBeNull)> Members(Type type)
    {
        const BindingFlags Own = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;
        foreach (var property in type.GetProperties(Own))
        {
            if (property.GetCustomAttribute<IdAttribute>() is { Id: var id })
            {
                yield return (id, property.Name, property.PropertyType, Nullability.Create(property).ReadState == NullabilityState.Nullable);
            }
        }

        foreach (var field in type.GetFields(Own))
        {
            if (field.GetCustomAttribute<IdAttribute>() is { Id: var id })
            {
                yield return (id, field.Name, field.FieldType, Nullability.Create(field).ReadState == NullabilityState.Nullable);
            }
        }
    }

    private static IEnumerable<Type> PartsOf(Type type) =>
        type.IsArray ? PartsOf(type.GetElementType()!) : type.IsGenericType ? type.GetGenericArguments().SelectMany(PartsOf) : [type];

    private static string NameOf(Type type)
    {
        if (Nullable.GetUnderlyingType(type) is { } inner)
        {
            return $"{NameOf(inner)}?";
        }

        var name = type.GetCustomAttribute<AliasAttribute>(inherit: false)?.Alias ?? type.FullName?.Split('[')[0].Split('`')[0] ?? type.Name;
        return type.IsArray ? $"{NameOf(type.GetElementType()!)}[]"
            : type.IsGenericType ? $"{name}<{string.Join(", ", type.GetGenericArguments().Select(NameOf))}>"
            : name;
    }
}
