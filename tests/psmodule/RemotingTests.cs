// Agents over remoting sessions: the engine's own sessions, its `ssh` being a process here (RemoteEnd.cs). The package is a
// script, for nothing may be installed on the machine that tests; enrolment, agent and controller are the real ones.
using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Threading;
using Xunit;
using Xunit.Abstractions;

namespace Umx.Tests;

[Collection("engine")]
public sealed class RemotingTests : IDisposable
{
    readonly ITestOutputHelper output;
    readonly IDisposable path = RemoteEnd.OnThePath();
    readonly string place = Directory.CreateDirectory(Path.Combine(Stage.Output, "remote")).FullName;
    readonly Shell shell = Shell.Connected();

    public RemotingTests(ITestOutputHelper told)
    {
        output = told;
        shell.GoTo(place);
        shell.Run("$ConfirmPreference = 'None'").Good();
    }

    public void Dispose()
    {
        shell.Run("Get-PSSession | Remove-PSSession; Get-UmxToken -State active | Revoke-UmxToken");
        shell.Dispose();
        path.Dispose();
    }

    string File_(string name) => Path.Combine(place, name);

    /// Puts the agent's program, or what stands for it, into a folder, and takes it away again.
    string Package(string name, string program)
    {
        var package = File_(name);
        File.WriteAllText(package, $"if [ \"$1\" = remove ]; then rm -r '{File_("installed")}'; echo gone; exit; fi\n" +
            $"mkdir -p '{File_("installed")}'\ncp '{program}' '{File_("installed")}/umx-agent'\necho installed\n# {new string('x', 3_000_000)}\n");
        return package;
    }

    [Fact]
    public void An_agent_is_installed_enrolled_and_taken_away_over_a_session()
    {
        var config = File_("agent.ini");
        File.WriteAllText(config, $"[agent]\ncontroller = {Stage.Text("agents")}\nidentity = {File_("identity.pem")}\n" +
            $"host = recorded:{Stage.Text("spare_host")}\nstate = {place}\nstart_jitter = 0\n");
        Package("umx-agent.run", Stage.Text("agent_program"));
        shell.Run("$session = New-PSSession -HostName um.example").Good();
        var server = Stage.Text("spare_server");
        var there = File_("there");
        Directory.CreateDirectory(there);
        var words = $"-Session $session -Server {server} -Path umx-agent.run -Destination '{there}' -Program '{File_("installed/umx-agent")}' -Verbose";

        var outcome = shell.Run($"Install-UmxAgent {words} -Forest contoso.test -ConfigFile '{config}'");
        output.WriteLine(string.Join("\n", outcome.Verbose));
        var made = outcome.One();
        Assert.True((bool)made.Get("Installed")!);
        Assert.Equal(server, made.Text("Server"));
        Assert.Null(made.Get("Token")); // it was used there, and is nobody else's
        Assert.Contains(outcome.Verbose, line => line == server + ": installed");
        Assert.Contains(outcome.Verbose, line => line.EndsWith("agent.ini was there, and stays", StringComparison.Ordinal));
        Assert.Empty(Directory.GetFiles(there)); // neither the token nor the package stays
        Assert.Equal("used_up", shell.Run("Get-UmxToken").Good().Output.Single(t => t.Text("Id") == made.Text("TokenId")).Text("State"));

        using (var agent = Process.Start(File_("installed/umx-agent"), ["--config", config]))
        {
            Assert.Equal("connected", WaitFor(server, "connected"));
            agent.Kill();
            agent.WaitForExit();
        }

        var gone = shell.Run($"Uninstall-UmxAgent {words} -Identity Forget").One();
        Assert.True((bool)gone.Get("Uninstalled")!);
        Assert.Equal("Forget", gone.Text("Identity"));
        Assert.False(Directory.Exists(File_("installed")));
        Assert.Equal(ErrorCategory.ObjectNotFound, shell.Run("Get-UmxAgent " + server).Error().CategoryInfo.Category);
    }

    [Fact]
    public void One_server_that_fails_is_an_error_about_it_and_the_others_go_on()
    {
        Package("umx-agent.run", "/bin/true");
        var config = Path.Combine(place, "etc", "agent.ini");
        shell.Run("$good = New-PSSession -HostName good.example; $bad = New-PSSession -HostName bad.example").Good();
        var outcome = shell.Run($"Invoke-Command -Session $bad {{ $env:PATH = '/nowhere' }}; Install-UmxAgent -Session $bad, $good " +
            $"-Server bad.contoso.test, good.contoso.test -Forest contoso.test -Path umx-agent.run -Destination '{place}/there' -ConfigFile '{config}' " +
            $"-AgentController umx.example:7443 -Program '{File_("installed/umx-agent")}'");
        var error = outcome.Error();
        Assert.StartsWith("UMX-1102,", error.FullyQualifiedErrorId);
        Assert.Equal("bad.contoso.test", error.TargetObject);
        Assert.Contains("Revoke-UmxToken", error.ErrorDetails.RecommendedAction);
        Assert.Equal([false, true], outcome.Output.Select(o => (bool)o.Get("Installed")!));
        Assert.Equal($"[agent]\ncontroller = umx.example:7443\nidentity = {place}/etc/identity.pem\nhost = local\n", File.ReadAllText(config));
        Assert.Empty(Directory.GetFiles(place + "/there"));
    }

