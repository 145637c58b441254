using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Storage;

namespace MqttDeviceCluster.Tests.Grains;

/// <summary>A storage with the default serializer that counts, holds back and fails writes by grain. Shared by all silos of a test cluster.</summary>
public sealed class FakeStorage
{
    private readonly ConcurrentDictionary<string, Row> _rows = new();

    public Row Of(string deviceId) => _rows.GetOrAdd(deviceId, static _ => new());

    internal static IGrainStorage Create(IServiceProvider services) =>
        new Storage(services.GetRequiredService<FakeStorage>(), services.GetRequiredService<IGrainStorageSerializer>());

    public sealed class Row
    {
        public BinaryData? Data { get; set; }

        public int ETag { get; set; }

        public int Writes { get; set; }

        /// <summary>Gets or sets what every write waits for, and fails with.</summary>
        public Func<Task> BeforeWrite { get; set; } = static () => Task.CompletedTask;

        /// <summary>Gets or sets what every read waits for: so long the grain's activation takes.</summary>
        public Func<Task> BeforeRead { get; set; } = static () => Task.CompletedTask;
    }

    private sealed class Storage(FakeStorage rows, IGrainStorageSerializer serializer) : IGrainStorage
    {
        public async Task ReadStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
        {
            var row = rows.Of(grainId.Key.ToString()!);
            await row.BeforeRead();
            if (row.Data is not null)
            {
                grainState.State = serializer.Deserialize<T>(row.Data);
                grainState.ETag = row.ETag.ToString(System.Globalization.CultureInfo.InvariantCulture);
                grainState.RecordExists = true;
            }
        }

        public async Task WriteStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
        {
            var row = rows.Of(grainId.Key.ToString()!);
            await row.BeforeWrite();
            var known = grainState.ETag ?? "0";
            if (known != row.ETag.ToString(System.Globalization.CultureInfo.InvariantCulture))
            {
                throw new InconsistentStateException($"ETag {known} is not {row.ETag}.");
            }

            row.Data = serializer.Serialize(grainState.State);
            row.ETag++;
            row.Writes++;
            grainState.ETag = row.ETag.ToString(System.Globalization.CultureInfo.InvariantCulture);
            grainState.RecordExists = true;
        }

        public async Task ClearStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
        {
            var row = rows.Of(grainId.Key.ToString()!);
            await row.BeforeWrite();
            row.Data = null;
            row.ETag = 0;
            grainState.State = Activator.CreateInstance<T>();
            grainState.ETag = null;
            grainState.RecordExists = false;
        }
    }
}
