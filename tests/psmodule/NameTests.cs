// Names: what nothing has is told, what something has is found, however many there are and whatever else is asked.
using System;
using System.Linq;
using System.Management.Automation;
using System.Reflection;
using Xunit;

namespace Umx.Tests;

[Collection("engine")]
public sealed class NameTests : IDisposable
{
    readonly Shell shell = Shell.Connected();

    public void Dispose() => shell.Dispose();

    [Theory]
    [InlineData("Get-UmxDialPlan -Forest")]
    [InlineData("Get-UmxForest -Forest")]
    [InlineData("Get-UmxService -Forest")]
    [InlineData("Get-UmxPhaseState -LyncForest")]
    [InlineData("Get-UmxAgent -Forest")]
    [InlineData("Get-UmxFleet")]
    public void A_forest_that_nobody_knows_is_an_error(string command)
    {
        var outcome = shell.Run(command + " nosuch.test, lync.test");
        Assert.StartsWith("UMX-1904,", outcome.Error().FullyQualifiedErrorId);
        Assert.Equal("nosuch.test", outcome.Error().TargetObject);
        Assert.Equal(shell.Run(command + " lync.test, nosuch*").Good().Output.Count, outcome.Output.Count);
    }

    [Theory]
    [InlineData("$names + $args[0] | Get-UmxServer")]
    [InlineData("Get-UmxServer ($names + $args[0])")]
    [InlineData("Get-UmxServer -Live -Timeout 60 ($names + $args[0])")]
    [InlineData("$names + $args[0] | Test-UmxCertificate -Pair contoso.test:lync.test")]
    public void Hundreds_of_names_are_asked_for_at_once(string command)
    {
        var outcome = shell.Run("$names = 1..400 | ForEach-Object { \"no-such-server-$_.contoso.test\" }; " + command, Stage.ExchangeServer);
        Assert.Null(outcome.Thrown);
        Assert.Contains(Stage.ExchangeServer, outcome.Output.Select(o => o.Properties["Server"]?.Value ?? o.Text("Target").Split(' ')[0]));
        Assert.Equal(400, outcome.Errors.Count);
        Assert.All(outcome.Errors, e => Assert.StartsWith("UMX-1904,", e.FullyQualifiedErrorId));
    }

    [Fact]
    public void A_record_is_written_once_however_often_it_is_named()
    {
        var names = $"(1..600 | ForEach-Object {{ '{Stage.ExchangeServer}' }})";
        shell.Run($"{names} | Get-UmxServer").One();
        shell.Run($"Get-UmxServer {names}").One();
    }

    [Fact]
    public void A_name_that_only_the_conditions_leave_out_is_there()
    {
        var plan = shell.Run("Get-UmxDialPlan -UriType sip_name").Good().Output[0].Text("Name");
        Assert.Empty(shell.Run("Get-UmxDialPlan $args[0] -UriType e164", plan).Good().Output);
        Assert.Empty(shell.Run("Get-UmxPhaseState exchucutil -State drifted").Good().Output);
        Assert.Equal(ErrorCategory.ObjectNotFound, shell.Run("Get-UmxDialPlan nosuch -UriType e164").Error().CategoryInfo.Category);
    }

    /// What changes one server takes one name: a pattern would hit whichever came last.
    [Theory]
    [InlineData("Revoke-UmxAgent")]
    [InlineData("Remove-UmxAgent")]
    [InlineData("Uninstall-UmxAgent")]
    public void A_pattern_is_the_name_of_no_server(string cmdlet)
    {
        shell.Host.Clear();
        var error = shell.Run(cmdlet + " ly* -WhatIf").Error();
        Assert.Equal(ErrorCategory.ObjectNotFound, error.CategoryInfo.Category);
        Assert.DoesNotContain("What if", shell.Host.Rendered);
    }

    /// The stage has no two servers with one first label.
    [Fact]
    public void A_label_of_two_servers_is_refused()
    {
        var module = AppDomain.CurrentDomain.GetAssemblies().First(a => a.GetName().Name == "Umx");
        const BindingFlags Own = BindingFlags.Static | BindingFlags.NonPublic;
        var read = module.GetType("Umx.JsonReader")!.GetMethod("Read", Own, [typeof(string)])!;
        var meant = module.GetType("Umx.UmxCommand")!.GetMethod("Meant", Own)!;
        var type = module.GetType("Umx.JsonObject")!;
        string[] servers = ["ex1.contoso.test", "ex1.fabrikam.test", "ex2.contoso.test", "ex1"];
        string? Server(string wanted, int count)
        {
            var records = Array.CreateInstance(type, count);
            for (var i = 0; i < count; i++)
                records.SetValue(read.Invoke(null, [$$"""{"server":"{{servers[i]}}"}"""]), i);
            var found = meant.Invoke(null, [wanted, records]);
            return found is null ? null : (string?)type.GetMethod("Text", BindingFlags.Instance | BindingFlags.NonPublic)!.Invoke(found, ["server"]);
        }

        var error = Assert.Throws<TargetInvocationException>(() => Server("ex1", 3)).InnerException!;
        Assert.Contains("ex1.contoso.test, ex1.fabrikam.test", error.Message);
        Assert.Equal("ex1.fabrikam.test", Server("EX1.fabrikam.test", 3));
        Assert.Equal("ex2.contoso.test", Server("ex2", 3));
        Assert.Equal("ex1", Server("ex1", 4)); // its whole name
        Assert.Null(Server("ex3", 4));
    }
}
