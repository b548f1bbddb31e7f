// Checks that say yes have looked: -Quiet is true when something was checked and nothing of it failed or is unknown, and a name
// that nothing is about is told.
using System;
using System.Linq;
using System.Management.Automation;
using Xunit;

namespace Umx.Tests;

[Collection("engine")]
public sealed class CheckTests : IDisposable
{
    const string Pair = "contoso.test:lync.test";
    const string Unseen = "fabrikam.test:lync.test"; // no agent is in the first one: what agents would tell is unknown
    readonly Shell shell = Shell.Connected();

    public void Dispose() => shell.Dispose();

    static bool Holds(PSObject finding) => finding.Text("Status") is "pass" or "warn" or "not_applicable";

    static string Said(PSObject finding) => $"{finding.Text("Id")} {finding.Text("Forest")} {finding.Text("Target")} {finding.Text("Status")}";

    bool Quiet(string command) => Assert.IsType<bool>(shell.Run(command + " -Quiet").One().BaseObject);

    /// The findings, and what -Quiet says of the very same: the lab's servers report meanwhile.
    (PSObject[] Findings, bool Quiet) Both(string command, string quietly = "")
    {
        for (var round = 0; round < 6; round++)
        {
            var before = shell.Run(command).Good().Output.ToArray();
            var quiet = Quiet(command + quietly);
            if (shell.Run(command).Good().Output.Select(Said).SequenceEqual(before.Select(Said)))
                return (before, quiet);
        }
        throw new InvalidOperationException(command + ": its findings never stay as they are");
    }

    [Fact]
    public void Unknown_is_no_yes()
    {
        var (findings, quiet) = Both($"Test-UmxTrust -Pair {Unseen}");
        Assert.Contains(findings, f => f.Text("Status") == "unknown");
        Assert.DoesNotContain(findings, f => f.Text("Status") == "fail"); // or it proves nothing
        Assert.False(quiet);
    }

    [Theory]
    [InlineData("Test-UmxTrust")]
    [InlineData("Test-UmxDialPlan")]
    [InlineData("Test-UmxServer")]
    public void Yes_is_what_the_findings_say(string cmdlet)
    {
        var (findings, quiet) = Both($"{cmdlet} -Pair {Pair}");
        Assert.Equal(findings.Length > 0 && findings.All(Holds), quiet);
    }

    [Fact]
    public void What_is_shown_does_not_change_the_answer()
    {
        var (findings, quiet) = Both($"Test-UmxServer -Pair {Pair}", " -Status pass");
        Assert.Contains(findings, f => f.Text("Status") == "fail");
        Assert.False(quiet);
    }

    [Theory]
    [InlineData("-Server", "nosuch.contoso.test")]
    [InlineData("-Server", "combx1.lync.test")] // another server has this label
    [InlineData("-Forest", "contso.test")]
    public void A_name_that_nobody_knows_is_an_error(string parameter, string name)
    {
        var loud = shell.Run($"Test-UmxServer {parameter} {name}");
        Assert.Empty(loud.Output);
        Is(loud.Error(), name);

        var quiet = shell.Run($"Test-UmxServer {parameter} {name} -Quiet");
        Is(quiet.Error(), name);
        Assert.False((bool)Assert.Single(quiet.Output).BaseObject);
    }

    static void Is(ErrorRecord error, string name)
    {
        Assert.StartsWith("UMX-1904,", error.FullyQualifiedErrorId);
        Assert.Equal(name, error.TargetObject);
    }

    [Fact]
    public void One_name_of_two_is_answered_and_is_no_yes()
    {
        var both = shell.Run($"Test-UmxCertificate -Pair {Pair} -Server {Stage.ExchangeServer}, nosuch.contoso.test");
        Is(both.Error(), "nosuch.contoso.test");
        Assert.NotEmpty(both.Output);
        Assert.All(both.Output, f => Assert.Contains(Stage.ExchangeServer, f.Text("Target")));
    }

    [Fact]
    public void A_server_that_nothing_is_about_is_told_and_is_no_yes()
    {
        var loud = shell.Run($"Test-UmxServer -Server {Stage.LyncServer}").Good();
        Assert.Empty(loud.Output);
        Assert.Contains(loud.Warnings, w => w.Contains(Stage.LyncServer));
        Assert.False(Quiet($"Test-UmxServer -Server {Stage.LyncServer} -WarningAction SilentlyContinue"));
        Assert.Empty(shell.Run("Test-UmxServer -Server nosuch*").Good().Warnings);
        Assert.False(Quiet("Test-UmxServer -Server nosuch* -WarningAction SilentlyContinue"));
        Assert.False(Quiet("@() | Test-UmxServer"));
    }

    [Fact]
    public void Plans_have_one_answer()
    {
        var two = shell.Run("Test-UmxPlan nosuch-1, nosuch-2 -Quiet");
        Assert.Equal(2, two.Errors.Count);
        Assert.False((bool)Assert.Single(two.Output).BaseObject);
        Assert.False(Quiet("Test-UmxPlan nosuch*"));
    }
}
