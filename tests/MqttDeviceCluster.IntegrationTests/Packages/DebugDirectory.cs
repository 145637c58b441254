using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace MqttDeviceCluster.IntegrationTests.Packages;

/// <summary>What an assembly says of how it was built, and of the symbols that are its own.</summary>
internal sealed class DebugDirectory
{
    private readonly BlobContentId _symbols;
    private readonly PdbChecksumDebugDirectoryData _checksum;

    /// <summary>Reads the debug directory of an assembly whose symbols are in a file of their own.</summary>
    public DebugDirectory(byte[] assembly)
    {
        using PEReader reader = new(ImmutableCollectionsMarshal.AsImmutableArray(assembly));
        var entries = reader.ReadDebugDirectory();
        IsDeterministic = entries.Any(static entry => entry.Type == DebugDirectoryEntryType.Reproducible);
        var codeView = Assert.Single(entries, static entry => entry.Type == DebugDirectoryEntryType.CodeView);
        _symbols = new(reader.ReadCodeViewDebugDirectoryData(codeView).Guid, codeView.Stamp);
        _checksum = reader.ReadPdbChecksumDebugDirectoryData(Assert.Single(entries, static entry => entry.Type == DebugDirectoryEntryType.PdbChecksum));
    }

    /// <summary>Gets whether the same sources give the same bytes.</summary>
    public bool IsDeterministic { get; }

    /// <summary>Returns why a debugger would not take a portable pdb for the assembly's, or <see langword="null"/>.</summary>
    public string? Misfit(byte[] pdb)
    {
        using var symbols = MetadataReaderProvider.FromPortablePdbImage(ImmutableCollectionsMarshal.AsImmutableArray(pdb));
        var header = symbols.GetMetadataReader().DebugMetadataHeader!;
        if (new BlobContentId(header.Id) != _symbols)
        {
            return $"The pdb is {new Guid(header.Id.AsSpan()[..16])}, and the assembly's is {_symbols.Guid}.";
        }

        // The id is made of the checksum, so the checksum is of a file without it.
        var content = pdb.ToArray();
        content.AsSpan(header.IdStartOffset, header.Id.Length).Clear();
        return CryptographicOperations.HashData(new HashAlgorithmName(_checksum.AlgorithmName), content).AsSpan().SequenceEqual(_checksum.Checksum.AsSpan())
            ? null
            : $"The pdb's content has another {_checksum.AlgorithmName} than the assembly says.";
    }
}
