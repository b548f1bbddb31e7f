// A plan that is denied, suspended, goes on, waits at a gate for a person, and is given up: all through the module. One Front
// End's agent is away, so that its restart is a gate; what was written is taken back at the end.
using System;
using System.Linq;
using System.Management.Automation;
using System.Threading;
using Xunit;

namespace Umx.Tests;

[Collection("engine")]
public sealed class DecisionTests : IDisposable
{
    const string Away = "se1.lync.test", Plan = "paused";
    readonly Shell olga = Shell.Connected("contoso.test"), lars = Shell.Connected("lync.test");

    public DecisionTests()
    {
        foreach (var shell in new[] { olga, lars })
            shell.Run("$ConfirmPreference = 'None'").Good();
        Stage.Ask("stop", Away);
        WaitFor(() => olga.Run($"Get-UmxAgent {Away}").One().Text("State") != "connected", "it is still connected");
    }

    public void Dispose()
    {
        Stage.Ask("start", Away);
        WaitFor(() => olga.Run($"Get-UmxAgent {Away}").One().Text("State") == "connected", "it does not come back");
        olga.Dispose();
        lars.Dispose();
    }

    [Fact]
    public void A_plan_is_denied_suspended_resumed_confirmed_and_stopped()
    {
        var before = DirectoryImage.Take("contoso.test", "lync.test");
        olga.Run($"$null = New-UmxPlan {Plan} -Phase exchucutil -Pair contoso.test:lync.test -Set exchucutil.outdial=pool1.lync.test; Submit-UmxPlan {Plan}").Good();

        // One no is enough, and can be taken back.
        lars.Run($"Deny-UmxPlan {Plan} -Comment 'not tonight'").Good();
        olga.Run($"Approve-UmxPlan {Plan} -Comment agreed").Good();
        Assert.Equal(ErrorCategory.PermissionDenied, olga.Run($"Start-UmxPlan {Plan}").Error().CategoryInfo.Category);
        Assert.Equal("deny", Assert.Single(olga.Run($"Get-UmxApproval {Plan}").Good().Output, a => a.Text("Forest") == "lync.test").Text("Decision"));
        lars.Run($"Revoke-UmxApproval {Plan}; Approve-UmxPlan {Plan} -Comment 'well then'").Good();

        // It stands still, and goes on.
        olga.Run($"Start-UmxPlan {Plan}; Suspend-UmxPlan {Plan}").Good();
        WaitFor(() => State() == "suspended", "it is not suspended");
        var again = olga.Run($"Suspend-UmxPlan {Plan}").Error();
        Assert.StartsWith("UMX-1401,", again.FullyQualifiedErrorId);
        olga.Run($"Resume-UmxPlan {Plan} -WhatIf").Good();
        Assert.Equal("suspended", State());
        olga.Run($"Resume-UmxPlan {Plan}").Good();

        // The gate waits for somebody of its forest, and says who asks for what.
        WaitFor(() => Gate() is not null, "it comes to no gate");
        var gate = Gate()!;
        Assert.Contains(Away, gate.Text("Summary"));
        lars.Host.Clear();
        lars.Run($"Confirm-UmxPlanStep {Plan} {gate.Text("Id")} -Comment restarted -WhatIf").Good();
        Assert.Contains("What if:", lars.Host.Rendered);
        Assert.NotNull(Gate());
        Assert.Equal(ErrorCategory.ObjectNotFound, lars.Run($"Confirm-UmxPlanStep {Plan} s999 -Comment restarted").Error().CategoryInfo.Category);

        // Given up there: what was done is told by an undo, and taken back by it.
        olga.Run($"Stop-UmxPlan {Plan}").Good();
        WaitFor(() => State() == "cancelled", "it is not cancelled");
        olga.Run($"Undo-UmxPlan {Plan}").Good();
        foreach (var shell in new[] { olga, lars })
            if (olga.Run($"Get-UmxPlan {Plan}-undo").One().Text("State") is "draft" or "submitted")
                shell.Run($"Submit-UmxPlan {Plan}-undo -ErrorAction SilentlyContinue; Approve-UmxPlan {Plan}-undo -Comment back").Good();
        olga.Run($"Start-UmxPlan {Plan}-undo").Good();
        WaitFor(() => Settle(Plan + "-undo") == "completed", "the undo does not end");
        Assert.Empty(DirectoryImage.Take("contoso.test", "lync.test").ChangedSince(before));
    }

    string State(string plan = Plan) => olga.Run($"Get-UmxPlan {plan}").One().Text("State");

    PSObject? Gate(string plan = Plan) => olga.Run($"Get-UmxPlanStep {plan} -Kind gate").Good().Output.FirstOrDefault(s => s.Text("State") == "intended");

    /// Confirms what an undo asks of people; the plan's state.
    string Settle(string plan)
    {
        if (Gate(plan) is { } gate)
            (gate.Text("Forest") == "lync.test" ? lars : olga).Run($"Confirm-UmxPlanStep {plan} {gate.Text("Id")} -Comment done").Good();
        return State(plan);
    }

    static void WaitFor(Func<bool> what, string otherwise)
    {
        var end = DateTime.UtcNow.AddMinutes(4);
        while (!what())
        {
            Assert.True(DateTime.UtcNow < end, otherwise);
            Thread.Sleep(200);
        }
    }
}
