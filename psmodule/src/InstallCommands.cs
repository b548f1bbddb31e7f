using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Runspaces;

namespace Umx
{
    /// <summary>What brings the agent to servers and takes it away: printed, or done over open remoting sessions.</summary>
    public abstract class AgentPackageCommand : UmxCommand
    {
        /// <summary>Open remoting sessions to the servers.</summary>
        public abstract PSSession[] Session { get; set; }

        /// <summary>The agent's package.</summary>
        public abstract string Path { get; set; }

        /// <summary>Folder on the server for what is copied.</summary>
        [Parameter]
        public string Destination { get; set; }

        /// <summary>The agent's program on the server.</summary>
        [Parameter]
        public string Program { get; set; }

        /// What its file is called, here and on the server; null: there is none.
        internal virtual string PackageName { get { return Path != null ? System.IO.Path.GetFileName(Path) : null; } }

        internal string PackageThere(AgentPackage commands)
        {
            return PackageName != null ? AgentPackage.Join(Destination ?? commands.Folder, PackageName) : null;
        }

        /// One after the other; what they say is verbose.
        internal void RunAll(RemoteServer there, string server, IEnumerable<string> lines)
        {
            foreach (string line in lines)
            {
                WriteVerbose(server + "> " + line);
                foreach (string said in there.Run(line, AgentPackage.RestartRequired))
                    WriteVerbose(server + ": " + said);
            }
        }

        /// The server that a session leads to, or an error about it; null then.
        internal RemoteServer Reach(PSSession session)
        {
            try
            {
                return new RemoteServer(InvokeCommand, session);
            }
            catch (RuntimeException failed)
            {
                Failed(session.ComputerName, failed, "see that the session is open: Get-PSSession; make another one with New-PSSession");
                return null;
            }
        }

        internal string Failed(string server, RuntimeException failed, string remedy)
        {
            string why = failed is ActionPreferenceStopException stopped ? stopped.ErrorRecord.Exception.Message : failed.Message;
            WriteError(Failure.Record(new UmxException("UMX-1102", UmxStatus.Unreachable, server, why, remedy, server), server));
            return why;
        }
    }

    /// <summary>
    /// Brings agents to servers: a fresh token for each and the exact commands, or, over remoting sessions that the
    /// administrator has open, package, token and configuration copied and the commands run there.
    /// </summary>
    [Cmdlet(VerbsLifecycle.Install, "UmxAgent", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High, DefaultParameterSetName = "Print")]
    [OutputType("Umx.AgentInstallation")]
    public sealed class InstallUmxAgentCommand : AgentPackageCommand, IDisposable
    {
        private const string AgentPort = "7443";

        private ControllerPackage fetched;

        /// <summary>Open remoting sessions to the servers.</summary>
        [Parameter(Mandatory = true, ParameterSetName = "Session")]
        [Parameter(Mandatory = true, ParameterSetName = "SessionFromController")]
        public override PSSession[] Session { get; set; }

        /// <summary>The agent's package.</summary>
        [Parameter(Position = 1, ParameterSetName = "Print")]
        [Parameter(Position = 1, ParameterSetName = "Session")]
        public override string Path { get; set; }

        /// <summary>The package that the controller holds, instead of a file.</summary>
        [Parameter(Mandatory = true, ParameterSetName = "PrintFromController")]
        [Parameter(Mandatory = true, ParameterSetName = "SessionFromController")]
        public SwitchParameter FromController { get; set; }

