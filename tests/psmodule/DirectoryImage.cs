// What the forests hold, read past the controller: what cmdlets are believed to have done is looked up here.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text.Json;

namespace Umx.Tests;

sealed class DirectoryImage
{
    readonly Dictionary<string, string> entries = new(StringComparer.Ordinal);

    public static DirectoryImage Take(params string[] forests)
    {
        var start = new ProcessStartInfo("/usr/bin/python3") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var word in new[] { Path.Combine(Stage.Source, "tests/psmodule/dump.py"), Stage.Lab }.Concat(forests))
            start.ArgumentList.Add(word);
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var image = new DirectoryImage();
        var text = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException("dump.py: " + error.Result);
        foreach (var forest in JsonDocument.Parse(text).RootElement.EnumerateObject())
            foreach (var entry in forest.Value.EnumerateObject())
                image.entries[entry.Name] = entry.Value.GetRawText();
        return image;
    }

    public int Count => entries.Count;

    /// The DNs that are other than in an earlier image, sorted.
    public string[] ChangedSince(DirectoryImage before) =>
        [.. entries.Keys.Union(before.entries.Keys)
            .Where(dn => entries.GetValueOrDefault(dn) != before.entries.GetValueOrDefault(dn)).Order(StringComparer.Ordinal)];

    public bool Has(string dn) => entries.ContainsKey(dn);
}