    [Fact]
    public void A_session_that_has_ended_is_an_error_about_its_server()
    {
        shell.Run("$session = New-PSSession -HostName um.example; Remove-PSSession $session").Good();
        var error = shell.Run("Install-UmxAgent -Session $session -Forest contoso.test").Error();
        Assert.Equal(ErrorCategory.ConnectionError, error.CategoryInfo.Category);
        Assert.Equal("um.example", error.TargetObject);
        Assert.Contains("New-PSSession", error.ErrorDetails.RecommendedAction);
    }

    [Fact]
    public void An_msi_is_told_everything_in_one_line()
    {
        var made = shell.Run("Install-UmxAgent um9.contoso.test -Forest contoso.test -Path umx-agent.msi -AgentController umx.example:7443").One();
        Assert.Equal(["start \"\" /wait msiexec.exe /i \"C:\\Windows\\Temp\\umx-agent.msi\" /qn /norestart CONTROLLER=umx.example:7443 OPERATORS=" +
            Stage.Controller + " TOKENFILE=\"" + made.Text("TokenFile") + "\""], (string[])made.Get("Commands")!);
        Assert.Equal($@"C:\Windows\Temp\umx-{made.Text("TokenId")}.token", made.Text("TokenFile"));
        Assert.Null(made.Get("Configuration")); // the package writes it
        foreach (var other in new[] { @"-ConfigFile C:\agent.ini", @"-Program C:\agent.exe" })
            Assert.Equal(ErrorCategory.InvalidArgument, shell.Run("Install-UmxAgent um9.contoso.test -Forest contoso.test -Path umx-agent.msi " + other).Error().CategoryInfo.Category);
    }

    /// After an update the package that is installed is not the one of last month's file.
    [Theory]
    [InlineData("", "'/norestart').ExitCode\"")]
    [InlineData("-Identity Keep", "'/norestart', 'KEEPSTATE=1').ExitCode\"")]
    public void An_msi_takes_away_what_is_installed_and_leaves_the_state_when_told(string options, string end)
    {
        var server = shell.Run("Get-UmxAgent").Good().Output[0].Text("Server");
        var line = Assert.Single((string[])shell.Run($"Uninstall-UmxAgent {server} -Path umx-agent.msi {options}").One().Get("Commands")!);
        Assert.StartsWith("powershell.exe -NoProfile -Command \"$there = Get-ChildItem HKLM:", line);
        Assert.EndsWith(end, line);
        Assert.Equal(2, line.Count(c => c == '"'));
    }

    [Fact]
    public void The_package_that_the_controller_holds_is_named_with_its_hash()
    {
        var hash = Hash(Stage.Text("package"));
        var made = shell.Run("Install-UmxAgent um8.contoso.test, um9.contoso.test -Forest contoso.test -FromController -AgentController umx.example:7443").Good().Output;
        Assert.Equal(2, made.Count);
        foreach (var one in made)
        {
            Assert.Equal("umx-agent.msi", one.Text("Package"));
            Assert.Equal(hash, one.Text("PackageHash"));
            var commands = (string[])one.Get("Commands")!;
            Assert.Equal("ReadAllBytes('C:\\Windows\\Temp\\umx-agent.msi'))).Replace('-', '') -ne '" + hash + "') { 'another package'; exit 1 }\" && " +
                "start \"\" /wait msiexec.exe /i \"C:\\Windows\\Temp\\umx-agent.msi\" /qn /norestart CONTROLLER=umx.example:7443",
                Assert.Single(commands)[(commands[0].IndexOf("ReadAllBytes", StringComparison.Ordinal))..commands[0].IndexOf(" OPERATORS", StringComparison.Ordinal)]);
            Assert.Null(one.Get("Configuration"));
        }
        Assert.Empty(Leftovers());
        Assert.Equal(ErrorCategory.InvalidArgument,
            shell.Run(@"Install-UmxAgent um9.contoso.test -Forest contoso.test -FromController -Program C:\agent.exe").Error().CategoryInfo.Category);
        Assert.Contains("AmbiguousParameterSet", shell.Run("Install-UmxAgent um9.contoso.test -Forest contoso.test -FromController -Path umx-agent.msi").Error().FullyQualifiedErrorId);
        Assert.Empty(Leftovers());
    }

