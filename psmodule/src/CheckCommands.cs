using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;

namespace Umx
{
    /// <summary>Findings of some phases, from a fresh reading of the forests.</summary>
    public abstract class CheckCommand : UmxCommand
    {
        private readonly List<string> servers = new List<string>();
        private bool failed;

        internal abstract string[] Phases { get; }

        /// <summary>Only findings about these servers.</summary>
        [Parameter(ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
        [Alias("Fqdn", "DNSHostName", "ComputerName")]
        [ArgumentCompleter(typeof(ServerCompleter))]
        [SupportsWildcards]
        public string[] Server { get; set; }

        /// <summary>Only findings about these forests.</summary>
        [Parameter]
        [ArgumentCompleter(typeof(ForestCompleter))]
        [SupportsWildcards]
        public string[] Forest { get; set; }

        /// <summary>EXCHANGE:LYNC.</summary>
        [Parameter]
        [ArgumentCompleter(typeof(PairCompleter))]
        public string[] Pair { get; set; }

        /// <summary>SLUG.KEY=VALUE.</summary>
        [Parameter]
        public string[] Set { get; set; }

        /// <summary>Only findings of this status.</summary>
        [Parameter]
        [ValidateSet("pass", "warn", "fail", "unknown", "not_applicable")]
        public string[] Status { get; set; }

        /// <summary>True when nothing failed.</summary>
        [Parameter]
        public SwitchParameter Quiet { get; set; }

        /// <summary>Collects servers.</summary>
        protected override void ProcessRecord()
        {
            if (Server != null)
                servers.AddRange(Server);
        }

        /// <summary>Checks.</summary>
        protected override void EndProcessing()
        {
            if (MyInvocation.ExpectingInput && servers.Count == 0)
                return;
            var arguments = new JsonObject();
            if (Phases != null)
                arguments.Set("phase", Phases);
            if (Pair != null)
                arguments.Set("pair", Pair);
            if (Set != null)
                arguments.Set("set", Set);
            if (Run("check", arguments, Take) != null && Quiet)
                WriteObject(!failed);
        }

        private void Take(string type, object body)
        {
            if (type != "findings" || !(body is JsonObject finding) || !Wanted(finding))
                return;
            failed |= finding.Text("status") == "fail";
            if (!Quiet)
                WriteObject(Values.Record(finding, "Umx.Finding"));
        }

        private bool Wanted(JsonObject finding)
        {
            if (Status != null && !Status.Contains(finding.Text("status"), StringComparer.OrdinalIgnoreCase))
                return false;
            if (!new[] { "forest", "exchange", "lync" }.Any(name => MatchesAny(Forest, finding.Text(name))))
                return false;
            return servers.Count == 0 || servers.Any(server => About(server, finding.Text("target") ?? string.Empty));
        }

        /// The target is the server, its DN, or a text that begins with its name.
        private static bool About(string server, string target)
        {
            return Sql.MatchesOne(server, target) || Sql.MatchesOne(server, target.Split(' ', ':', '/', ',')[0]) ||
                   Sql.MatchesOne(server.Split('.')[0], target.Split(',')[0]);
        }
    }

    /// <summary>All findings, or those of some phases.</summary>
    [Cmdlet(VerbsDiagnostic.Test, "UmxIntegration")]
    [OutputType("Umx.Finding")]
    [OutputType(typeof(bool))]
    public sealed class TestUmxIntegrationCommand : CheckCommand
    {
        /// <summary>Phases.</summary>
        [Parameter(Position = 0)]
        [ArgumentCompleter(typeof(PhaseCompleter))]
        public string[] Phase { get; set; }

        internal override string[] Phases { get { return Phase; } }
    }

    /// <summary>Roles and trusts: phase forests.</summary>
    [Cmdlet(VerbsDiagnostic.Test, "UmxTrust")]
    [OutputType("Umx.Finding")]
    [OutputType(typeof(bool))]
    public sealed class TestUmxTrustCommand : CheckCommand
    {
        internal override string[] Phases { get { return new[] { "forests" }; } }
    }

    /// <summary>Certificates of UM servers and of the deployment: phase certificates.</summary>
    [Cmdlet(VerbsDiagnostic.Test, "UmxCertificate")]
    [OutputType("Umx.Finding")]
    [OutputType(typeof(bool))]
    public sealed class TestUmxCertificateCommand : CheckCommand
    {
        internal override string[] Phases { get { return new[] { "certificates" }; } }
    }

    /// <summary>Dial plans of both sides: phases dial-plans, dial-plan-security and lync-dial-plans.</summary>
    [Cmdlet(VerbsDiagnostic.Test, "UmxDialPlan")]
    [OutputType("Umx.Finding")]
    [OutputType(typeof(bool))]
    public sealed class TestUmxDialPlanCommand : CheckCommand
    {
        internal override string[] Phases { get { return new[] { "dial-plans", "dial-plan-security", "lync-dial-plans" }; } }
    }

    /// <summary>UM servers, their dial plans and startup modes: phase um-servers.</summary>
    [Cmdlet(VerbsDiagnostic.Test, "UmxServer")]
    [OutputType("Umx.Finding")]
    [OutputType(typeof(bool))]
    public sealed class TestUmxServerCommand : CheckCommand
    {
        internal override string[] Phases { get { return new[] { "um-servers" }; } }
    }

    /// <summary>What exchucutil.ps1 -Verify looked at: permissions, gateways, hunt groups.</summary>
    [Cmdlet(VerbsDiagnostic.Test, "UmxPermission")]
    [OutputType("Umx.Finding")]
    [OutputType(typeof(bool))]
    public sealed class TestUmxPermissionCommand : CheckCommand
    {
        internal override string[] Phases { get { return new[] { "exchucutil" }; } }
    }

    /// <summary>Contacts of Subscriber Access and auto attendants: phase ocsumutil.</summary>
    [Cmdlet(VerbsDiagnostic.Test, "UmxContact")]
    [OutputType("Umx.Finding")]
    [OutputType(typeof(bool))]
    public sealed class TestUmxContactCommand : CheckCommand
    {
        internal override string[] Phases { get { return new[] { "ocsumutil" }; } }
    }

    /// <summary>Users: phases sip-addresses, enterprise-voice and um-mailboxes.</summary>
    [Cmdlet(VerbsDiagnostic.Test, "UmxUser")]
    [OutputType("Umx.Finding")]
    [OutputType(typeof(bool))]
    public sealed class TestUmxUserCommand : CheckCommand
    {
        internal override string[] Phases { get { return new[] { "sip-addresses", "enterprise-voice", "um-mailboxes" }; } }
    }

    /// <summary>The eleven phases. Needs no controller.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxPhase")]
    [OutputType("Umx.Phase", "Umx.Check")]
    public sealed class GetUmxPhaseCommand : PSCmdlet
    {
        /// <summary>Slugs.</summary>
        [Parameter(Position = 0, ValueFromPipelineByPropertyName = true)]
        [Alias("Slug", "Name")]
        [ArgumentCompleter(typeof(PhaseCompleter))]
        [SupportsWildcards]
        public string[] Phase { get; set; }

        /// <summary>The checks instead of the phases.</summary>
        [Parameter]
        public SwitchParameter Check { get; set; }

        /// <summary>Lists.</summary>
        protected override void ProcessRecord()
        {
            foreach (JsonObject record in Check ? Schema.CheckRecords : Schema.PhaseRecords)
                if (UmxCommand.MatchesAny(Phase, Check ? record.Text("id").Split('/')[0] : record.Text("slug")))
                    WriteObject(Values.Record(record, Check ? "Umx.Check" : "Umx.Phase"));
            foreach (string name in Phase ?? new string[0])
                if (!UmxCommand.IsPattern(name) && !Schema.Phases.Contains(name, StringComparer.OrdinalIgnoreCase))
                    WriteError(Failure.Record(Failure.NoMatch("phase", name), name));
        }
    }
}
