using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Runtime.InteropServices;
using System.Threading;

namespace Umx
{
    /// <summary>Connects, with the Kerberos ticket of the user where an identity is needed.</summary>
    [Cmdlet(VerbsCommunications.Connect, "UmxController")]
    [OutputType(typeof(Controller))]
    public sealed class ConnectUmxControllerCommand : PSCmdlet
    {
        private static readonly TimeSpan Margin = TimeSpan.FromMinutes(10);
        private readonly ManualResetEventSlim stop = new ManualResetEventSlim();

        /// <summary>HOST or HOST:PORT.</summary>
        [Parameter(Position = 0, ValueFromPipeline = true)]
        [Alias("ComputerName", "HostName", "Server")]
        [ValidateNotNullOrEmpty]
        public string Controller { get; set; }

        /// <summary>What to call the connection; HOST:PORT without it.</summary>
        [Parameter]
        [ValidateNotNullOrEmpty]
        public string Name { get; set; }

        /// <summary>The identity file.</summary>
        [Parameter]
        [ValidateNotNullOrEmpty]
        public string IdentityFile { get; set; }

        /// <summary>The forest that vouches for the user.</summary>
        [Parameter]
        public string Forest { get; set; }

        /// <summary>The controller's service principal.</summary>
        [Parameter]
        public string ServicePrincipalName { get; set; }

        /// <summary>Instead of a ticket: a certificate of the forest's operator CA, PEM.</summary>
        [Parameter]
        public string CertificateFile { get; set; }

        /// <summary>Its key, PEM.</summary>
        [Parameter]
        public string KeyFile { get; set; }

        /// <summary>The deployment's root certificate, PEM.</summary>
        [Parameter]
        public string RootFile { get; set; }

        /// <summary>Instead of RootFile: its SHA-256 in hex.</summary>
        [Parameter]
        public string Fingerprint { get; set; }

        /// <summary>The name in the controller's certificate, when it is reached by another one.</summary>
        [Parameter]
        public string ServerName { get; set; }

        /// <summary>Get a new identity even if the present one is good.</summary>
        [Parameter]
        public SwitchParameter Renew { get; set; }

        /// <summary>Keep the default connection as it is.</summary>
        [Parameter]
        public SwitchParameter NotDefault { get; set; }

        internal static string DefaultIdentityFile
        {
            get
            {
                string given = Environment.GetEnvironmentVariable("UMX_IDENTITY");
                if (!string.IsNullOrEmpty(given))
                    return given;
                string config = Environment.GetEnvironmentVariable("XDG_CONFIG_HOME");
                if (RuntimeInformation.IsOSPlatform(OSPlatform.Windows) || string.IsNullOrEmpty(config))
                    config = RuntimeInformation.IsOSPlatform(OSPlatform.Windows)
                        ? Environment.GetFolderPath(Environment.SpecialFolder.ApplicationData)
                        : Path.Combine(Environment.GetEnvironmentVariable("HOME") ?? "/", ".config");
                return Path.Combine(config, "umx", "identity.pem");
            }
        }

        /// <summary>Ctrl+C.</summary>
        protected override void StopProcessing() { stop.Set(); }

        /// <summary>Connects.</summary>
        protected override void ProcessRecord()
        {
            string name = Controller ?? Environment.GetEnvironmentVariable("UMX_CONTROLLER");
            name = Connections.Address(string.IsNullOrEmpty(name) ? "127.0.0.1" : name);
            try
            {
                WriteObject(Connect(name));
            }
            catch (UmxException problem)
            {
                ThrowTerminatingError(Failure.Record(problem, name));
            }
        }

        private string Full(string path)
        {
            return string.IsNullOrEmpty(path) ? null : GetUnresolvedProviderPathFromPSPath(path);
        }

        private Controller Connect(string name)
        {
            string identity = Full(IdentityFile ?? DefaultIdentityFile);
            bool proof = CertificateFile != null || KeyFile != null || RootFile != null || Fingerprint != null || Renew;
            Controller made = null;

            if (File.Exists(identity) && !(proof && (Renew || CertificateFile != null)))
                made = Open(name, identity);
            if (made == null || made.ExpiresAt < DateTime.Now + Margin)
            {
                made?.Close();
                Login(name, identity);
                made = Open(name, identity);
            }
            try
            {
                AskWho(made);
            }
            catch
            {
                made.Close();
                throw;
            }
            Connections.Here.Add(made, !NotDefault);
            made.Completions.Refresh();
            return made;
        }

