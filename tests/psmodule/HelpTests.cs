// Get-Help tells everything about every cmdlet.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using Xunit;
using Xunit.Abstractions;

namespace Umx.Tests;

[Collection("engine")]
public sealed class HelpTests(ITestOutputHelper output)
{
    static readonly string[] Topics = ["about_Umx", "about_Umx_Plans", "about_Umx_Errors", "about_Umx_From_ExchUCUtil"];

    [Fact]
    public void Every_cmdlet_has_synopsis_description_parameters_and_examples()
    {
        using var shell = new Shell();
        var wrong = new List<string>();
        int parameters = 0, examples = 0;
        var cmdlets = Cmdlets.Of(shell);
        foreach (var cmdlet in cmdlets)
        {
            var help = shell.Run("Get-Help $args[0] -Full", cmdlet.Name).One();
            void Need(bool there, string what)
            {
                if (!there)
                    wrong.Add($"{cmdlet.Name}: {what}");
            }
            var synopsis = help.Text("Synopsis").Trim();
            Need(synopsis.Length > 20 && !synopsis.StartsWith(cmdlet.Name, StringComparison.Ordinal), "synopsis");
            Need(TextOf(help.Properties["description"]?.Value).Length > 60, "description");
            var described = Members(help, "parameters", "parameter").ToDictionary(p => p.Text("name"), p => TextOf(p.Properties["description"]?.Value),
                StringComparer.OrdinalIgnoreCase);
            foreach (var parameter in Cmdlets.ParametersOf(cmdlet))
                Need(described.GetValueOrDefault(parameter.Name, "").Length > 10, "-" + parameter.Name);
            parameters += described.Count;
            Need(described.Keys.All(cmdlet.Parameters.ContainsKey), "a parameter that is none");
            var shown = Members(help, "examples", "example").ToList();
            Need(shown.Count >= 2, "two examples");
            Need(shown.All(e => TextOf(e.Properties["code"]?.Value).StartsWith("PS> ", StringComparison.Ordinal)), "examples with commands");
            examples += shown.Count;
        }
        Assert.True(wrong.Count == 0, $"{wrong.Count} gaps:\n{string.Join("\n", wrong)}");
        output.WriteLine($"{cmdlets.Length} cmdlets, {parameters} parameters described, {examples} examples");
    }

    [Fact]
    public void Topics_are_shown()
    {
        using var shell = new Shell(width: 80);
        foreach (var topic in Topics)
        {
            var text = string.Concat(shell.Run("Get-Help $args[0]", topic).Good().Output.Select(o => o.ToString()));
            Assert.Contains(topic, text);
            Assert.True(text.Length > 1000, topic);
            Assert.All(text.Split('\n'), line => Assert.True(line.TrimEnd().Length <= 80, line));
        }
    }

    [Fact]
    public void Help_is_rendered_in_a_narrow_window()
    {
        using var shell = new Shell(width: 80);
        var text = shell.Render("Get-Help Get-UmxAgent -Examples");
        Assert.Contains("Get-UmxAgent", text);
        Assert.Contains("PS> ", text);
    }

    static IEnumerable<PSObject> Members(PSObject help, string outer, string inner)
    {
        var group = help.Properties[outer]?.Value;
        var list = group is null ? null : PSObject.AsPSObject(group).Properties[inner]?.Value;
        list = list is PSObject wrapped && wrapped.BaseObject is not PSCustomObject ? wrapped.BaseObject : list;
        return list switch
        {
            null => [],
            IEnumerable<PSObject> many => many,
            object[] many => many.Select(PSObject.AsPSObject),
            _ => [PSObject.AsPSObject(list)],
        };
    }

    static string TextOf(object? value) => value switch
    {
        null => "",
        string text => text,
        PSObject one when one.BaseObject is PSCustomObject => one.Properties["Text"]?.Value as string ?? "",
        PSObject one => TextOf(one.BaseObject),
        object[] many => string.Join("\n", many.Select(TextOf)),
        _ => value.ToString() ?? "",
    };
}
