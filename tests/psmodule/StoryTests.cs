// One change window from the first look to the last, only through the module: three people in three windows. What each cmdlet
// claims is looked up in the directory. The transcript is kept with the results.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Text;
using System.Threading;
using Xunit;
using Xunit.Abstractions;

namespace Umx.Tests;

[Collection("engine")]
public sealed class StoryTests(ITestOutputHelper output)
{
    const string Plan = "voice-mail";
    readonly StringBuilder transcript = new();

    /// Shows and runs one command, as typed at a prompt of 100 columns.
    Outcome Type(Shell shell, string who, string command)
    {
        var outcome = shell.Run(command + " -OutVariable shown");
        transcript.Append($"{who} PS> {command}\n").Append(Shorten(shell.Render("$shown"))).Append('\n');
        foreach (var error in outcome.Errors)
            transcript.Append($"{error.FullyQualifiedErrorId}: {error}\n    {error.ErrorDetails?.RecommendedAction}\n");
        return outcome;
    }

    static string Shorten(string text)
    {
        var lines = text.Trim('\n').Split('\n').Select(l => l.TrimEnd()).ToList();
        return string.Join("\n", lines.Count > 24 ? [.. lines.Take(20), $"... {lines.Count - 20} more lines"] : lines) + "\n";
    }

    [Fact]
    public void From_the_first_check_to_the_undo()
    {
        using var olga = Shell.Connected("contoso.test", 100);
        using var lars = Shell.Connected("lync.test", 100);
        try
        {
            Play(olga, lars);
        }
        finally
        {
            File.WriteAllText(Path.Combine(Stage.Output, "transcript.txt"), transcript.ToString());
            output.WriteLine(transcript.ToString());
        }
    }

    void Play(Shell olga, Shell lars)
    {
        var before = DirectoryImage.Take("contoso.test", "lync.test");

        // Look.
        Type(olga, "olga", "Get-UmxAgent").Good();
        Type(olga, "olga", "Invoke-UmxQuery \"SELECT server, name, state FROM service WHERE name = 'RTCSRV' ORDER BY server\"").Good();
        var findings = Type(olga, "olga", "Test-UmxIntegration -Phase exchucutil -Pair contoso.test:lync.test").Output;
        Assert.Contains(findings, f => f.Text("Status") == "fail");

        // Plan.
        Type(olga, "olga", $"New-UmxPlan {Plan} -Phase exchucutil -Pair contoso.test:lync.test -Set exchucutil.outdial=pool1.lync.test -Ticket CHG-1042").Good();
        var steps = Type(olga, "olga", $"Get-UmxPlanStep {Plan}").Good().Output;
        Assert.NotEmpty(steps);
        Type(olga, "olga", $"Test-UmxPlan {Plan}").Good();

        // Not yet.
        Type(olga, "olga", $"Submit-UmxPlan {Plan}").Good();
        var early = Type(olga, "olga", $"Start-UmxPlan {Plan} -Confirm:$false");
        Assert.Equal(ErrorCategory.PermissionDenied, early.Error().CategoryInfo.Category);

        // Two people, each for their own forest.
        Type(olga, "olga", $"Approve-UmxPlan {Plan} -Comment 'agreed in the change board' -Confirm:$false").Good();
        Type(lars, "lars", $"Approve-UmxPlan {Plan} -Comment 'agreed' -Confirm:$false").Good();
        Assert.Equal("approved", olga.Run($"Get-UmxPlan {Plan}").One().Text("State"));

        // Start, watch, verify.
        Type(olga, "olga", $"Start-UmxPlan {Plan} -Confirm:$false").Good();
        Finish(olga, lars, Plan);
        Assert.NotEmpty(Type(lars, "lars", $"Watch-UmxPlan {Plan}").Good().Output);
        var after = DirectoryImage.Take("contoso.test", "lync.test");
        var changed = after.ChangedSince(before);
        Assert.NotEmpty(changed);
        var targets = steps.Where(s => s.Text("Kind") == "add").Select(s => s.Text("Target")).ToArray();
        Assert.NotEmpty(targets);
        Assert.All(targets, dn => Assert.True(after.Has(dn) && !before.Has(dn), dn));
        Assert.All(olga.Run($"Get-UmxPlanStep {Plan}").Good().Output, s => Assert.Equal("verified", s.Text("State")));
        Type(olga, "olga", "Get-UmxStatus").Good();

        // Undo: the approvals cover it.
        Type(olga, "olga", $"Undo-UmxPlan {Plan} -Confirm:$false").Good();
        if (olga.Run($"Get-UmxPlan {Plan}-undo").One().Text("State") == "draft")
        {
            Type(olga, "olga", $"Submit-UmxPlan {Plan}-undo").Good();
            Type(olga, "olga", $"Approve-UmxPlan {Plan}-undo -Comment 'taken back' -Confirm:$false").Good();
            Type(lars, "lars", $"Approve-UmxPlan {Plan}-undo -Comment 'taken back' -Confirm:$false").Good();
        }
        Type(olga, "olga", $"Start-UmxPlan {Plan}-undo -Confirm:$false").Good();
        Finish(olga, lars, Plan + "-undo");
        Assert.Empty(DirectoryImage.Take("contoso.test", "lync.test").ChangedSince(before));
        Assert.Equal(true, Type(olga, "olga", "Test-UmxAuditLog").One().Get("Intact"));
        transcript.Append($"{changed.Length} objects were changed, and are as they were\n");
    }

    /// Watches until the plan rests; gates are confirmed by somebody of their forest as they come.
    void Finish(Shell olga, Shell lars, string plan)
    {
        var end = DateTime.UtcNow.AddMinutes(5);
        string state;
        while ((state = olga.Run($"Get-UmxPlan {plan}").One().Text("State")) is "running" or "approved")
        {
            Assert.True(DateTime.UtcNow < end, $"{plan} is {state}");
            foreach (var gate in olga.Run($"Get-UmxPlanStep {plan}").Good().Output.Where(s => s.Text("Kind") == "gate" && s.Text("State") == "intended"))
                Type(gate.Text("Forest") == "lync.test" ? lars : olga, gate.Text("Forest") == "lync.test" ? "lars" : "olga",
                    $"Confirm-UmxPlanStep {plan} {gate.Text("Id")} -Comment done -Confirm:$false");
            Thread.Sleep(200);
        }
        Type(olga, "olga", $"Get-UmxPlanStep {plan}");
        Assert.True(state == "completed", transcript.ToString());
    }
}
