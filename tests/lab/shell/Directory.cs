// The lab's directories, by the OpenLDAP tools: what they print is what the tests see too. The shell's account is the
// forest's administrator.
using System;
using System.Collections;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text;

namespace Umx.Lab;

public sealed class DirectoryException : Exception
{
    public DirectoryException(string message) : base(message) { }
}

public static class Directory
{
    const int Deadline = 30_000;

    public static string Base(string forest) => (string)Place.Forest(forest)["base_dn"]!;
    public static string Configuration(string forest) => (string)Place.Forest(forest)["config_dn"]!;

    /// <summary>Objects as hashtables: dn, and each attribute as an array of texts. Nothing there is an empty array.</summary>
    public static Hashtable[] Search(string forest, string searchBase, string scope, string filter, params string[] attributes)
    {
        var (code, output, error) = Run("ldapsearch", forest, null, new[] { "-LLL", "-o", "ldif-wrap=no", "-b", searchBase, "-s", scope,
            "-E", "pr=500/noprompt", filter }.Concat(attributes));
        if (code == 32)
            return Array.Empty<Hashtable>();
        if (code != 0)
            throw new DirectoryException(error.Trim());
        return Parse(output).ToArray();
    }

    /// <summary>One request in LDIF; the message of an error is the directory's.</summary>
    public static void Modify(string forest, string ldif)
    {
        var (code, _, error) = Run("ldapmodify", forest, ldif, Array.Empty<string>());
        if (code != 0)
            throw new DirectoryException(error.Trim());
        Pause.Take();
    }

    /// <summary>A line of LDIF for a value of any text.</summary>
    public static string Line(string name, string value) =>
        $"{name}:: {Convert.ToBase64String(Encoding.UTF8.GetBytes(value))}\n";

    /// <summary>The value of a search filter.</summary>
    public static string Escape(string value)
    {
        var text = new StringBuilder();
        foreach (var one in Encoding.UTF8.GetBytes(value))
            text.Append(one is (byte)'*' or (byte)'(' or (byte)')' or (byte)'\\' or > 126 or < 32 ? $"\\{one:x2}" : ((char)one).ToString());
        return text.ToString();
    }

    /// <summary>objectGUID as a filter wants it.</summary>
    public static string GuidFilter(string guid) =>
        string.Concat(Guid.Parse(guid).ToByteArray().Select(one => $"\\{one:x2}"));

    public static string Rdn(string name)
    {
        var text = string.Concat(name.Select(c => ",+\"\\<>;=".Contains(c) ? "\\" + c : c.ToString()));
        return text.StartsWith(' ') || text.StartsWith('#') ? "\\" + text : text;
    }

    static (int, string, string) Run(string tool, string forest, string? input, IEnumerable<string> arguments)
    {
        var facts = Place.Forest(forest);
        var start = new ProcessStartInfo(tool)
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
        };
        foreach (var argument in new[] { "-x", "-ZZ", "-o", "nettimeout=10", "-H", "ldap://" + (string)facts["domain_controllers"]![0]!["fqdn"]!,
                     "-D", (string)facts["admin"]!["user"]!, "-y", (string)facts["admin"]!["password_file"]! }.Concat(arguments))
            start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        if (input != null)
            process.StandardInput.Write(input);
        process.StandardInput.Close();
        if (!process.WaitForExit(Deadline))
        {
            process.Kill();
            throw new DirectoryException($"{forest}: no answer within {Deadline / 1000} s");
        }
        return (process.ExitCode, output.Result, error.Result);
    }

    static IEnumerable<Hashtable> Parse(string ldif)
    {
        foreach (var block in ldif.Split("\n\n"))
        {
            var entry = new Hashtable(StringComparer.OrdinalIgnoreCase);
            foreach (var line in block.Split('\n'))
            {
                var colon = line.IndexOf(':');
                if (line.StartsWith('#') || colon < 1)
                    continue;
                var name = line[..colon];
                var encoded = line.Length > colon + 1 && line[colon + 1] == ':';
                var bytes = encoded ? Convert.FromBase64String(line[(colon + 2)..].Trim()) : Encoding.UTF8.GetBytes(line[(colon + 1)..].Trim());
                var value = string.Equals(name, "objectGUID", StringComparison.OrdinalIgnoreCase) ? new Guid(bytes).ToString() : Encoding.UTF8.GetString(bytes);
                if (name == "dn")
                    entry["dn"] = value;
                else
                    entry[name] = (entry[name] as string[] ?? Array.Empty<string>()).Append(value).ToArray();
            }
            if (entry.ContainsKey("dn"))
                yield return entry;
        }
    }
}
