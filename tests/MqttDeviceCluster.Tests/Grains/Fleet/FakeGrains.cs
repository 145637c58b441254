using System.Reflection;

namespace MqttDeviceCluster.Tests.Grains.Fleet;

/// <summary>An <see cref="IGrainFactory"/> whose grains the test makes.</summary>
public class FakeGrains : DispatchProxy
{
    private Func<Type, object, object> _getGrain = static (type, _) => throw new NotSupportedException(type.Name);

    /// <summary>Gets the observers that have a reference and were not let go.</summary>
    public List<object> References { get; } = [];

    public static IGrainFactory Create(Func<Type, object, object> getGrain)
    {
        var factory = Create<IGrainFactory, FakeGrains>();
        Of(factory)._getGrain = getGrain;
        return factory;
    }

    public static FakeGrains Of(IGrainFactory factory) => (FakeGrains)(object)factory;

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        switch (targetMethod!.Name)
        {
            case nameof(IGrainFactory.GetGrain):
                return _getGrain(targetMethod.GetGenericArguments()[0], args![0]!);
            case nameof(IGrainFactory.CreateObjectReference):
                References.Add(args![0]!);
                return args[0];
            case nameof(IGrainFactory.DeleteObjectReference):
                References.Remove(args![0]!);
                return null;
            default:
                throw new NotSupportedException(targetMethod.Name);
        }
    }
}
