// The lab as lab.json tells it, and the recorded host that a script runs on.
using System;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Umx.Lab;

public static class Place
{
    public static string Folder { get; private set; } = "";
    static JsonNode lab = new JsonObject();

    public static void Open(string folder)
    {
        Folder = Path.GetFullPath(folder);
        lab = JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, "lab.json")))!;
    }

    internal static JsonNode Server(string fqdn) =>
        lab["servers"]!.AsArray().Single(s => string.Equals((string)s!["fqdn"]!, fqdn, StringComparison.OrdinalIgnoreCase))!;

    internal static JsonNode Forest(string name) =>
        lab["forests"]![name] ?? throw new ArgumentException($"no forest {name} in this lab");
}

/// <summary>$Here of a script.</summary>
public sealed class Host
{
    readonly JsonNode server;

    public Host(string folder)
    {
        Folder = Path.GetFullPath(folder);
        server = Place.Server(Path.GetFileName(Folder.TrimEnd('/')));
    }

    public string Folder { get; }
    public string Fqdn => (string)server["fqdn"]!;
    public string Forest => (string)server["forest"]!;
    public string Version => (string)server["version"]!;
    /// <summary>Exchange or Lync: the name of the stand-in module.</summary>
    public string Product => (string)server["product"]! == "exchange" ? "Exchange" : "Lync";

    /// <summary>Another server of this lab.</summary>
    public Host Other(string fqdn)
    {
        var other = (string)Place.Server(fqdn)["host_dir"]!;
        return new Host(other);
    }
}
