// The examples of a page of psmodule/help: commands, and the output that the page shows.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.RegularExpressions;

namespace Umx.Tests;

/// What the comments before an example ask for: `<!-- before: SCRIPT -->` and `<!-- after: SCRIPT -->` run unseen,
/// `<!-- as: FOREST -->` is who runs it, `<!-- lines: N -->` is how much of a command's output is shown, `<!-- not run: WHY -->`.
sealed record Example(string Page, string Title, List<(string Command, string Output)> Commands,
    IReadOnlyDictionary<string, string> Asks)
{
    public bool Runs => !Asks.ContainsKey("not run");
    public string Name => $"{Page}: {Title}";
}

sealed class HelpPage
{
    static readonly Regex block = new(
        @"^### (?<title>[^\n]+)\n+(?<asks>(?:<!--.*?-->\s*)*)```powershell\n(?<code>.*?)\n```", RegexOptions.Singleline | RegexOptions.Multiline);
    static readonly Regex ask = new(@"<!-- *(?<what>before|after|as|lines|varies|not run): *(?<how>.*?) *-->", RegexOptions.Singleline);

    readonly string path;
    string text;
    public string Name { get; }

    HelpPage(string name)
    {
        Name = name;
        path = Path.Combine(Folder, name + ".md");
        text = File.ReadAllText(path);
    }

    static string Folder => Path.Combine(Stage.Source, "psmodule/help");

    /// The pages in the order of contents.txt, and what a Markdown topic shows too.
    public static IEnumerable<HelpPage> All() =>
        File.ReadLines(Path.Combine(Folder, "contents.txt")).Where(l => l.StartsWith(' ')).Select(l => new HelpPage(l.Trim()));

    public IEnumerable<Example> Examples()
    {
        foreach (Match match in block.Matches(text))
            yield return new Example(Name, match.Groups["title"].Value, Commands(match.Groups["code"].Value),
                ask.Matches(match.Groups["asks"].Value).ToDictionary(m => m.Groups["what"].Value, m => m.Groups["how"].Value));
    }

    /// Puts other output in place of what the page shows.
    public void Rewrite(Example example, IEnumerable<string> outputs)
    {
        var code = new StringBuilder();
        foreach (var ((command, _), output) in example.Commands.Zip(outputs))
            code.Append("PS> ").Append(command.Replace("\n", "\n>> ")).Append('\n').Append(output.Length > 0 ? output + "\n" : "");
        text = block.Replace(text, m => m.Groups["title"].Value == example.Title
            ? m.Value[..(m.Groups["code"].Index - m.Index)] + code.ToString().TrimEnd('\n') + "\n```" : m.Value);
        File.WriteAllText(path, text);
    }

    static List<(string, string)> Commands(string code)
    {
        var found = new List<(string Command, List<string> Output)>();
        foreach (var line in code.Split('\n'))
        {
            if (line.StartsWith("PS> ", StringComparison.Ordinal))
                found.Add((line[4..], []));
            else if (line.StartsWith(">> ", StringComparison.Ordinal))
                found[^1] = (found[^1].Command + "\n" + line[3..], found[^1].Output);
            else
                found[^1].Output.Add(line);
        }
        return [.. found.Select(f => (f.Command, string.Join("\n", f.Output).Trim('\n')))];
    }
}
