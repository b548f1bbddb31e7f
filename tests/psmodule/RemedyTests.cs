// Advice names cmdlets: every command of `umx` in a remedy of the checks, of the errors and of what the controller says beside
// them has a cmdlet, and what stands there instead is a command that PowerShell takes: known parameters, no syntax error.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Language;
using System.Reflection;
using System.Text.RegularExpressions;
using Xunit;
using Xunit.Abstractions;

namespace Umx.Tests;

[Collection("engine")]
public sealed class RemedyTests(ITestOutputHelper output)
{
    static readonly Regex command = new(@"`(umx (?:\\.|[^`])*)`");
    static readonly Regex joined = new("\"\\s*\n\\s*\"");

    /// Commands within back-quotes in strings of the sources, and of the registries' pages.
    static string[] Told()
    {
        var files = Directory.GetFiles(Path.Combine(Stage.Source, "native/phases"), "*.[ch]")
            .Concat(Directory.GetFiles(Path.Combine(Stage.Source, "native/controller"), "*.[ch]"))
            .Append(Path.Combine(Stage.Source, "native/base/errors.def")).Select(f => joined.Replace(File.ReadAllText(f), ""))
            .SelectMany(text => Regex.Matches(text, "\"(?:\\\\.|[^\"\\\\\n])*\"").Select(m => m.Value.Replace("\\\"", "\"")))
            .Where(text => !text.Contains("_CHECK_DOC"));
        var pages = new[] { "docs/checks.md", "docs/errors.md" }.SelectMany(p => File.ReadLines(Path.Combine(Stage.Source, p)))
            .Where(line => line.StartsWith('|')).Select(line => line[line.TrimEnd('|', ' ').LastIndexOf('|')..]);
        return [.. files.Concat(pages).SelectMany(text => command.Matches(text)).Select(m => m.Groups[1].Value
            .Replace("%lld", "7").Replace("%zu", "7").Replace("begin%s", "begin").Replace("%s", "x").Replace("\\|", "|")).Distinct().Order(StringComparer.Ordinal)];
    }

    [Fact]
    public void Every_remedy_has_its_cmdlet()
    {
        using var shell = new Shell();
        var cmdlets = Cmdlets.Of(shell).ToDictionary(c => c.Name, StringComparer.OrdinalIgnoreCase);
        var words = cmdlets.Values.First().ImplementingType.Assembly.GetType("Umx.Remedies", throwOnError: true)!
            .GetMethod("CommandsOf", BindingFlags.Static | BindingFlags.NonPublic)!.CreateDelegate<Func<string, string?>>();
        var wrong = new List<string>();
        var told = Told();
        foreach (var one in told)
            if (words("see `" + one + "`") is not { } said)
                wrong.Add($"{one}: no cmdlet");
            else
            {
                output.WriteLine($"{one}\n    {said}");
                wrong.AddRange(Problems(said, cmdlets).Select(problem => $"{one} is {said}: {problem}"));
            }
        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
        Assert.True(told.Length > 40, $"{told.Length}: the commands are not found");
    }

    static IEnumerable<string> Problems(string said, Dictionary<string, CmdletInfo> cmdlets)
    {
        var script = Parser.ParseInput(said, out _, out var errors);
        foreach (var error in errors)
            yield return error.Message;
        foreach (CommandAst one in script.FindAll(a => a is CommandAst, true))
        {
            if (one.GetCommandName() is "Get-Help" or "Get-Content" or "ForEach-Object")
                continue;
            if (!cmdlets.TryGetValue(one.GetCommandName() ?? "", out var cmdlet))
                yield return one + " is no cmdlet of the module";
            else
                foreach (var parameter in one.CommandElements.OfType<CommandParameterAst>().Where(p => !cmdlet.Parameters.ContainsKey(p.ParameterName)))
                    yield return $"{cmdlet.Name} has no {parameter}";
        }
    }

    [Fact]
    public void A_finding_names_the_cmdlet_beside_the_command()
    {
        using var shell = Shell.Connected();
        var findings = shell.Run("Test-UmxIntegration -Phase exchucutil -Pair contoso.test:lync.test").Good().Output;
        Assert.All(findings, f => Assert.NotNull(f.Properties["RemedyCommand"])); // the member is always there
        var planned = findings.Where(f => f.Text("Remedy").Contains("`umx plan create ")).ToArray();
        Assert.NotEmpty(planned);
        Assert.All(planned, f => Assert.StartsWith("New-UmxPlan NAME -Phase exchucutil -Pair contoso.test:lync.test", f.Text("RemedyCommand")));
    }
}
