using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;

namespace Umx
{
    /// <summary>The deployment's certificates and a rotation of them: Umx.Authority.</summary>
    public abstract class AuthorityCommand : UmxCommand
    {
        internal PSObject Ask(string operation, JsonObject arguments)
        {
            var certificates = new List<object>();
            var missing = new List<object>();
            JsonObject end = Run(operation, arguments, (type, body) => (type == "certificates" ? certificates : missing).Add(body));

            if (end == null)
                return null;
            foreach (string counted in new[] { "agents", "followed" }) // of an open rotation alone; the members are always there
                if (!end.Names.Contains(counted))
                    end.Set(counted, null);
            PSObject made = Values.Record(end, "Umx.Authority");
            made.Properties.Add(new PSNoteProperty("Missing", Records(missing, "Umx.AuthorityLaggard")), true);
            made.Properties.Add(new PSNoteProperty("Certificates", Records(certificates, "Umx.AuthorityCertificate")), true);
            return made;
        }

        private static object[] Records(List<object> list, string type)
        {
            return list.OfType<JsonObject>().Select(one => (object)Values.Record(one, type)).ToArray();
        }

        /// What -WhatIf says: the rotation as it stands, and who has not followed.
        internal string Preview(string does)
        {
            PSObject now = Ask("ca.status", null);
            if (now == null)
                return null;
            var missing = (object[])now.Properties["Missing"].Value;
            return does + " (" + Brief.Rotation(now) + string.Concat(missing.Cast<PSObject>().Select(
                one => "; not " + one.Properties["Server"]?.Value + ": " + one.Properties["Reason"]?.Value)) + ")";
        }
    }

    /// <summary>The deployment's certificates, and a rotation.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxAuthority")]
    [OutputType("Umx.Authority")]
    public sealed class GetUmxAuthorityCommand : AuthorityCommand
    {
        /// <summary>Asks.</summary>
        protected override void ProcessRecord()
        {
            PSObject made = Ask("ca.status", null);
            if (made != null)
                WriteObject(made);
        }
    }

    /// <summary>A step of a rotation.</summary>
    public abstract class RotationCommand : AuthorityCommand
    {
        /// <summary>Write the state of the rotation.</summary>
        [Parameter]
        public SwitchParameter PassThru { get; set; }

        internal abstract string Operation { get; }

        internal abstract string Does { get; }

        /// <summary>Does it.</summary>
        protected override void ProcessRecord()
        {
            string preview = Preview(Does);
            if (preview == null || !ShouldProcess(preview, preview + "?", "umx"))
                return;
            PSObject made = Ask(Operation, Arguments());
            if (made != null && PassThru)
                WriteObject(made);
        }
    }

    /// <summary>Uses the staged authority beside the old one.</summary>
    [Cmdlet(VerbsLifecycle.Start, "UmxAuthorityRotation", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
    [OutputType("Umx.Authority")]
    public sealed class StartUmxAuthorityRotationCommand : RotationCommand
    {
        /// <summary>The staged authority is of a new root.</summary>
        [Parameter]
        [Argument("root")]
        public SwitchParameter Root { get; set; }

        internal override string Operation { get { return "ca.rotate.begin"; } }

        internal override string Does { get { return "use the staged authority beside the present one"; } }
    }

    /// <summary>Stops trusting the old authority.</summary>
    [Cmdlet(VerbsLifecycle.Complete, "UmxAuthorityRotation", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
    [OutputType("Umx.Authority")]
    public sealed class CompleteUmxAuthorityRotationCommand : RotationCommand
    {
        /// <summary>Agents that may be lost.</summary>
        [Parameter]
        [Argument("leave_behind")]
        public string[] LeaveBehind { get; set; }

        internal override string Operation { get { return "ca.rotate.complete"; } }

        internal override string Does { get { return "stop trusting the old authority"; } }
    }

    /// <summary>Goes back to the old authority.</summary>
    [Cmdlet(VerbsCommon.Undo, "UmxAuthorityRotation", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
    [OutputType("Umx.Authority")]
    public sealed class UndoUmxAuthorityRotationCommand : RotationCommand
    {
        internal override string Operation { get { return "ca.rotate.rollback"; } }

        internal override string Does { get { return "go back to the old authority"; } }
    }
}
