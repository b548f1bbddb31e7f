// What scripts tell errors apart by: category, id, target, and what to do next.
using System;
using System.Globalization;
using System.Linq;
using System.Management.Automation;
using Xunit;

namespace Umx.Tests;

[Collection("engine")]
public sealed class ErrorTests
{
    static ErrorRecord Is(ErrorRecord error, ErrorCategory category, string cmdlet, string? target, string advice)
    {
        Assert.Equal(category, error.CategoryInfo.Category);
        Assert.Matches("^UMX-[0-9]{4}," + "(Umx.*|" + cmdlet + ")", error.FullyQualifiedErrorId);
        if (target is not null)
            Assert.Equal(target, error.TargetObject?.ToString());
        Assert.Contains(advice, error.ErrorDetails.RecommendedAction);
        var problem = Assert.IsAssignableFrom<Exception>(error.Exception);
        Assert.Equal("UmxException", problem.GetType().Name);
        return error;
    }

    [Fact]
    public void Without_a_connection_everything_says_so()
    {
        using var shell = new Shell();
        Is(shell.Run("Get-UmxAgent").Error(), ErrorCategory.AuthenticationError, "Get-UmxAgent", null, "Connect-UmxController");
        Is(shell.Run("Invoke-UmxQuery 'SELECT 1'").Error(), ErrorCategory.AuthenticationError, "Invoke-UmxQuery", null, "Connect-UmxController");
    }

    [Fact]
    public void A_controller_that_does_not_answer_is_a_connection_error()
    {
        using var shell = new Shell();
        var error = shell.Run("Connect-UmxController 127.77.3.1:7499 -IdentityFile $args[0]", Stage.Identity("contoso.test")).Error();
        Is(error, ErrorCategory.ConnectionError, "Connect-UmxController", "127.77.3.1:7499", "");
        Assert.Empty(shell.Run("Get-UmxController").Good().Output);
    }

    [Fact]
    public void A_bad_query_is_one_error_and_the_next_goes_on()
    {
        using var shell = Shell.Connected();
        var outcome = shell.Run("'SELECT nosuch FROM server', 'SELECT 1 AS one' | Invoke-UmxQuery");
        Is(outcome.Error(), ErrorCategory.InvalidArgument, "Invoke-UmxQuery", "SELECT nosuch FROM server", "Get-UmxTable");
        Assert.Equal("1", Assert.Single(outcome.Output).Text("one"));
    }

    [Fact]
    public void ErrorAction_Stop_makes_it_terminating()
    {
        using var shell = Shell.Connected();
        var outcome = shell.Run("try { Get-UmxAgent nosuch.contoso.test -ErrorAction Stop; 'went on' } catch { $_.FullyQualifiedErrorId }");
        Assert.StartsWith("UMX-1904,", Assert.Single(outcome.Output).ToString());
    }

    [Fact]
    public void An_unknown_connection_is_named()
    {
        using var shell = Shell.Connected();
        var error = shell.Run("Get-UmxAgent -Controller nosuch.contoso.test").Error();
        Assert.Contains("nosuch.contoso.test", error.ToString());
        Assert.Contains("UMX-1902", error.ToString());
    }

    [Fact]
    public void An_identity_file_that_is_none_is_refused_before_the_network()
    {
        using var shell = new Shell();
        var error = shell.Run("Connect-UmxController $args[0] -IdentityFile $args[1]", Stage.Controller,
            System.IO.Path.Combine(Stage.Source, "README.md")).Error();
        Assert.Matches("^UMX-[0-9]{4},", error.FullyQualifiedErrorId);
        Assert.NotEqual(ErrorCategory.NotSpecified, error.CategoryInfo.Category);
    }
}
