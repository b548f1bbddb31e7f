// Who is connected to what: two identities at once, the default one, cultures, and what a window keeps to itself.
using System;
using System.Globalization;
using System.Linq;
using System.Management.Automation;
using System.Threading.Tasks;
using Xunit;

namespace Umx.Tests;

[Collection("engine")]
public sealed class ConnectionTests
{
    [Fact]
    public async Task Two_windows_are_two_people_at_the_same_time()
    {
        using var exchange = Shell.Connected("contoso.test");
        using var lync = Shell.Connected("lync.test");
        Assert.Equal("contoso.test", exchange.Run("Get-UmxController").One().Text("Forest"));
        Assert.Equal("lync.test", lync.Run("Get-UmxController").One().Text("Forest"));
        const string script = "foreach ($n in 1..20) { Invoke-UmxQuery \"SELECT $n AS n, server FROM server\" }";
        var both = new[] { Task.Run(() => exchange.Run(script).Good()), Task.Run(() => lync.Run(script).Good()) };
        var outcomes = await Task.WhenAll(both);
        Assert.All(outcomes, one => Assert.Equal(20 * Stage.Servers.Length, one.Output.Count));
    }

    [Fact]
    public void One_window_has_two_connections_and_names_the_one_it_means()
    {
        using var shell = Shell.Connected("contoso.test");
        var second = shell.Run("Connect-UmxController $args[0] -IdentityFile $args[1] -ServerName controller.lab.test -NotDefault",
            Stage.SecondAddress, Stage.Identity("lync.test")).One();
        Assert.Equal(2, shell.Run("Get-UmxController").Good().Output.Count);
        Assert.Equal("contoso.test", shell.Run("Get-UmxController -Default").One().Text("Forest"));
        var mine = shell.Run("Get-UmxIdentity").One().Text("Identity");
        var theirs = shell.Run("Get-UmxIdentity -Controller $args[0]", second.BaseObject).One().Text("Identity");
        Assert.NotEqual(mine, theirs);
        Assert.Equal(theirs, shell.Run("Get-UmxIdentity -Controller $args[0]", Stage.SecondAddress).One().Text("Identity"));
        shell.Run("Disconnect-UmxController $args[0]", Stage.SecondAddress).Good();
        Assert.Equal(mine, shell.Run("Get-UmxIdentity").One().Text("Identity"));
    }

    [Fact]
    public void The_ticket_of_the_user_is_enough()
    {
        using var shell = new Shell();
        var identity = System.IO.Path.Combine(Stage.Output, "by-ticket.pem");
        System.IO.File.Delete(identity);
        // Who the controller has to be is asked once; afterwards the identity says so.
        var first = shell.Run("Connect-UmxController $args[0] -IdentityFile $args[1] -ServicePrincipalName umx/controller.lab.test", Stage.Controller, identity).Error();
        Assert.Contains("-RootFile", first.ToString());
        var made = shell.Run("Connect-UmxController $args[0] -IdentityFile $args[1] -ServicePrincipalName umx/controller.lab.test -RootFile $args[2]",
            Stage.Controller, identity, Stage.Root).One();
        Assert.Equal("contoso.test", made.Text("Forest"));
        Assert.Equal("olga.orgadmin", made.Text("Account"));
        Assert.InRange(((DateTime)made.Get("ExpiresAt")! - DateTime.Now).TotalHours, 0, 10.1);
        Assert.NotEmpty(shell.Run("Get-UmxAgent").Good().Output);
        var again = shell.Run("Connect-UmxController $args[0] -IdentityFile $args[1] -ServicePrincipalName umx/controller.lab.test -Renew", Stage.Controller, identity).One();
        Assert.True((DateTime)again.Get("ExpiresAt")! >= (DateTime)made.Get("ExpiresAt")!);
        // The ticket is of one forest, and speaks for no other.
        var other = shell.Run("Connect-UmxController $args[0] -IdentityFile $args[1] -ServicePrincipalName umx/controller.lab.test -RootFile $args[2] -Forest lync.test",
            Stage.Controller, identity + ".other", Stage.Root).Error();
        Assert.Contains(other.CategoryInfo.Category, new[] { ErrorCategory.AuthenticationError, ErrorCategory.PermissionDenied });
        Assert.False(System.IO.File.Exists(identity + ".other"));
    }

    [Fact]
    public void Diagnostic_tells_what_support_asks()
    {
        using var shell = Shell.Connected();
        var told = shell.Run("Get-UmxDiagnostic").One();
        foreach (var name in new[] { "ModuleVersion", "LibraryVersion", "LibraryPath", "RuntimeId", "PowerShell", "Connections" })
            Assert.NotNull(told.Get(name));
        using var apart = new Shell();
        Assert.Empty((object[])apart.Run("Get-UmxDiagnostic").One().Get("Connections")!);
    }

    [Theory]
    [InlineData("de-DE")]
    [InlineData("tr-TR")]
    [InlineData("")]
    public void Cultures_change_nothing_but_the_view(string name)
    {
        var culture = CultureInfo.GetCultureInfo(name);
        var (before, beforeUi) = (CultureInfo.DefaultThreadCurrentCulture, CultureInfo.DefaultThreadCurrentUICulture);
        try
        {
            (CultureInfo.DefaultThreadCurrentCulture, CultureInfo.DefaultThreadCurrentUICulture) = (culture, culture);
            using var shell = Shell.Connected("contoso.test", culture: culture);
            Assert.Equal(name, shell.Run("[System.Threading.Thread]::CurrentThread.CurrentCulture.Name").One().ToString());
            var row = shell.Run("Invoke-UmxQuery \"SELECT 1.5 AS half, 1234567 AS many, 'TITLE iI' AS title\"").One();
            Assert.Equal(1.5, Assert.IsType<double>(row.Get("half")));
            Assert.Equal(1234567L, Convert.ToInt64(row.Get("many"), CultureInfo.InvariantCulture));
            Assert.Equal("TITLE iI", row.Get("title"));
            // The Turkish i: names of members, states and cmdlets do not follow the culture.
            Assert.Equal(Stage.ExchangeServer, shell.Run("Get-UmxAgent " + Stage.ExchangeServer.ToUpperInvariant()).One().Text("Server"));
            var agent = shell.Run("Get-UmxAgent " + Stage.ExchangeServer).One();
            Assert.Equal(DateTimeKind.Local, Assert.IsType<DateTime>(agent.Get("LastReportAt")).Kind);
            Assert.InRange((DateTime.Now - (DateTime)agent.Get("LastReportAt")!).TotalMinutes, -2, 60);
            Assert.Equal(1, shell.Run("@(Get-UmxAgent | Where-Object State -eq connected | Where-Object Server -eq '" + Stage.ExchangeServer + "').Count").One().BaseObject);
        }
        finally
        {
            (CultureInfo.DefaultThreadCurrentCulture, CultureInfo.DefaultThreadCurrentUICulture) = (before, beforeUi);
        }
    }
}
