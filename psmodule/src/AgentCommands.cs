using System;
using System.Collections.Generic;
using System.Linq;
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

        internal override void Answered() { MissingForests(Forest); }
    }

    /// <summary>The agents, and then each change of one, until Ctrl+C.</summary>
    [Cmdlet(VerbsCommon.Watch, "UmxAgent")]
    [OutputType("Umx.Agent")]
    public sealed class WatchUmxAgentCommand : UmxCommand
    {
        /// <summary>Servers.</summary>
        [Parameter(Position = 0)]
        [Alias("Fqdn", "DNSHostName", "ComputerName")]
        [ArgumentCompleter(typeof(ServerCompleter))]
        [SupportsWildcards]
        public string[] Server { get; set; }

        /// <summary>Watches.</summary>
        protected override void ProcessRecord()
        {
            Run("agents.watch", null, (type, body) =>
            {
                if (body is JsonObject agent && MatchesAny(Server, agent.Text("server")))
                    WriteObject(Values.Record(agent, "Umx.Agent"));
            });
        }
    }

    /// <summary>One row for each forest: how many of its agents are in which state.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxFleet")]
    [OutputType("Umx.Fleet")]
    public sealed class GetUmxFleetCommand : UmxCommand
    {
        /// <summary>Forests.</summary>
        [Parameter(Position = 0, ValueFromPipelineByPropertyName = true)]
        [ArgumentCompleter(typeof(ForestCompleter))]
        [SupportsWildcards]
        public string[] Forest { get; set; }

        /// <summary>Counts.</summary>
        protected override void ProcessRecord()
        {
            var agents = new List<JsonObject>();

            if (Run("agents", null, (type, body) => agents.Add(body as JsonObject)) == null)
                return;
            foreach (var forest in agents.GroupBy(agent => agent.Text("forest"), StringComparer.OrdinalIgnoreCase).OrderBy(one => one.Key, StringComparer.Ordinal))
            {
                if (!MatchesAny(Forest, forest.Key))
                    continue;
                var made = new PSObject();
                made.TypeNames.Insert(0, "Umx.Fleet");
                made.Properties.Add(new PSNoteProperty("Forest", forest.Key));
                made.Properties.Add(new PSNoteProperty("Agents", forest.Count()));
                foreach (string state in new[] { "connected", "silent", "never", "revoked" })
                    made.Properties.Add(new PSNoteProperty(Values.MemberName(state), forest.Count(agent => agent.Text("state") == state)));
                made.Properties.Add(new PSNoteProperty("Versions", forest.Select(agent => agent.Text("version")).Where(one => one != null).Distinct().OrderBy(one => one).ToArray()));
                WriteObject(made);
            }
            MissingForests(Forest);
        }
    }

    /// <summary>One operation on each agent that is named.</summary>
    public abstract class AgentVerbCommand : UmxCommand
    {
        /// <summary>Servers, or identities of agents.</summary>
        [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
        [Alias("Fqdn", "DNSHostName", "ComputerName", "Identity")]
        [ArgumentCompleter(typeof(ServerCompleter))]
        public string[] Server { get; set; }

        internal abstract string Operation { get; }

        internal abstract string Does { get; }

        internal virtual JsonObject Request(string agent)
        {
            var made = new JsonObject();
            made.Set("agent", agent);
            return made;
        }

        /// What -WhatIf says: what the controller knows of it now, under the name that it has there. Null when it does not
        /// know it.
        internal virtual string Preview(ref string server)
        {
            var agents = new List<JsonObject>();
            string wanted = server;

            Run("agents", null, (type, body) => agents.Add(body as JsonObject));
            JsonObject agent = agents.LastOrDefault(one => one.Text("agent") == wanted) ?? Meant(wanted, agents);
            if (agent == null)
                return null;
            server = agent.Text("agent") == wanted ? wanted : agent.Text("server");
            return Does + " " + agent.Text("agent") + " of " + agent.Text("server") + " (" + agent.Text("state") + ", " + agent.Text("forest") + ")";
        }

        /// <summary>Does it.</summary>
        protected override void ProcessRecord()
        {
            foreach (string wanted in Server)
            {
                string server = wanted, preview;
                try
                {
                    preview = Preview(ref server);
                }
                catch (UmxException problem)
                {
                    Fail(problem, wanted);
                    continue;
                }
                if (preview == null)
                    WriteError(Failure.Record(Failure.NoMatch("agent", wanted), wanted));
                else if (ShouldProcess(preview, preview + "?", "umx"))
                    Run(Operation, Request(server), null, server);
            }
        }
    }

    /// <summary>Ends an agent's stream and refuses its identity from now on.</summary>
    [Cmdlet(VerbsSecurity.Revoke, "UmxAgent", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
    public sealed class RevokeUmxAgentCommand : AgentVerbCommand
    {
        internal override string Operation { get { return "agents.revoke"; } }

        internal override string Does { get { return "revoke the identity"; } }
    }

    /// <summary>Forgets agents that are gone, and their facts.</summary>
    [Cmdlet(VerbsCommon.Remove, "UmxAgent", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
    public sealed class RemoveUmxAgentCommand : AgentVerbCommand
    {
        internal override string Operation { get { return "agents.forget"; } }

        internal override string Does { get { return "forget the identity and all facts"; } }
    }
}
