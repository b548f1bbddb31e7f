using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Runspaces;

namespace Umx
{
    /// <summary>
    /// Brings agents to servers: a fresh token for each and the exact commands, or, over remoting sessions that the
    /// administrator has open, package and token copied and the commands run there.
    /// </summary>
    [Cmdlet(VerbsLifecycle.Install, "UmxAgent", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High, DefaultParameterSetName = "Print")]
    [OutputType("Umx.AgentInstallation")]
    public sealed class InstallUmxAgentCommand : UmxCommand
    {
        private const string Copy =
            "param($session, $package, $target, $token, $tokenFile) " +
            "if ($package) { Microsoft.PowerShell.Management\\Copy-Item -LiteralPath $package -Destination $target -ToSession $session -Force -ErrorAction Stop }; " +
            "Invoke-Command -Session $session -ErrorAction Stop -ArgumentList $tokenFile, $token -ScriptBlock { param($file, $text) " +
            "[IO.File]::WriteAllText($file, $text + \"`n\") }";

        private const string RunThere =
            "param($session, $command) Invoke-Command -Session $session -ErrorAction Stop -ArgumentList $command -ScriptBlock { param($line) " +
            "& $env:ComSpec /d /c $line 2>&1 | ForEach-Object { \"$_\" }; if ($LASTEXITCODE -ne 0) { throw \"exit code $LASTEXITCODE\" } }";

        /// <summary>Servers.</summary>
        [Parameter(Position = 0, Mandatory = true, ParameterSetName = "Print", ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
        [Alias("Fqdn", "DNSHostName", "ComputerName")]
        public string[] Server { get; set; }

        /// <summary>Open remoting sessions to the servers.</summary>
        [Parameter(Mandatory = true, ParameterSetName = "Session")]
        public PSSession[] Session { get; set; }

        /// <summary>The agent's package: copied, and named in the command.</summary>
        [Parameter(Position = 1)]
        public string Path { get; set; }

        /// <summary>The forest that the servers are in.</summary>
        [Parameter(Mandatory = true, ValueFromPipelineByPropertyName = true)]
        [ArgumentCompleter(typeof(ForestCompleter))]
        public string Forest { get; set; }

        /// <summary>Folder on the server for package and token.</summary>
        [Parameter]
        public string Destination { get; set; } = @"C:\Windows\Temp";

        /// <summary>The agent's configuration on the server.</summary>
        [Parameter]
        public string ConfigFile { get; set; } = @"C:\ProgramData\umx\agent.ini";

        /// <summary>End of the tokens; 24 hours from now without it.</summary>
        [Parameter]
        [WhenTransformation]
        public DateTime? ExpiresAt { get; set; }

        /// <summary>Installs.</summary>
        protected override void ProcessRecord()
        {
            if (Session != null)
                foreach (PSSession session in Session)
                    Install(session.ComputerName, session);
            else
                foreach (string server in Server)
                    Install(server, null);
        }

        private void Install(string server, PSSession session)
        {
            string said = (session != null ? "install the agent on " : "make a token and the command for the agent on ") + server + " in " + Forest;
            if (!ShouldProcess(said, said + "?", "umx"))
                return;
            JsonObject token = MakeToken(server);
            if (token == null)
                return;
            string file = Destination.TrimEnd('\\') + "\\umx-" + token.Text("id") + ".token";
            string[] commands = Commands(file).ToArray();
            string problem = null;
            if (session != null)
                try
                {
                    string target = Path != null ? Destination.TrimEnd('\\') + "\\" + System.IO.Path.GetFileName(Path) : null;
                    InvokeCommand.InvokeScript(Copy, false, PipelineResultTypes.None, null, session, Path != null ? FullPath(Path) : null, target, token.Text("token"), file);
                    foreach (string command in commands)
                        foreach (PSObject line in InvokeCommand.InvokeScript(RunThere, false, PipelineResultTypes.None, null, session, command))
                            WriteVerbose(server + ": " + line);
                }
                catch (RuntimeException failed)
                {
                    problem = failed.Message;
                    WriteError(Failure.Record(new UmxException("UMX-1102", UmxStatus.Unreachable, server, problem, "run the commands of the answer on the server itself", server), server));
                }
            var made = new PSObject();
            made.TypeNames.Insert(0, "Umx.AgentInstallation");
            made.Properties.Add(new PSNoteProperty("Server", server));
            made.Properties.Add(new PSNoteProperty("Forest", Forest));
            made.Properties.Add(new PSNoteProperty("Installed", session != null && problem == null));
            made.Properties.Add(new PSNoteProperty("TokenId", token.Text("id")));
            made.Properties.Add(new PSNoteProperty("Token", session == null ? token.Text("token") : null));
            made.Properties.Add(new PSNoteProperty("TokenFile", file));
            made.Properties.Add(new PSNoteProperty("ExpiresAt", Values.Member("expires_at", token["expires_at"])));
            made.Properties.Add(new PSNoteProperty("Commands", commands));
            made.Properties.Add(new PSNoteProperty("Error", problem));
            WriteObject(made);
        }

        private JsonObject MakeToken(string server)
        {
            JsonObject token = null;
            var arguments = new JsonObject();

            arguments.Set("server", server);
            arguments.Set("forest", Forest);
            if (ExpiresAt != null)
                arguments.Set("expires_at", ExpiresAt.Value);
            Run("token.create", arguments, (type, body) => token = body as JsonObject ?? token, server);
            return token;
        }

        /// What is typed on the server: the package, silently, and the enrolment, which needs nobody.
        private IEnumerable<string> Commands(string tokenFile)
        {
            if (Path != null)
            {
                string package = Destination.TrimEnd('\\') + "\\" + System.IO.Path.GetFileName(Path);
                yield return package.EndsWith(".msi", StringComparison.OrdinalIgnoreCase)
                    ? "msiexec.exe /i \"" + package + "\" /qn /norestart"
                    : "\"" + package + "\"";
            }
            yield return "umx-agent.exe enroll --controller " + Connected.Address + " --token-file \"" + tokenFile + "\" --config \"" + ConfigFile + "\"";
        }
    }
}
