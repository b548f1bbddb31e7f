// What administrators' scripts rely on: names, types, positions, sets, pipeline and aliases of every parameter. The list is
// psmodule/help/parameters.txt; a change of it is a change of the module's face, and is seen in review.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation;
using Xunit;
using Xunit.Abstractions;

namespace Umx.Tests;

[Collection("engine")]
public sealed class ParameterTests(ITestOutputHelper output)
{
    static string ListPath => Path.Combine(Stage.Source, "psmodule/help/parameters.txt");

    [Fact]
    public void Every_parameter_is_as_listed()
    {
        using var shell = new Shell();
        var lines = new List<string>
        {
            "# Every cmdlet and parameter as the engine sees it; a test compares and, with UMX_PSMODULE_WRITE=1, writes it.",
        };
        lines.AddRange(Cmdlets.Of(shell).SelectMany(Lines));
        if (Stage.Rewrite)
            File.WriteAllLines(ListPath, lines);
        Assert.Equal(File.ReadAllLines(ListPath), lines);
        output.WriteLine($"{Cmdlets.Of(shell).Length} cmdlets, {lines.Count(l => l.Contains(" -"))} parameters of theirs");
    }

    [Fact]
    public void Verbs_are_approved_and_nouns_begin_with_Umx()
    {
        using var shell = new Shell();
        var approved = shell.Run("Get-Verb").Output.Select(v => v.Text("Verb")).ToHashSet(StringComparer.Ordinal);
        if (approved.Count == 0) // the engine alone has no Get-Verb
            approved = typeof(VerbsCommon).Assembly.GetTypes().Where(t => t.Name.StartsWith("Verbs", StringComparison.Ordinal) && t.IsPublic)
                .SelectMany(t => t.GetFields()).Select(f => f.Name).ToHashSet(StringComparer.Ordinal);
        Assert.All(Cmdlets.Of(shell), c => Assert.True(approved.Contains(c.Verb) && c.Noun.StartsWith("Umx", StringComparison.Ordinal), c.Name));
    }

    static IEnumerable<string> Lines(CmdletInfo cmdlet)
    {
        var attribute = Cmdlets.AttributeOf(cmdlet);
        var flags = new List<string>();
        if (attribute.DefaultParameterSetName is { Length: > 0 } set)
            flags.Add("default=" + set);
        if (attribute.SupportsShouldProcess)
            flags.Add("impact=" + attribute.ConfirmImpact);
        if (cmdlet.OutputType.Count > 0)
            flags.Add("output=" + string.Join(",", cmdlet.OutputType.Select(t => t.Name).Distinct()));
        yield return $"{cmdlet.Name} : {string.Join(" ", flags)}".TrimEnd();
        foreach (var parameter in Cmdlets.ParametersOf(cmdlet))
            yield return $"{cmdlet.Name} -{parameter.Name} {string.Join(" ", Flags(parameter))}";
    }

    static IEnumerable<string> Flags(ParameterMetadata parameter)
    {
        yield return "type=" + NameOf(parameter.ParameterType);
        yield return "sets=" + string.Join(",", parameter.ParameterSets.Keys.Select(k => k == "__AllParameterSets" ? "*" : k)
            .Order(StringComparer.Ordinal));
        var sets = parameter.ParameterSets.Values;
        if (sets.Any(s => s.IsMandatory))
            yield return "mandatory";
        if (sets.FirstOrDefault(s => s.Position != int.MinValue) is { } placed)
            yield return "position=" + placed.Position;
        if (sets.Any(s => s.ValueFromPipeline || s.ValueFromPipelineByPropertyName))
            yield return "pipeline=True(" + string.Join(",",
                new[] { sets.Any(s => s.ValueFromPipeline) ? "ByValue" : null,
                        sets.Any(s => s.ValueFromPipelineByPropertyName) ? "ByPropertyName" : null }.Where(n => n is not null)) + ")";
        if (parameter.Attributes.Any(a => a is SupportsWildcardsAttribute))
            yield return "wildcards";
        if (parameter.Aliases.Count > 0)
            yield return "aliases=" + string.Join(",", parameter.Aliases);
        if (parameter.Attributes.OfType<ValidateSetAttribute>().FirstOrDefault() is { } values)
            yield return "values=" + string.Join(",", values.ValidValues);
    }

    static string NameOf(Type type) => Nullable.GetUnderlyingType(type) is { } inner ? inner.Name : type.Name;
}
