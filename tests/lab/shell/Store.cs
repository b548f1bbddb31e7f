// Files in JSON that stand in for what is kept neither in a directory nor in a registry: Lync's configuration store, one
// for each forest, and lists of a recorded host. A change holds the store's lock from its reading to its writing.
using System;
using System.Collections;
using System.Collections.Concurrent;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading;

namespace Umx.Lab;

public sealed class Store : IDisposable
{
    static readonly ConcurrentDictionary<string, object> locks = new();
    readonly string path;

    Store(string path)
    {
        this.path = path;
        Monitor.Enter(locks.GetOrAdd(path, _ => new object()));
        Root = From(JsonNode.Parse(File.ReadAllText(path)));
    }

    /// <summary>Hashtables, ArrayLists, texts, numbers, booleans.</summary>
    public object? Root { get; set; }

    /// <summary>The configuration store of a forest; Dispose it.</summary>
    public static Store OfForest(string forest) => new(Path.Combine(Place.Folder, "stores", forest + ".json"));

    /// <summary>A file of a recorded host; Dispose it.</summary>
    public static Store OfHost(Host host, string name) => new(Path.Combine(host.Folder, name));

    public void Save()
    {
        var text = JsonSerializer.Serialize(Plain(Root), new JsonSerializerOptions { WriteIndented = true });
        File.WriteAllText(path + ".new", text + "\n");
        File.Move(path + ".new", path, overwrite: true);
        Pause.Take();
    }

    public void Dispose() => Monitor.Exit(locks.GetOrAdd(path, _ => new object()));

    // What has been through a pipeline is wrapped.
    static object? Plain(object? value) => value switch
    {
        PSObject wrapped => Plain(wrapped.BaseObject),
        Hashtable members => members.Keys.Cast<object>().ToDictionary(key => key.ToString()!, key => Plain(members[key])),
        IList items => items.Cast<object?>().Select(Plain).ToArray(),
        _ => value,
    };

    static object? From(JsonNode? node) => node switch
    {
        null => null,
        JsonObject members => new Hashtable(members.ToDictionary(m => m.Key, m => From(m.Value)), StringComparer.OrdinalIgnoreCase),
        JsonArray items => new ArrayList(items.Select(From).ToArray()),
        JsonValue value when value.TryGetValue<long>(out var number) => number,
        JsonValue value when value.TryGetValue<bool>(out var yes) => yes,
        _ => node.ToString(),
    };
}
