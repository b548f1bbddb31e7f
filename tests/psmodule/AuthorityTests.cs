// A rotation of the deployment's authority through the module: staged at the controller, begun, taken back, begun again,
// completed. The agents follow on their streams; who has not is named.
using System;
using System.Diagnostics;
using System.Linq;
using System.Threading;
using Xunit;

namespace Umx.Tests;

[Collection("engine")]
public sealed class AuthorityTests
{
    [Fact]
    public void An_authority_is_rotated_back_and_forward()
    {
        using var shell = Shell.Connected("lync.test");
        shell.Run("$ConfirmPreference = 'None'").Good();
        Assert.Contains("no rotation is under way", shell.Render("Get-UmxAuthority"));
        var early = shell.Run("Complete-UmxAuthorityRotation").Error();
        Assert.Contains("Get-UmxAuthority", early.ErrorDetails.RecommendedAction);

        Umxd("ca", "new-intermediate", "--data", Stage.Text("data"), "--root-key", Stage.Text("root_key"));
        Assert.Equal("staged", State(shell));
        shell.Host.Clear();
        shell.Run("Start-UmxAuthorityRotation -WhatIf").Good();
        Assert.Contains("(staged, of the intermediate)", shell.Host.Rendered);
        Assert.Equal("staged", State(shell));

        var begun = shell.Run("Start-UmxAuthorityRotation -PassThru").One();
        Assert.Equal("forward", State(begun));
        Followed(shell);
        shell.Host.Clear();
        shell.Run("Complete-UmxAuthorityRotation -WhatIf").Good();
        Assert.Matches(@"forward, of the intermediate, begun at .* by umx://.*, \d+ of \d+ agents have followed", shell.Host.Rendered);
        shell.Run("Undo-UmxAuthorityRotation").Good();
        if (State(shell) == "back")
        {
            Followed(shell);
            shell.Run("Complete-UmxAuthorityRotation").Good();
        }
        Assert.NotEqual("forward", State(shell));
        Assert.Equal(Stage.Servers.Length, Connected(shell));
    }

    static string State(Shell shell) => State(shell.Run("Get-UmxAuthority").One());

    static string State(System.Management.Automation.PSObject authority) =>
        ((System.Management.Automation.PSObject)authority.Get("Rotation")!).Text("State");

    static int Connected(Shell shell) => shell.Run("Get-UmxAgent -State connected").Good().Output.Count;

    /// Until nobody is missing.
    static void Followed(Shell shell)
    {
        var end = DateTime.UtcNow.AddMinutes(2);
        while (((object[])shell.Run("Get-UmxAuthority").One().Get("Missing")!).Length > 0)
        {
            Assert.True(DateTime.UtcNow < end, shell.Render("Get-UmxAuthority"));
            Thread.Sleep(300);
        }
    }

    static void Umxd(params string[] words)
    {
        using var umxd = Process.Start(Stage.Text("umxd"), words);
        umxd.WaitForExit();
        Assert.Equal(0, umxd.ExitCode);
    }
}
