using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation;

namespace Umx
{
    /// <summary>An update of the agents: Umx.AgentUpdate, with a Umx.AgentUpdateServer for each server.</summary>
    public abstract class AgentUpdateCommand : UmxCommand
    {
        /// As it stands; null when the controller did not answer.
        internal PSObject Ask()
        {
            var servers = new List<object>();
            JsonObject end = Run("agents.update.status", null, (type, body) => servers.Add(body));

            if (end == null)
                return null;
            PSObject made = Values.Record(end, "Umx.AgentUpdate");
            made.Properties.Add(new PSNoteProperty("Servers", servers.OfType<JsonObject>().Select(one => (object)Values.Record(one, "Umx.AgentUpdateServer")).ToArray()), true);
            return made;
        }
    }

    /// <summary>The update that is under way, or the last one.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxAgentUpdate")]
    [OutputType("Umx.AgentUpdate")]
    public sealed class GetUmxAgentUpdateCommand : AgentUpdateCommand
    {
        /// <summary>Asks.</summary>
        protected override void ProcessRecord()
        {
            PSObject made = Ask();
            if (made != null)
                WriteObject(made);
        }
    }

    /// <summary>Gives the agents a new version, in waves.</summary>
    [Cmdlet(VerbsData.Update, "UmxAgent", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
    [OutputType("Umx.AgentUpdate")]
    public sealed class UpdateUmxAgentCommand : AgentUpdateCommand
    {
        private const int MostBytes = 20 * 1024 * 1024, MostText = 2048;

        /// <summary>The package.</summary>
        [Parameter(Position = 0, Mandatory = true)]
        public string Path { get; set; }

        /// <summary>What was made beside it when it was signed.</summary>
        [Parameter]
        public string SignaturePath { get; set; }

        /// <summary>Servers of the first wave.</summary>
        [Parameter]
        [ValidateRange(1, int.MaxValue)]
        [Argument("canary")]
        public int? Canary { get; set; }

        /// <summary>Percent of all servers in each wave that follows.</summary>
        [Parameter]
        [ValidateRange(1, 100)]
        [Argument("percent")]
        public int? WavePercent { get; set; }

        /// <summary>Seconds within which a new version must be back.</summary>
        [Parameter]
        [ValidateRange(1, 86400)]
        [Argument("trial")]
        public int? TrialSeconds { get; set; }

        /// <summary>Only these servers.</summary>
        [Parameter]
        [Alias("Fqdn", "DNSHostName", "ComputerName")]
        [ArgumentCompleter(typeof(ServerCompleter))]
        [Argument("server")]
        public string[] Server { get; set; }

        /// <summary>Also in the place of a newer version.</summary>
        [Parameter]
        [Argument("downgrade")]
        public SwitchParameter Downgrade { get; set; }

        /// <summary>Begins.</summary>
        protected override void ProcessRecord()
        {
            string whom = Server != null ? string.Join(", ", Server) : "all servers";
            string said = "give the agents of " + whom + " the version of " + System.IO.Path.GetFileName(Path);
            if (!ShouldProcess(said, said + "?", "umx"))
                return;
            byte[] package = Read(Path, MostBytes), text = package != null ? Read(SignaturePath ?? Path + ".umxsig", MostText) : null;
            if (text == null)
                return;
            JsonObject arguments = Arguments();
            arguments.Set("package", Values.Hex(package));
            arguments.Set("release", System.Text.Encoding.UTF8.GetString(text));
            if (Run("agents.update", arguments, null, Path) == null)
                return;
            PSObject made = Ask();
            if (made != null)
                WriteObject(made);
        }

        private byte[] Read(string path, int most)
        {
            string problem;
            try
            {
                var file = new FileInfo(FullPath(path));
                if (file.Length <= most)
                    return File.ReadAllBytes(file.FullName);
                problem = "it has more than " + most + " bytes";
            }
            catch (Exception failed) when (failed is IOException || failed is UnauthorizedAccessException)
            {
                problem = failed.Message;
            }
            WriteError(Failure.Record(new UmxException("UMX-1008", UmxStatus.Io, path, problem, "check the path and its permissions", path), path));
            return null;
        }
    }

    /// <summary>A word of an administrator to the update that is under way.</summary>
    public abstract class AgentUpdateVerbCommand : AgentUpdateCommand
    {
        /// <summary>Write the update.</summary>
        [Parameter]
        public SwitchParameter PassThru { get; set; }

        internal abstract string Operation { get; }

        internal abstract string Does { get; }

        /// <summary>Says it.</summary>
        protected override void ProcessRecord()
        {
            PSObject now = Ask();
            if (now == null)
                return;
            string said = Does + " (" + now.Properties["State"]?.Value + ", version " + (now.Properties["Version"]?.Value ?? "none") + ")";
            if (!ShouldProcess(said, said + "?", "umx") || Run(Operation, null, null) == null || !PassThru)
                return;
            if ((now = Ask()) != null)
                WriteObject(now);
        }
    }

    /// <summary>Begins no further server.</summary>
    [Cmdlet(VerbsLifecycle.Suspend, "UmxAgentUpdate", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
    [OutputType("Umx.AgentUpdate")]
    public sealed class SuspendUmxAgentUpdateCommand : AgentUpdateVerbCommand
    {
        internal override string Operation { get { return "agents.update.pause"; } }

        internal override string Does { get { return "begin no further server of the update"; } }
    }

    /// <summary>Goes on after a pause or a halt.</summary>
    [Cmdlet(VerbsLifecycle.Resume, "UmxAgentUpdate", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
    [OutputType("Umx.AgentUpdate")]
    public sealed class ResumeUmxAgentUpdateCommand : AgentUpdateVerbCommand
    {
        internal override string Operation { get { return "agents.update.resume"; } }

        internal override string Does { get { return "go on with the update"; } }
    }

    /// <summary>Ends the update.</summary>
    [Cmdlet(VerbsLifecycle.Stop, "UmxAgentUpdate", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
    [OutputType("Umx.AgentUpdate")]
    public sealed class StopUmxAgentUpdateCommand : AgentUpdateVerbCommand
    {
        internal override string Operation { get { return "agents.update.stop"; } }

        internal override string Does { get { return "end the update"; } }
    }
}
