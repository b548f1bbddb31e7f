using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;

namespace Umx
{
    /// <summary>The journal: who did what, when.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxAuditLog")]
    [OutputType("Umx.JournalEntry")]
    public sealed class GetUmxAuditLogCommand : UmxCommand
    {
        /// <summary>Only entries of this plan.</summary>
        [Parameter(Position = 0, ValueFromPipelineByPropertyName = true)]
        [Alias("Name")]
        [Argument("plan")]
        [ArgumentCompleter(typeof(PlanCompleter))]
        public string Plan { get; set; }

        /// <summary>From after this one on.</summary>
        [Parameter]
        [Argument("after")]
        public long? After { get; set; }

        /// <summary>At most this many.</summary>
        [Parameter]
        [Alias("ResultSize")]
        [ValidateRange(1, int.MaxValue)]
        [Argument("limit")]
        public int? First { get; set; }

        /// <summary>Kinds.</summary>
        [Parameter]
        [SupportsWildcards]
        public string[] Kind { get; set; }

        /// <summary>Lists.</summary>
        protected override void ProcessRecord()
        {
            if (Kind == null)
            {
                Run("audit", Arguments(), (type, body) => WriteEntry(body), Plan);
                return;
            }
            // The controller counts entries of all kinds, -First those of these: the next ones, or without -After the newest.
            var newest = new Queue<JsonObject>();
            int left = First ?? int.MaxValue;
            Run("audit", Whole(Arguments()), (type, body) =>
            {
                if (!(body is JsonObject entry) || !MatchesAny(Kind, entry.Text("kind")))
                    return;
                if (First == null || After != null)
                {
                    if (left-- > 0)
                        WriteEntry(entry);
                    return;
                }
                newest.Enqueue(entry);
                if (newest.Count > First)
                    newest.Dequeue();
            }, Plan);
            foreach (JsonObject entry in newest)
                WriteEntry(entry);
        }

        /// From -After or the first one on, without the controller's limit.
        internal static JsonObject Whole(JsonObject arguments)
        {
            if (arguments["after"] == null)
                arguments.Set("after", 0L);
            arguments.Set("limit", (long)int.MaxValue);
            return arguments;
        }

        private void WriteEntry(object body)
        {
            if (body is JsonObject entry)
                WriteObject(Values.Record(entry, "Umx.JournalEntry"));
        }
    }

    /// <summary>Whether the journal's chain and signatures hold.</summary>
    [Cmdlet(VerbsDiagnostic.Test, "UmxAuditLog")]
    [OutputType("Umx.AuditTest")]
    [OutputType(typeof(bool))]
    public sealed class TestUmxAuditLogCommand : UmxCommand
    {
        /// <summary>True or false.</summary>
        [Parameter]
        public SwitchParameter Quiet { get; set; }

        /// <summary>Verifies.</summary>
        protected override void ProcessRecord()
        {
            var witnesses = new List<object>();
            JsonObject end = Run("audit.verify", null, (type, body) => witnesses.Add(body));

            if (end == null)
                return;
            if (Quiet)
            {
                WriteObject(end.Truth("intact"));
                return;
            }
            end.Set("witnesses", witnesses.ToArray());
            WriteObject(Values.Record(end, "Umx.AuditTest"));
        }
    }

    /// <summary>The least rights that umx needs in a forest, as commands.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxGrant")]
    [OutputType("Umx.Grant")]
    public sealed class GetUmxGrantCommand : UmxCommand
    {
        /// <summary>Forests.</summary>
        [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
        [ArgumentCompleter(typeof(ForestCompleter))]
        public string[] Forest { get; set; }

        /// <summary>Lists.</summary>
        protected override void ProcessRecord()
        {
            foreach (string forest in Forest)
            {
                var arguments = new JsonObject();
                arguments.Set("forest", forest);
                Run("grants.show", arguments, (type, body) =>
                {
                    if (body is JsonObject grant)
                        WriteObject(Values.Record(grant, "Umx.Grant"));
                }, forest);
            }
        }
    }

    /// <summary>Forests, pairs and phases, agents: one object.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxStatus")]
    [OutputType("Umx.Status")]
    public sealed class GetUmxStatusCommand : UmxCommand
    {
        /// <summary>Asks.</summary>
        protected override void ProcessRecord()
        {
            var lists = new JsonObject();

            foreach (string name in new[] { "forests", "pairs", "certificates" })
                lists.Set(name, new List<object>());
            JsonObject end = Run("status", null, (type, body) => (lists[type] as List<object>)?.Add(body));
            if (end == null)
                return;
            foreach (string name in new[] { "certificates", "pairs", "forests" })
            {
                end.Names.Insert(0, name);
                end.Values.Insert(0, null);
            }
            PSObject made = Values.Record(end, "Umx.Status");
            made.Properties["Forests"].Value = Records(lists["forests"], "Umx.Forest");
            made.Properties["Pairs"].Value = Records(lists["pairs"], "Umx.PairStatus");
            made.Properties["Certificates"].Value = Records(lists["certificates"], "Umx.Finding");
            WriteObject(made);
        }

        private static object[] Records(object list, string type)
        {
            return ((List<object>)list).OfType<JsonObject>().Select(one => (object)Values.Record(one, type)).ToArray();
        }
    }
}
