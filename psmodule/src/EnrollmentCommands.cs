using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Text;

namespace Umx
{
    /// <summary>Enrolments that wait for a decision.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxEnrollment")]
    [OutputType("Umx.HeldEnrolment")]
    public sealed class GetUmxEnrollmentCommand : ListCommand
    {
        internal override string Operation { get { return "agents.held"; } }

        internal override string RecordType { get { return "Umx.HeldEnrolment"; } }

        internal override string Noun { get { return "held enrolment"; } }

        /// <summary>Servers.</summary>
        [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
        [Alias("Fqdn", "DNSHostName", "ComputerName")]
        [SupportsWildcards]
        public string[] Server { get; set; }

        internal override string[] Wanted { get { return Server; } }

        internal override string NameOf(JsonObject record) { return record.Text("server"); }
    }

    /// <summary>Decides about a held enrolment.</summary>
    public abstract class EnrollmentVerbCommand : AgentVerbCommand
    {
        /// <summary>The new key, at least its first 16 digits, as the server itself shows it.</summary>
        [Parameter(Position = 1, Mandatory = true, ValueFromPipelineByPropertyName = true)]
        public string Key { get; set; }

        internal override JsonObject Request(string agent)
        {
            JsonObject made = base.Request(agent);
            made.Set("key", Key);
            return made;
        }

        internal override string Preview(ref string server)
        {
            var all = new List<JsonObject>();

            Run("agents.held", null, (type, body) => all.Add(body as JsonObject));
            JsonObject held = Meant(server, all);
            if (held == null)
                return null;
            server = held.Text("server");
            string its = server; // a server may have asked with several keys
            held = all.FirstOrDefault(one => one.Text("server") == its && one.Text("key").StartsWith(Key, StringComparison.OrdinalIgnoreCase)) ?? held;
            return Does + " " + server + " with the key " + held.Text("key") + " from " + held.Text("peer") + ", in the place of " +
                   (held.Text("known_agent") ?? "none") + " with the key " + (held.Text("known_key") ?? "none");
        }
    }

    /// <summary>Lets the new key take the place of the known one.</summary>
    [Cmdlet(VerbsLifecycle.Approve, "UmxEnrollment", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
    public sealed class ApproveUmxEnrollmentCommand : EnrollmentVerbCommand
    {
        internal override string Operation { get { return "agents.accept"; } }

        internal override string Does { get { return "accept"; } }
    }

    /// <summary>Refuses it.</summary>
    [Cmdlet(VerbsLifecycle.Deny, "UmxEnrollment", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
    public sealed class DenyUmxEnrollmentCommand : EnrollmentVerbCommand
    {
        internal override string Operation { get { return "agents.reject"; } }

        internal override string Does { get { return "reject"; } }
    }

    /// <summary>Makes one-time tokens with which agents enrol.</summary>
    [Cmdlet(VerbsCommon.New, "UmxToken", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low, DefaultParameterSetName = "Server")]
    [OutputType("Umx.Token")]
    public sealed class NewUmxTokenCommand : UmxCommand
    {
        /// <summary>One token for each of these servers.</summary>
        [Parameter(Position = 0, Mandatory = true, ParameterSetName = "Server", ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
        [Alias("Fqdn", "DNSHostName", "ComputerName")]
        public string[] Server { get; set; }

        /// <summary>Instead: servers of this name; one * in the first label.</summary>
        [Parameter(Mandatory = true, ParameterSetName = "Pattern")]
        public string Pattern { get; set; }

        /// <summary>The forest that the servers are in.</summary>
        [Parameter(Position = 1, Mandatory = true, ValueFromPipelineByPropertyName = true)]
        [Argument("forest")]
        [ArgumentCompleter(typeof(ForestCompleter))]
        public string Forest { get; set; }

        /// <summary>Its end; 24 hours from now without it.</summary>
        [Parameter]
        [WhenTransformation]
        [Argument("expires_at")]
        public DateTime? ExpiresAt { get; set; }

        /// <summary>How many servers may use it.</summary>
        [Parameter]
        [ValidateRange(1, int.MaxValue)]
        [Argument("uses")]
        public int? Uses { get; set; }

        /// <summary>Makes them.</summary>
        protected override void ProcessRecord()
        {
            foreach (string name in Server ?? new[] { Pattern })
            {
                if (!ShouldProcess(name, "make a token for the forest " + Forest))
                    continue;
                JsonObject arguments = Arguments();
                arguments.Set(Server != null ? "server" : "pattern", name);
                Run("token.create", arguments, (type, body) =>
                {
                    if (body is JsonObject token)
                        WriteObject(Values.Record(token, "Umx.Token"));
                }, name);
            }
        }
    }

    /// <summary>Tokens, and how often they were used.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxToken")]
    [OutputType("Umx.Token")]
    public sealed class GetUmxTokenCommand : ListCommand
    {
        internal override string Operation { get { return "token.list"; } }

        internal override string RecordType { get { return "Umx.Token"; } }

        internal override string Noun { get { return "token"; } }

        /// <summary>Ids.</summary>
        [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
        [SupportsWildcards]
        public string[] Id { get; set; }

        /// <summary>States.</summary>
        [Parameter]
        [ValidateSet("active", "used_up", "expired", "revoked")]
        public string[] State { get; set; }

        internal override string[] Wanted { get { return Id; } }

        internal override JsonObject Request() { return new JsonObject(); }

        internal override string NameOf(JsonObject record) { return record.Text("id"); }

        internal override bool Takes(JsonObject record) { return MatchesAny(State, record.Text("state")); }
    }

    /// <summary>Makes tokens worthless.</summary>
    [Cmdlet(VerbsSecurity.Revoke, "UmxToken", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
    public sealed class RevokeUmxTokenCommand : UmxCommand
    {
        /// <summary>Ids.</summary>
        [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
        public string[] Id { get; set; }

        /// <summary>Revokes.</summary>
        protected override void ProcessRecord()
        {
            foreach (string id in Id)
            {
                if (!ShouldProcess(id, "revoke the token"))
                    continue;
                var arguments = new JsonObject();
                arguments.Set("id", id);
                Run("token.revoke", arguments, null, id);
            }
        }
    }
}
