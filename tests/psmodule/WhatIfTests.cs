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

    /// What each cmdlet is given; {0} is a file that must not come into being, {1} one that is there, {2} a server.
    static readonly Dictionary<string, string> lines = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Save-UmxQuery"] = "whatif -Sql 'SELECT server FROM server'",
        ["Remove-UmxQuery"] = "whatif-kept",
        ["New-UmxSnapshot"] = "{0}",
        ["Export-UmxPlan"] = Plan + " {0}",
        ["Export-UmxAuditLog"] = "-Path {0}",
        ["Export-UmxReport"] = "-Path {0}",
        ["Install-UmxAgent"] = "um9.contoso.test -Forest contoso.test -Path umx-agent.msi",
        ["Uninstall-UmxAgent"] = "{2} -Path umx-agent.msi -Identity Forget",
        ["New-UmxToken"] = "um9.contoso.test -Forest contoso.test",
        ["Revoke-UmxToken"] = "(Get-UmxToken -State active).Id",
        ["Approve-UmxEnrollment"] = "{2} -Key 9f2c41d07be35a66",
        ["Deny-UmxEnrollment"] = "{2} -Key 9f2c41d07be35a66",
        ["Update-UmxAgent"] = "umx-agent_9.0.0_amd64.deb",
        ["Suspend-UmxAgentUpdate"] = "",
        ["Resume-UmxAgentUpdate"] = "",
        ["Stop-UmxAgentUpdate"] = "",
        ["Revoke-UmxAgent"] = "{2}",
        ["Remove-UmxAgent"] = "{2}",
        ["New-UmxPlan"] = "other -Phase exchucutil -Pair contoso.test:lync.test",
        ["Submit-UmxPlan"] = Plan,
        ["Approve-UmxPlan"] = Plan + " -Comment agreed",
        ["Deny-UmxPlan"] = Plan + " -Comment no",
        ["Revoke-UmxApproval"] = Plan,
        ["Start-UmxPlan"] = Plan,
        ["Suspend-UmxPlan"] = Plan,
        ["Resume-UmxPlan"] = Plan,
        ["Stop-UmxPlan"] = Plan,
        ["Undo-UmxPlan"] = Plan,
        ["Remove-UmxPlan"] = Plan,
        ["Confirm-UmxPlanStep"] = Plan + " s1 -Comment done",
        ["Start-UmxAuthorityRotation"] = "",
        ["Complete-UmxAuthorityRotation"] = "",
        ["Undo-UmxAuthorityRotation"] = "",
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
            var script = $"{cmdlet} {string.Format(lines[cmdlet], Path.Combine(folder, cmdlet), kept, Stage.LyncServer)} -WhatIf";
            var outcome = shell.Run(script);
            if (cmdlet.EndsWith("-UmxEnrollment", StringComparison.Ordinal)) // nobody asks to be let in
            {
                Assert.Equal(ErrorCategory.ObjectNotFound, outcome.Error().CategoryInfo.Category);
                continue;
            }
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

    static void Prepare(Shell shell)
    {
        shell.Run("Save-UmxQuery whatif-kept -Sql 'SELECT server FROM server' -Replace").Good();
        shell.Run($"Remove-UmxPlan {Plan}* -Confirm:$false").Good(); // of a run that did not come to its end
        shell.Run($"$null = New-UmxPlan {Plan} -Phase exchucutil -Pair contoso.test:lync.test").Good();
        shell.Run("$null = New-UmxToken um7.contoso.test -Forest contoso.test").Good();
    }

    static void Forget(Shell shell)
    {
        shell.Run("Remove-UmxQuery whatif-kept -Confirm:$false").Good();
        shell.Run($"Remove-UmxPlan {Plan} -Confirm:$false").Good();
        shell.Run("Get-UmxToken -State active | Revoke-UmxToken -Confirm:$false").Good();
    }

    /// What the controller keeps, as it tells it.
    static string Image(Shell shell)
    {
        string[] looks = ["Get-UmxQuery", "Get-UmxPlan", "Get-UmxToken", "Invoke-UmxQuery 'SELECT server, state FROM agent'", "Get-UmxAuthority", "Get-UmxPlan " + Plan];
        return string.Join("\n", looks.Select(look => look + ": " + string.Join("\n  ", shell.Run(look).Good().Output.Select(Line).Order(StringComparer.Ordinal))));
    }

    static string Line(PSObject record) => string.Join(", ", record.Properties.Select(p => $"{p.Name}={p.Value}"));
}
