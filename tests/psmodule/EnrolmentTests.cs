// A server that the controller knows asks with another key: somebody decides, by the key that the server itself shows.
using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Management.Automation;
using Xunit;

namespace Umx.Tests;

[Collection("engine")]
public sealed class EnrolmentTests : IDisposable
{
    readonly string server = Stage.Text("spare_server");
    readonly Shell shell = Shell.Connected();

    public EnrolmentTests() => shell.Run("$ConfirmPreference = 'None'").Good();

    public void Dispose()
    {
        shell.Run($"Revoke-UmxAgent {server}; Remove-UmxAgent {server}; Get-UmxToken -State active | Revoke-UmxToken");
        shell.Dispose();
    }

    /// The agent of a folder asks to be let in; what it says when it is not.
    string? Enrol(string name)
    {
        var place = Directory.CreateDirectory(Path.Combine(Stage.Output, "reinstalled", name)).FullName;
        var (config, token) = (Path.Combine(place, "agent.ini"), Path.Combine(place, "token"));
        File.WriteAllText(config, $"[agent]\ncontroller = {Stage.Text("agents")}\nidentity = {place}/identity.pem\nhost = recorded:{Stage.Text("spare_host")}\nstate = {place}\n");
        File.WriteAllText(token, shell.Run($"New-UmxToken {server} -Forest contoso.test").One().Text("Token") + "\n");
        using var agent = Process.Start(new ProcessStartInfo(Stage.Text("agent_program"),
            ["enroll", "--controller", Stage.Controller, "--token-file", token, "--config", config]) { RedirectStandardError = true })!;
        var said = agent.StandardError.ReadToEnd();
        agent.WaitForExit();
        return agent.ExitCode == 0 ? null : said;
    }

    PSObject Held() => shell.Run($"Get-UmxEnrollment {server}").One();

    [Fact]
    public void The_new_key_is_rejected_and_another_one_accepted()
    {
        Assert.Null(Enrol("old"));
        Assert.Contains("UMX-1125", Enrol("stranger"));
        var held = Held();
        Assert.Equal(server, held.Text("Server"));
        Assert.NotEqual(held.Text("KnownKey"), held.Text("Key"));

        var wrong = shell.Run($"Approve-UmxEnrollment {server} -Key {held.Text("KnownKey")}").Error();
        Assert.Equal(ErrorCategory.ObjectNotFound, wrong.CategoryInfo.Category);
        shell.Host.Clear();
        shell.Run($"Approve-UmxEnrollment {server} -Key {held.Text("Key")} -WhatIf").Good();
        Assert.Contains(held.Text("Key"), shell.Host.Rendered);
        Assert.Contains(held.Text("KnownKey"), shell.Host.Rendered); // both keys stand there
        shell.Run("$args[0] | Deny-UmxEnrollment", held).Good(); // by the members of what was shown
        Assert.Equal(ErrorCategory.ObjectNotFound, shell.Run($"Get-UmxEnrollment {server}").Error().CategoryInfo.Category);

        Assert.Contains("UMX-1125", Enrol("new"));
        var key = Held().Text("Key");
        Assert.NotEqual(held.Text("Key"), key);
        shell.Run($"Approve-UmxEnrollment {server} -Key {key[..16]}").Good();
        Assert.Null(Enrol("new"));
        Assert.Equal(key, shell.Run($"Get-UmxAgent {server}").One().Text("Key"));
        var kinds = shell.Run("Get-UmxAuditLog -Kind enrolment_*").Good().Output.Select(e => e.Text("Kind")).ToArray();
        Assert.Contains("enrolment_accepted", kinds);
        Assert.Contains("enrolment_rejected", kinds);
    }
}