        /// <summary>Servers; beside sessions, the name that the agent of each has, where it is not the server's own.</summary>
        [Parameter(Position = 0, Mandatory = true, ParameterSetName = "Print", ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
        [Parameter(Position = 0, Mandatory = true, ParameterSetName = "PrintFromController", ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
        [Parameter(Position = 0, ParameterSetName = "Session")]
        [Parameter(Position = 0, ParameterSetName = "SessionFromController")]
        [Alias("Fqdn", "DNSHostName", "ComputerName")]
        public string[] Server { get; set; }

        /// <summary>The forest that the servers are in.</summary>
        [Parameter(Mandatory = true, ValueFromPipelineByPropertyName = true)]
        [ArgumentCompleter(typeof(ForestCompleter))]
        public string Forest { get; set; }

        /// <summary>The agent's configuration on the server.</summary>
        [Parameter]
        public string ConfigFile { get; set; }

        /// <summary>The controller's listener for agents.</summary>
        [Parameter]
        public string AgentController { get; set; }

        /// <summary>End of the tokens; 24 hours from now without it.</summary>
        [Parameter]
        [WhenTransformation]
        public DateTime? ExpiresAt { get; set; }

        internal override string PackageName { get { return FromController ? fetched?.Name : base.PackageName; } }

        /// <summary>Installs.</summary>
        protected override void ProcessRecord()
        {
            RefuseOwnFiles();
            if (Session == null)
                foreach (string server in Server)
                    Print(server);
            else if (Server != null && Server.Length != Session.Length)
                Terminate(Failure.Invalid("Server", "as many names as sessions, in their order"), null);
            else
                for (int i = 0; i < Session.Length; i++)
                    InstallOver(Session[i], Server?[i]);
        }

        /// <summary>What the controller gave is not kept, however this ends.</summary>
        public void Dispose()
        {
            fetched?.Dispose();
            fetched = null;
        }

        private void RefuseOwnFiles()
        {
            if (AgentPackage.DoesAll(PackageName) && (ConfigFile ?? Program) != null)
                Terminate(Failure.Invalid(ConfigFile != null ? "ConfigFile" : "Program", "none beside an .msi, which has its own"), null);
        }

        /// Once, when somebody agreed to the first server: before a token is made that nobody could use.
        private void Fetch()
        {
            if (!FromController || fetched != null)
                return;
            var package = new ControllerPackage();
            try
            {
                package.End(RunOrThrow("agents.package", null, package.Take));
                fetched = package;
            }
            catch (UmxException problem)
            {
                if (problem.Status == UmxStatus.Cancelled && IsStopping)
                    throw new PipelineStoppedException();
                Terminate(problem, null);
            }
            finally
            {
                if (fetched == null)
                    package.Dispose();
            }
            WriteVerbose(fetched.Name + " " + fetched.Version + " came from the controller: SHA-256 " + fetched.Hash);
            RefuseOwnFiles();
        }

        private void Print(string server)
        {
            if (!Allowed("make a token and the command for the agent on", server))
                return;
            Fetch();
            var commands = new AgentPackage(fetched == null || fetched.IsForWindows, Program);
            JsonObject token = MakeToken(server);
            if (token == null)
                return;
            string file = TokenFile(commands, token), config = ConfigFile ?? commands.ConfigFile;
            WriteObject(Made(server, token, file, config, AllCommands(commands, file, config).ToArray(), false, null));
        }

        private void InstallOver(PSSession session, string named)
        {
            if (!Allowed("install the agent on", named ?? session.ComputerName))
                return;
            RemoteServer there = Reach(session);
            if (there == null)
                return;
            Fetch();
            string server = named ?? there.Name, problem = null;
            if (fetched != null && fetched.IsForWindows != there.IsWindows)
            {
                WriteError(Failure.Record(new UmxException("UMX-1019", UmxStatus.Unsupported, server, "the package that the controller holds is " + fetched.Name,
                                                           "give the package of this platform, with -Path", server), server));
                return;
            }
            var commands = new AgentPackage(there.IsWindows, Program);
            JsonObject token = MakeToken(server);
            if (token == null)
                return;
            string file = TokenFile(commands, token), config = ConfigFile ?? commands.ConfigFile, package = PackageThere(commands);
            try
            {
                Put(there, commands, token, file, config, package, server);
            }
            catch (RuntimeException failed)
            {
                problem = Failed(server, failed, "mend what it says and install again: Revoke-UmxToken " + token.Text("id") + " makes this token worthless");
            }
            WriteObject(Made(server, token, file, config, AllCommands(commands, file, config).ToArray(), problem == null, problem));
        }

        private void Put(RemoteServer there, AgentPackage commands, JsonObject token, string file, string config, string package, string server)
        {
            if (package != null)
                there.Copy(fetched?.File ?? FullPath(Path), package);
            try
            {
                if (AgentPackage.DoesAll(package))
                {
                    there.WriteSecret(file, token.Text("token") + "\n");
                    RunAll(there, server, AllCommands(commands, file, config));
                    return;
                }
                RunAll(there, server, commands.Install(package));
                bool written = there.WriteIfNone(config, AgentPackage.Configuration(ControllerOfAgents(), config));
                WriteVerbose(server + ": " + config + (written ? " was written" : " was there, and stays"));
                there.WriteSecret(file, token.Text("token") + "\n");
                RunAll(there, server, commands.Enrol(ControllerOfAgents(), Connected.Address, file, config, Program == null));
            }
            finally
            {
                there.Remove(file); // a secret until it is used
                if (package != null)
                    there.Remove(package);
            }
        }

        private bool Allowed(string does, string server)
        {
            string said = does + " " + server + " in " + Forest;
            return ShouldProcess(said, said + "?", "umx");
        }

        private string TokenFile(AgentPackage commands, JsonObject token)
        {
            return AgentPackage.Join(Destination ?? commands.Folder, "umx-" + token.Text("id") + ".token");
        }

        private IEnumerable<string> AllCommands(AgentPackage commands, string tokenFile, string config)
        {
            string package = PackageThere(commands);
            string condition = fetched != null && Session == null ? commands.When(package, fetched.Hash) : string.Empty;
            return (AgentPackage.DoesAll(package)
                ? commands.InstallAll(package, ControllerOfAgents(), Connected.Address, tokenFile)
                : commands.Install(package).Concat(commands.Enrol(ControllerOfAgents(), Connected.Address, tokenFile, config, Program == null)))
                .Select((line, at) => at == 0 ? condition + line : line);
        }

        /// The same host as the operators' listener, on the port that agents have unless it was chosen otherwise.
        private string ControllerOfAgents()
        {
            string address = Connected.Address;
            return AgentController ?? address.Substring(0, address.LastIndexOf(':') + 1) + AgentPort;
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

        private PSObject Made(string server, JsonObject token, string file, string config, string[] commands, bool installed, string problem)
        {
            var made = new PSObject();
            made.TypeNames.Insert(0, "Umx.AgentInstallation");
            made.Properties.Add(new PSNoteProperty("Server", server));
            made.Properties.Add(new PSNoteProperty("Forest", Forest));
            made.Properties.Add(new PSNoteProperty("Installed", installed));
            made.Properties.Add(new PSNoteProperty("TokenId", token.Text("id")));
            made.Properties.Add(new PSNoteProperty("Token", Session == null ? token.Text("token") : null));
            made.Properties.Add(new PSNoteProperty("TokenFile", file));
            made.Properties.Add(new PSNoteProperty("ExpiresAt", Values.Member("expires_at", token["expires_at"])));
            made.Properties.Add(new PSNoteProperty("ConfigFile", config));
            made.Properties.Add(new PSNoteProperty("Configuration", AgentPackage.DoesAll(PackageName) ? null : AgentPackage.Configuration(ControllerOfAgents(), config)));
            made.Properties.Add(new PSNoteProperty("Commands", commands));
            made.Properties.Add(new PSNoteProperty("Package", PackageName));
            made.Properties.Add(new PSNoteProperty("PackageHash", fetched?.Hash));
            made.Properties.Add(new PSNoteProperty("Error", problem));
            return made;
        }
    }

    /// <summary>
    /// Takes agents away: the exact commands, or run over open sessions; the identity is revoked, and forgotten when asked.
    /// </summary>
    [Cmdlet(VerbsLifecycle.Uninstall, "UmxAgent", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High, DefaultParameterSetName = "Print")]
    [OutputType("Umx.AgentRemoval")]
    public sealed class UninstallUmxAgentCommand : AgentPackageCommand
    {
        /// <summary>Open remoting sessions to the servers.</summary>
        [Parameter(Mandatory = true, ParameterSetName = "Session")]
        public override PSSession[] Session { get; set; }

        /// <summary>The agent's package.</summary>
        [Parameter(Position = 1)]
        public override string Path { get; set; }

        /// <summary>Servers, as the controller knows them; beside sessions where they are called otherwise.</summary>
        [Parameter(Position = 0, Mandatory = true, ParameterSetName = "Print", ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
        [Parameter(Position = 0, ParameterSetName = "Session")]
        [Alias("Fqdn", "DNSHostName", "ComputerName")]
        [ArgumentCompleter(typeof(ServerCompleter))]
        public string[] Server { get; set; }

        /// <summary>What becomes of the identity.</summary>
        [Parameter]
        [ValidateSet("Revoke", "Forget", "Keep")]
        public string Identity { get; set; }

        /// Who only wants to know the commands has not run them yet.
        private string Fate { get { return Identity ?? (Session != null ? "Revoke" : "Keep"); } }

        /// <summary>Uninstalls.</summary>
        protected override void ProcessRecord()
        {
            if (Session == null)
                foreach (string server in Server)
                    Remove(server, null);
            else if (Server != null && Server.Length != Session.Length)
                Terminate(Failure.Invalid("Server", "as many names as sessions, in their order"), null);
            else
                for (int i = 0; i < Session.Length; i++)
                {
                    RemoteServer there = Reach(Session[i]);
                    if (there != null)
                        Remove(Server?[i] ?? there.Name, there);
                }
        }

        private void Remove(string wanted, RemoteServer there)
        {
            JsonObject agent = Known(wanted);
            if (agent == null)
                return;
            string server = agent.Text("server"), problem = null;
            string said = (there != null ? "uninstall the agent on " : "tell the commands that uninstall the agent on ") + server + " (" + agent.Text("state") + ", " +
                          agent.Text("forest") + ") and " + Fate.ToLowerInvariant() + " its identity " + agent.Text("agent");
            if (!ShouldProcess(said, said + "?", "umx"))
                return;
            var commands = new AgentPackage(there == null || there.IsWindows, Program);
            bool keep = "Keep".Equals(Identity, StringComparison.OrdinalIgnoreCase); // asked for; who asks for nothing leaves the server clean
            string[] lines = commands.Uninstall(PackageThere(commands), keep).ToArray();
            if (there != null)
                problem = TakeAway(there, server, commands, lines);
            bool done = problem == null && Settle(server);
            WriteObject(Made(server, agent, there != null && problem == null, done, lines, problem));
        }

        private string TakeAway(RemoteServer there, string server, AgentPackage commands, string[] lines)
        {
            string package = AgentPackage.DoesAll(Path) ? null : PackageThere(commands);
            try
            {
                if (package != null)
                    there.Copy(FullPath(Path), package);
                RunAll(there, server, lines);
                if (package != null)
                    there.Remove(package);
                return null;
            }
            catch (RuntimeException failed)
            {
                return Failed(server, failed, "mend what it says and uninstall again; the identity is as it was");
            }
        }

        /// An identity that was revoked is refused from then on; the controller forgets what is not connected.
        private bool Settle(string server)
        {
            bool keep = Fate.Equals("Keep", StringComparison.OrdinalIgnoreCase);
            return keep || (Ask("agents.revoke", server) && (!Fate.Equals("Forget", StringComparison.OrdinalIgnoreCase) || Ask("agents.forget", server)));
        }

        private bool Ask(string operation, string server)
        {
            var arguments = new JsonObject();
            arguments.Set("agent", server);
            return Run(operation, arguments, null, server) != null;
        }

        private JsonObject Known(string wanted)
        {
            var agents = new List<JsonObject>();

            if (Run("agents", null, (type, body) => agents.Add(body as JsonObject), wanted) == null)
                return null;
            try
            {
                JsonObject found = Meant(wanted, agents);
                if (found == null)
                    WriteError(Failure.Record(Failure.NoMatch("agent", wanted), wanted));
                return found;
            }
            catch (UmxException problem)
            {
                Fail(problem, wanted);
                return null;
            }
        }

        private PSObject Made(string server, JsonObject agent, bool uninstalled, bool settled, string[] commands, string problem)
        {
            var made = new PSObject();
            made.TypeNames.Insert(0, "Umx.AgentRemoval");
            made.Properties.Add(new PSNoteProperty("Server", server));
            made.Properties.Add(new PSNoteProperty("Forest", agent.Text("forest")));
            made.Properties.Add(new PSNoteProperty("Agent", agent.Text("agent")));
            made.Properties.Add(new PSNoteProperty("Uninstalled", uninstalled));
            made.Properties.Add(new PSNoteProperty("Identity", !settled ? "Keep" : Fate));
            made.Properties.Add(new PSNoteProperty("Commands", commands));
            made.Properties.Add(new PSNoteProperty("Error", problem));
            return made;
        }
    }
}
