// The examples in the help run, in the order of the pages; what they say otherwise than the pages show is an error. What changes from one run to the next
// (times, hashes, numbers given by the lab, the order of rows) is not compared; where a page shows the beginning of a long
// output, its columns and members are. What an example finds may depend on the moment: `<!-- varies: WHY -->`.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using Xunit;
using Xunit.Abstractions;

namespace Umx.Tests;

[Collection("engine")]
public sealed class ExampleTests(ITestOutputHelper output) : IDisposable
{
    const int Width = 100;
    static readonly (Regex Volatile, string Written)[] normal =
    [
        (new(@"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?"), "<time>"),
        (new(@"\b\d{1,2}/\d{1,2}/\d{4}( \d{1,2}:\d\d(:\d\d)?( [AP]M)?)?"), "<time>"),
        (new(@"\b\d{1,2}:\d\d:\d\d(\.\d+)?\b"), "<time>"),
        (new(@"\bS-1-5-21-[\d-]+"), "<sid>"),
        (new(@"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", RegexOptions.IgnoreCase), "<guid>"),
        (new(@"\b(umx1|umxt)[A-Za-z0-9_.-]{16,}"), "<token>"),
        (new(@"\b[0-9a-f]{8,}(\b|…|\.\.\.)", RegexOptions.IgnoreCase), "<hex>"),
        (new(@"\b\d+([.,]\d+)? ?(ms|s|sec|m|min|h|d|days|MB|KB|kB|bytes)\b"), "<amount>"),
        (new(@"(/[\w.@-]+){3,}"), "<path>"),
        (new(@"\b\d{3,}\b"), "<number>"),
        (new(@"[-─]{2,}"), "--"),
        (new(@"\s+"), " "),
    ];

    readonly string place = Path.Combine(Stage.Output, "examples");
    readonly Dictionary<string, Shell> shells = [];

    public void Dispose()
    {
        foreach (var shell in shells.Values)
            shell.Dispose();
    }

    [Fact]
    public void Every_example_runs()
    {
        CopyIdentities();
        ShellOf("contoso.test").Run("Test-UmxIntegration -Quiet").Good(); // the forests are read, whatever ran before
        var wrong = new List<string>();
        var other = new List<string>();
        int ran = 0, told = 0;
        foreach (var page in HelpPage.All())
            foreach (var example in page.Examples())
            {
                if (!example.Runs)
                {
                    told++;
                    continue;
                }
                ran++;
                var outputs = Play(example, wrong);
                if (Stage.Rewrite)
                    page.Rewrite(example, outputs);
                else
                    other.AddRange(example.Commands.Zip(outputs).Where(c => !Same(example, c.First.Output, c.Second)).Select(
                        c => $"{example.Name}\nPS> {c.First.Command}\n--- shown\n{c.First.Output}\n--- said\n{c.Second}\n"));
            }
        Assert.True(wrong.Count == 0, $"{wrong.Count} of {ran} examples:\n{string.Join("\n", wrong)}");
        Assert.True(ran > 0);
        Assert.True(other.Count == 0, $"{other.Count} outputs are other than shown\n{string.Join("\n", other)}");
        output.WriteLine($"{ran} examples executed, {told} not: their pages say why");
    }

    void CopyIdentities()
    {
        Directory.CreateDirectory(place);
        foreach (var forest in new[] { "contoso.test", "fabrikam.test", "lync.test" })
            File.Copy(Stage.Identity(forest), Path.Combine(place, forest.Split('.')[0] + ".pem"), overwrite: true);
        File.Copy(Stage.Root, Path.Combine(place, "root.pem"), overwrite: true);
    }

    List<string> Play(Example example, List<string> wrong)
    {
        var shell = ShellOf(example.Asks.GetValueOrDefault("as", "contoso.test"));
        var outputs = new List<string>();
        var limit = int.Parse(example.Asks.GetValueOrDefault("lines", "1000"));
        Unseen(shell, example, "before", wrong);
        shell.Host.Answer = 0;
        foreach (var (command, _) in example.Commands)
        {
            string said;
            try
            {
                said = shell.Render(command);
            }
            catch (System.Management.Automation.RuntimeException error)
            {
                said = "";
                wrong.Add($"{example.Name}\nPS> {command}\n{error.ErrorRecord.FullyQualifiedErrorId}: {error.Message}\n");
            }
            outputs.Add(Shown(said, limit));
        }
        Unseen(shell, example, "after", wrong);
        return outputs;
    }

    Shell ShellOf(string forest)
    {
        if (!shells.TryGetValue(forest, out var shell))
        {
            shells[forest] = shell = Shell.Connected(forest, Width);
            shell.GoTo(place);
            shell.Run(UtilityStandIns.Script).Good();
        }
        return shell;
    }

    static void Unseen(Shell shell, Example example, string when, List<string> wrong)
    {
        if (!example.Asks.TryGetValue(when, out var script))
            return;
        var outcome = shell.Run("$ConfirmPreference = 'None'; " + script);
        if (outcome.Thrown is not null || outcome.Errors.Count > 0)
            wrong.Add($"{example.Name}: {when}: {outcome.Thrown?.Message ?? outcome.Errors[0].ToString()}");
    }

    /// The test's own places are nobody else's: an administrator's stand for them.
    string Shown(string said, int limit)
    {
        said = said.Replace(place + "/", "/home/olga/").Replace(Stage.Module, "/usr/share/powershell/Modules/Umx").Replace(Stage.Lab, "/home/olga");
        var lines = said.Trim('\n').Split('\n').Select(l => l.TrimEnd()).ToList();
        return string.Join("\n", lines.Count > limit ? [.. lines.Take(limit), "..."] : lines);
    }

    static bool Same(Example example, string shown, string said) => example.Asks.ContainsKey("varies") || Normal(shown).SequenceEqual(Normal(said)) ||
        (example.Asks.ContainsKey("lines") && Shape(shown).SequenceEqual(Shape(said)));

    static IEnumerable<string> Normal(string text) => text.Split('\n')
        .Select(line => normal.Aggregate(line, (said, rule) => rule.Volatile.Replace(said, rule.Written)).Trim())
        .Where(line => line.Length > 0).Order(StringComparer.Ordinal);

    /// The first line of a table, or the members of the first object of a list that are in both.
    static IEnumerable<string> Shape(string text)
    {
        var lines = text.Split('\n').Where(l => l.Length > 0).ToArray();
        return lines.Length == 0 ? [] : Regex.Match(lines[0], @"^(\w+) +: ") is { Success: true } member
            ? [member.Groups[1].Value] : [Regex.Replace(lines[0], @"\s+", " ").Trim()];
    }
}