    [Fact]
    public void A_package_that_the_controller_does_not_hold_whole_is_refused_before_a_token_is_made()
    {
        string held = Directory.GetFiles(Path.Combine(Stage.Text("data"), "updates")).Single(), aside = File_("held"), package = Stage.Text("package");
        File.Move(held, aside);
        try
        {
            foreach (var (length, change, id) in new[] { (-1, 0, "UMX-1814"), (-2, 0, "UMX-1815"), (0, 1, "UMX-1815") })
            {
                if (length != -1)
                {
                    var bytes = File.ReadAllBytes(package);
                    bytes[^1] ^= (byte)change;
                    File.WriteAllBytes(held, bytes[..^(-length)]);
                }
                var error = shell.Run("Install-UmxAgent um9.contoso.test -Forest contoso.test -FromController").Error();
                Assert.StartsWith(id + ",", error.FullyQualifiedErrorId);
                Assert.Empty(shell.Run("Get-UmxToken -State active").Good().Output);
                Assert.Empty(Leftovers());
            }
        }
        finally
        {
            File.Move(aside, held, true);
        }
    }

    [Fact]
    public void The_package_that_the_controller_holds_goes_over_a_session()
    {
        var tools = Directory.CreateDirectory(File_("tools")).FullName;
        var apt = Path.Combine(tools, "apt-get"); // what it would install is the script of the other tests
        File.WriteAllText(apt, "#!/bin/sh\nsha256sum \"$3\"\nexec sh \"$3\"\n");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(apt, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var package = Package("umx-agent.deb", "/bin/true");
        var kept = File.ReadAllText(Stage.Text("package") + ".umxsig");
        File.WriteAllText(package + ".umxsig", string.Join('\n', kept.Split('\n').Select(line => line.Split(' ')[0] switch
        {
            "kind" => "kind deb",
            "size" => "size " + new FileInfo(package).Length,
            "sha256" => "sha256 " + Hash(package),
            _ => line,
        })));
        try
        {
            Give(package);
            shell.Run($"$session = New-PSSession -HostName um.example; Invoke-Command -Session $session {{ $env:PATH = '{tools}:' + $env:PATH }}").Good();
            var outcome = shell.Run($"Install-UmxAgent -Session $session -Server um9.contoso.test -Forest contoso.test -FromController -Destination '{place}/there' " +
                $"-ConfigFile '{place}/etc/agent.ini' -Program '{File_("installed/umx-agent")}' -Verbose");
            var made = outcome.One();
            Assert.True((bool)made.Get("Installed")!);
            Assert.Equal("umx-agent.deb", made.Text("Package"));
            Assert.Equal(Hash(package), made.Text("PackageHash"));
            Assert.Contains(outcome.Verbose, line => line.Contains(Hash(package) + "  " + place + "/there/umx-agent.deb", StringComparison.Ordinal)); // of what arrived
            Assert.Contains(outcome.Verbose, line => line == "um9.contoso.test: installed");
            Assert.Empty(Directory.GetFiles(place + "/there"));
            Assert.Empty(Leftovers());
        }
        finally
        {
            Give(Stage.Text("package"));
        }
    }

    /// The controller is given a package, which no agent takes.
    void Give(string package)
    {
        shell.Run($"$null = Update-UmxAgent '{package}' -Server {Stage.LyncServer}").Good();
        var end = DateTime.UtcNow.AddSeconds(60);
        string state;
        while ((state = shell.Run("Get-UmxAgentUpdate").One().Text("State")) != "completed" && DateTime.UtcNow < end)
            Thread.Sleep(100);
        Assert.Equal("completed", state);
    }

    /// The engine's session ends on this machine, which is no Windows.
    [Fact]
    public void A_package_of_another_platform_is_an_error_about_that_server()
    {
        shell.Run("$session = New-PSSession -HostName um.example").Good();
        var error = shell.Run($"Install-UmxAgent -Session $session -Server um9.contoso.test -Forest contoso.test -FromController -Destination '{place}/there'").Error();
        Assert.StartsWith("UMX-1019,", error.FullyQualifiedErrorId);
        Assert.Equal("um9.contoso.test", error.TargetObject);
        Assert.Empty(shell.Run("Get-UmxToken -State active").Good().Output);
        Assert.Empty(Leftovers());
    }

    static string Hash(string file) => Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(file))).ToLowerInvariant();

    /// Folders in which a controller's package was, and should be no more.
    static string[] Leftovers() => [.. Directory.GetDirectories(Path.GetTempPath(), "umx-*").Where(d => File.Exists(Path.Combine(d, "part")) || Directory.GetFiles(d, "umx-agent.*").Length > 0)];

    [Fact]
    public void The_commands_that_are_printed_are_those_of_Windows()
    {
        var commands = (string[])shell.Run("Install-UmxAgent um9.contoso.test -Forest contoso.test -Path setup.exe").One().Get("Commands")!;
        Assert.Equal("\"C:\\Windows\\Temp\\setup.exe\"", commands[0]);
        Assert.Contains("--install --config \"C:\\ProgramData\\umx\\agent.ini\" --controller ", commands[1]); // closes the folder
        Assert.Contains(" enroll --controller " + Stage.Controller, commands[2]);
    }

    string WaitFor(string server, string state)
    {
        var end = DateTime.UtcNow.AddSeconds(60);
        string now;
        while ((now = shell.Run("Get-UmxAgent " + server).One().Text("State")) != state && DateTime.UtcNow < end)
            Thread.Sleep(200);
        return now;
    }
}