        private void Login(string name, string identity)
        {
            var request = new JsonObject();

            if (RootFile == null && Fingerprint == null && !File.Exists(identity))
                throw Failure.Invalid("RootFile", "the first time -RootFile or -Fingerprint says who the controller has to be");
            request.Set("controller", name);
            request.Set("out", identity);
            foreach (var member in new Dictionary<string, string>
            {
                { "forest", Forest }, { "service", ServicePrincipalName }, { "certificate", Full(CertificateFile) },
                { "key", Full(KeyFile) }, { "ca", Full(RootFile) }, { "fingerprint", Fingerprint }, { "server_name", ServerName },
            })
                if (!string.IsNullOrEmpty(member.Value))
                    request.Set(member.Key, member.Value);
            Directory.CreateDirectory(Path.GetDirectoryName(identity));
            byte[] bytes = JsonWriter.Bytes(request);
            Library library = Library.Loaded;
            JsonObject got = Stoppable(() =>
            {
                int status = library.Login(bytes, (UIntPtr)bytes.Length, out NativeBuffer result, out NativeBuffer error);
                if (status != 0)
                    throw Failure.From(library.TakeJson(ref error), status);
                return library.TakeJson(ref result);
            });
            WriteVerbose("a new identity in " + identity + ": " + got?.Text("identity"));
        }

        /// What waits for the network, on a thread of its own: after Ctrl+C nobody waits for it, and it ends by itself.
        private T Stoppable<T>(Func<T> work)
        {
            var done = new ManualResetEventSlim();
            T result = default;
            Exception problem = null;

            new Thread(() =>
            {
                try
                {
                    result = work();
                }
                catch (Exception failed)
                {
                    problem = failed;
                }
                done.Set();
            }) { IsBackground = true, Name = "umx connect" }.Start();
            if (WaitHandle.WaitAny(new[] { done.WaitHandle, stop.WaitHandle }) == 1)
                throw new PipelineStoppedException();
            if (problem != null)
                System.Runtime.ExceptionServices.ExceptionDispatchInfo.Capture(problem).Throw();
            return result;
        }

        private Controller Open(string name, string identity)
        {
            var request = new JsonObject();

            request.Set("controller", name);
            request.Set("identity", identity);
            if (ServerName != null)
                request.Set("server_name", ServerName);
            byte[] bytes = JsonWriter.Bytes(request);
            int status = Library.Loaded.SessionOpen(bytes, (UIntPtr)bytes.Length, out IntPtr session, out NativeBuffer error);
            if (status != 0)
                throw Failure.From(Library.Loaded.TakeJson(ref error), status);
            var made = new Controller(Name ?? name, name, identity, new SessionHandle(session));
            status = Library.Loaded.SessionIdentity(made.Session, out NativeBuffer json, out error);
            if (status != 0)
                throw Failure.From(Library.Loaded.TakeJson(ref error), status);
            JsonObject who = Library.Loaded.TakeJson(ref json);
            made.Identity = who.Text("identity");
            made.Deployment = who.Text("deployment");
            made.Forest = who.Text("forest");
            made.ExpiresAt = Values.Time(who.Text("expires_at") ?? string.Empty, out DateTime end) ? end : (DateTime?)null;
            return made;
        }

        private void AskWho(Controller made)
        {
            JsonObject who = Stoppable(() => Who.Ask(made));

            made.Account = who.Text("name");
            made.Principal = who.Text("principal");
            made.Roles = (who["roles"] as object[] ?? new object[0]).Cast<string>().ToArray();
        }
    }

    internal static class Who
    {
        internal static JsonObject Ask(Controller controller)
        {
            using (var asked = new Operation(controller, "whoami", new JsonObject(), 30000))
                while (asked.Take(out OperationEvent next))
                {
                    if (next.Kind == EventKind.Failed)
                        throw next.Problem;
                    if (next.Kind == EventKind.End)
                        return next.Body as JsonObject ?? new JsonObject();
                }
            return new JsonObject();
        }
    }

    /// <summary>Ends connections.</summary>
    [Cmdlet(VerbsCommunications.Disconnect, "UmxController", DefaultParameterSetName = "Name")]
    public sealed class DisconnectUmxControllerCommand : PSCmdlet
    {
        /// <summary>Names of connections; the default one without it.</summary>
        [Parameter(Position = 0, ParameterSetName = "Name", ValueFromPipelineByPropertyName = true)]
        [ArgumentCompleter(typeof(ControllerCompleter))]
        [Alias("Controller")]
        [SupportsWildcards]
        public string[] Name { get; set; }

