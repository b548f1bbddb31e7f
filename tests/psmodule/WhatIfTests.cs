// -WhatIf does nothing: not to a forest, not to the controller, not to a file. Every cmdlet that changes something has a line
// here, and one without a line fails the test.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation;
using Xunit;
using Xunit.Abstractions;

namespace Umx.Tests;

[Collection("engine")]
public sealed class WhatIfTests(ITestOutputHelper output)
{
    const string Plan = "whatif";

    /// What each cmdlet is given; {0} is a file that must not come into being, {1} one that is there.
    static readonly Dictionary<string, string> lines = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Save-UmxQuery"] = "whatif -Sql 'SELECT server FROM server'",
        ["Remove-UmxQuery"] = "whatif-kept",
    };

    [Fact]
    public void Nothing_happens_under_WhatIf()
    {
        using var shell = Shell.Connected();
        var changing = Cmdlets.Of(shell).Where(Cmdlets.Changes).Select(c => c.Name).ToArray();
        Assert.Equal(changing, changing.Where(lines.ContainsKey).ToArray());
        Assert.Empty(lines.Keys.Except(Cmdlets.Of(shell).Select(c => c.Name)));
        var folder = Directory.CreateDirectory(Path.Combine(Stage.Output, "whatif")).FullName;
        var kept = Path.Combine(folder, "kept");
        File.WriteAllText(kept, "as it was");
        shell.GoTo(folder);
        Prepare(shell);

        var forests = DirectoryImage.Take("contoso.test", "lync.test");
        var controller = Image(shell);
        foreach (var cmdlet in changing)
        {
            shell.Host.Clear();
            var script = $"{cmdlet} {string.Format(lines[cmdlet], Path.Combine(folder, cmdlet), kept)} -WhatIf";
            var outcome = shell.Run(script);
            Assert.True(outcome.Thrown is null && outcome.Errors.Count == 0,
                $"{script}: {outcome.Thrown?.Message ?? string.Join("; ", outcome.Errors)}");
            Assert.True(shell.Host.Rendered.Contains("What if:"), $"{script}: says nothing of what it would do: {shell.Host.Rendered}");
            Assert.Empty(shell.Host.Prompts);
        }
        Assert.Equal(controller, Image(shell));
        Assert.Empty(DirectoryImage.Take("contoso.test", "lync.test").ChangedSince(forests));
        Assert.Equal([kept], Directory.GetFiles(folder));
        Assert.Equal("as it was", File.ReadAllText(kept));
        output.WriteLine($"{changing.Length} cmdlets, {forests.Count} objects of two forests unchanged");
        Forget(shell);
    }

    [Fact]
    public void What_touches_a_directory_a_certificate_or_a_service_asks_first()
    {
        using var shell = new Shell();
        var high = Cmdlets.Of(shell).Where(c => Cmdlets.AttributeOf(c).ConfirmImpact == ConfirmImpact.High).Select(c => c.Name).ToArray();
        foreach (var name in new[] { "Start-UmxPlan", "Resume-UmxPlan", "Approve-UmxPlan", "Revoke-UmxAgent" }
            .Intersect(Cmdlets.Of(shell).Select(c => c.Name)))
            Assert.Contains(name, high);
    }

    static void Prepare(Shell shell) =>
        shell.Run("Save-UmxQuery whatif-kept -Sql 'SELECT server FROM server' -Replace -Confirm:$false").Good();

    static void Forget(Shell shell) => shell.Run("Remove-UmxQuery whatif-kept -Confirm:$false").Good();

    /// What the controller keeps, as it tells it.
    static string Image(Shell shell)
    {
        string[] looks = ["Get-UmxQuery"];
        return string.Join("\n", looks.Select(look => look + ": " + string.Join("\n  ", shell.Run(look).Good().Output.Select(Line))));
    }

    static string Line(PSObject record) => string.Join(", ", record.Properties.Select(p => $"{p.Name}={p.Value}"));
}
