using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;

namespace Umx
{
    /// <summary>Findings of some phases, from a fresh reading of the forests.</summary>
    public abstract class CheckCommand : UmxCommand
    {
        private const int NamesShown = 10;

        private readonly List<string> servers = new List<string>();
        private readonly HashSet<string> checkedServers = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        private readonly HashSet<string> checkedForests = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        private bool judged; // by one finding at least
        private bool doubtful;

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

        /// <summary>True when something was checked, nothing failed and nothing is unknown.</summary>
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
            {
                if (Quiet)
                    WriteObject(false);
                return;
            }
            var arguments = new JsonObject();
            if (Phases != null)
                arguments.Set("phase", Phases);
            if (Pair != null)
                arguments.Set("pair", Pair);
            if (Set != null)
                arguments.Set("set", Set);
            if (Run("check", arguments, Take) == null)
                return;
            string[] noServers = Unchecked(servers, checkedServers), noForests = Unchecked(Forest, checkedForests);
            bool allKnown = Settle(noServers, KnownNames.Servers, "server") & Settle(noForests, KnownNames.Forests, "forest");
            if (!Quiet)
                return;
            if (!judged && noServers.Length + noForests.Length == 0)
                WriteWarning("no finding is about what was asked for: nothing was checked");
            WriteObject(judged && !doubtful && allKnown);
        }

        private void Take(string type, object body)
        {
            if (type != "findings" || !(body is JsonObject finding) || !(OfForests(finding) & OfServers(finding))) // each keeps the names that it had
                return;
            string status = finding.Text("status");
            judged = true;
            doubtful |= status != "pass" && status != "warn" && status != "not_applicable";
            if (!Quiet && (Status == null || Status.Contains(status, StringComparer.OrdinalIgnoreCase)))
                WriteObject(Values.Record(finding, "Umx.Finding"));
        }

        private bool OfForests(JsonObject finding)
        {
            string[] its = new[] { finding.Text("forest"), finding.Text("exchange"), finding.Text("lync") };
            return Keep(Forest, checkedForests, forest => its.Any(one => Matches(forest, one)));
        }

        /// The target is the server, its DN, or a text that begins with its name. What has no domain is compared with the
        /// server's first label; a whole name is not, since servers of several domains may have that label.
        private bool OfServers(JsonObject finding)
        {
            string target = finding.Text("target") ?? string.Empty, word = target.Split(' ', ':', '/', ',')[0], part = target.Split(',')[0];
            bool bare = part.IndexOf('.') < 0;
            return Keep(servers, checkedServers, server => Sql.MatchesOne(server, target) || Sql.MatchesOne(server, word) ||
                                                           (bare && Sql.MatchesOne(server.Split('.')[0], part)));
        }

        private static bool Keep(ICollection<string> wanted, HashSet<string> had, Func<string, bool> means)
        {
            bool any = wanted == null || wanted.Count == 0;

            foreach (string name in wanted ?? new string[0])
                if (!(any && had.Contains(name)) && means(name))
                {
                    had.Add(name);
                    any = true;
                }
            return any;
        }

        // ---- names that no finding is about

        private static string[] Unchecked(IEnumerable<string> wanted, HashSet<string> had)
        {
            return (wanted ?? new string[0]).Where(name => !IsPattern(name) && !had.Contains(name)).Distinct(StringComparer.OrdinalIgnoreCase).ToArray();
        }

        /// Those that nobody knows are errors; of the others a warning says that they are not in the answer. False when there
        /// was an error.
        private bool Settle(string[] names, Func<UmxCommand, string[], HashSet<string>> ask, string kind)
        {
            if (names.Length == 0)
                return true;
            HashSet<string> known = ask(this, names);
            string[] others = names.Where(known.Contains).ToArray();
            MissingNames(names, known, kind);
            if (others.Length > 0)
                WriteWarning("no finding is about " + string.Join(", ", others.Take(NamesShown)) + (others.Length > NamesShown ? " and " + (others.Length - NamesShown) + " more" : string.Empty));
            return others.Length == names.Length;
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
