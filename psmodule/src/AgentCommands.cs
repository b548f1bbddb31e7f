using System.Management.Automation;

namespace Umx
{
    /// <summary>The agents and their connections.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxAgent")]
    [OutputType("Umx.Agent")]
    public sealed class GetUmxAgentCommand : ListCommand
    {
        internal override string Operation { get { return "agents"; } }

        internal override string RecordType { get { return "Umx.Agent"; } }

        internal override string Noun { get { return "agent"; } }

        /// <summary>Servers.</summary>
        [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
        [Alias("Fqdn", "DNSHostName", "ComputerName", "Identity", "Name")]
        [ArgumentCompleter(typeof(ServerCompleter))]
        [SupportsWildcards]
        public string[] Server { get; set; }

        /// <summary>Forests.</summary>
        [Parameter]
        [ArgumentCompleter(typeof(ForestCompleter))]
        [SupportsWildcards]
        public string[] Forest { get; set; }

        /// <summary>States.</summary>
        [Parameter]
        [ValidateSet("connected", "silent", "never", "revoked")]
        public string[] State { get; set; }

        internal override string[] Wanted { get { return Server; } }

        internal override string NameOf(JsonObject record) { return record.Text("server"); }

        internal override bool Takes(JsonObject record)
        {
            return MatchesAny(Forest, record.Text("forest")) && MatchesAny(State, record.Text("state"));
        }
    }
}