        /// <summary>All of them.</summary>
        [Parameter(ParameterSetName = "All", Mandatory = true)]
        public SwitchParameter All { get; set; }

        /// <summary>Also remove the identity file.</summary>
        [Parameter]
        public SwitchParameter RemoveIdentity { get; set; }

        /// <summary>Disconnects.</summary>
        protected override void ProcessRecord()
        {
            IEnumerable<Controller> gone = Connections.Here.All;

            if (Name != null)
            {
                gone = gone.Where(one => Name.Any(name => Matches(name, one.Name)));
                foreach (string name in Name)
                    if (!WildcardPattern.ContainsWildcardCharacters(name) && Connections.Here.Find(name) == null)
                        WriteError(Failure.Record(Failure.NoSuchConnection(name), name));
            }
            else if (!All)
                gone = gone.Where(one => one.IsDefault);
            foreach (Controller one in gone.ToArray())
            {
                Connections.Here.Remove(one);
                if (RemoveIdentity)
                {
                    File.Delete(one.IdentityFile);
                    File.Delete(one.IdentityFile + ".trust");
                }
            }
        }

        private static bool Matches(string wanted, string name)
        {
            return UmxCommand.IsPattern(wanted) ? UmxCommand.Matches(wanted, name) : Connections.Here.Find(wanted)?.Name == name;
        }
    }

    /// <summary>The connections of this session.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxController")]
    [OutputType(typeof(Controller))]
    public sealed class GetUmxControllerCommand : PSCmdlet
    {
        /// <summary>Names of connections.</summary>
        [Parameter(Position = 0)]
        [ArgumentCompleter(typeof(ControllerCompleter))]
        [SupportsWildcards]
        public string[] Name { get; set; }

        /// <summary>Only the one that cmdlets use without -Controller.</summary>
        [Parameter]
        public SwitchParameter Default { get; set; }

        /// <summary>Lists.</summary>
        protected override void ProcessRecord()
        {
            foreach (Controller one in Connections.Here.All)
                if ((!Default || one.IsDefault) &&
                    (Name == null || Name.Any(name => UmxCommand.IsPattern(name) ? UmxCommand.Matches(name, one.Name) : Connections.Here.Find(name) == one)))
                    WriteObject(one);
            foreach (string name in Name ?? new string[0])
                if (!UmxCommand.IsPattern(name) && Connections.Here.Find(name) == null)
                    WriteError(Failure.Record(Failure.NoSuchConnection(name), name));
        }
    }

    /// <summary>Whether the controller answers, and to whom.</summary>
    [Cmdlet(VerbsDiagnostic.Test, "UmxController")]
    [OutputType("Umx.ControllerTest")]
    [OutputType(typeof(bool))]
    public sealed class TestUmxControllerCommand : UmxCommand
    {
        /// <summary>True or false, and no error.</summary>
        [Parameter]
        public SwitchParameter Quiet { get; set; }

        /// <summary>Asks.</summary>
        protected override void ProcessRecord()
        {
            Stopwatch clock = Stopwatch.StartNew();
            JsonObject who = null;
            UmxException problem = null;

            if (Quiet && Controller == null && Connections.Here.Default == null)
            {
                WriteObject(false);
                return;
            }
            try
            {
                who = RunOrThrow("whoami", null, null);
            }
            catch (UmxException failed)
            {
                problem = failed;
            }
            if (Quiet)
            {
                WriteObject(who != null);
                return;
            }
            var made = new PSObject();
            made.TypeNames.Insert(0, "Umx.ControllerTest");
            made.Properties.Add(new PSNoteProperty("Controller", Connected.Name));
            made.Properties.Add(new PSNoteProperty("Answers", who != null));
            made.Properties.Add(new PSNoteProperty("Milliseconds", clock.ElapsedMilliseconds));
            made.Properties.Add(new PSNoteProperty("Account", who?.Text("name")));
            made.Properties.Add(new PSNoteProperty("Roles", who?["roles"]));
            made.Properties.Add(new PSNoteProperty("Error", problem?.Message));
            made.Properties.Add(new PSNoteProperty("Remedy", problem?.Remedy));
            WriteObject(made);
        }
    }

    /// <summary>Who the user is to the controller.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxIdentity")]
    [OutputType("Umx.Identity")]
    public sealed class GetUmxIdentityCommand : UmxCommand
    {
        /// <summary>Asks.</summary>
        protected override void ProcessRecord()
        {
            JsonObject who = Run("whoami", null, null);

            if (who != null)
                WriteObject(Values.Record(who, "Umx.Identity"));
        }
    }
}
