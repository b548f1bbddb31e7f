using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Management.Automation;
using System.Text;

namespace Umx
{
    /// <summary>
    /// Umx.Plan: a row of plan.list, or the whole answer of plan.show and of everything that changes a plan. The same
    /// members either way; what a row does not tell is null.
    /// </summary>
    internal sealed class PlanAnswer
    {
        private readonly List<object> approvals = new List<object>();
        private readonly List<object> steps = new List<object>();
        private readonly List<object> missing = new List<object>();
        private readonly List<object> notes = new List<object>();
        private JsonObject end;

        internal string Name { get { return end?.Text("name"); } }

        internal string State { get { return end?.Text("state"); } }

        internal string Hash { get { return end?.Text("hash"); } }

        internal string Deployment { get { return end?.Text("deployment"); } }

        internal IEnumerable<string> Forests { get { return (end?["forests"] as object[] ?? new object[0]).OfType<string>(); } }

        internal IEnumerable<JsonObject> Steps { get { return steps.OfType<JsonObject>(); } }

        internal IEnumerable<JsonObject> Approvals { get { return approvals.OfType<JsonObject>(); } }

        internal IEnumerable<string> Missing { get { return missing.OfType<string>(); } }

        internal void Take(string type, object body)
        {
            List<object> list = type == "approvals" ? approvals : type == "steps" ? steps : type == "missing" ? missing : type == "notes" ? notes : null;
            list?.Add(body);
        }

        internal void End(JsonObject answer) { end = answer; }

        internal PSObject Step(JsonObject step)
        {
            PSObject made = Values.Record(step, "Umx.PlanStep");
            made.Properties.Add(new PSNoteProperty("Plan", Name), true);
            return made;
        }

        private static PSObject Make(JsonObject from, object phases, object forests, long count, long verified, long failed)
        {
            var made = new PSObject();

            made.TypeNames.Insert(0, "Umx.Plan");
            foreach (string name in new[] { "name", "state", "hash", "author", "created_at" })
                Add(made, Values.MemberName(name), Values.Member(name, from[name]));
            Add(made, "Phases", phases);
            Add(made, "Forests", forests);
            Add(made, "StepCount", count);
            Add(made, "Verified", verified);
            Add(made, "Failed", failed);
            Add(made, "UndoOf", from["undo_of"]);
            Add(made, "Ticket", from["ticket"]);
            return made;
        }

        private static void Add(PSObject made, string name, object value)
        {
            made.Properties.Add(new PSNoteProperty(name, value), true);
        }

        /// A row of plan.list.
        internal static PSObject Row(JsonObject row)
        {
            PSObject made = Make(row, row["phase"], row["forest"], row.Integer("steps"), row.Integer("verified"), row.Integer("failed"));

            foreach (string name in new[] { "Deployment", "NotBeforeAt", "NotAfterAt", "Pairs", "Options", "Rows", "Approvals", "Missing", "Notes", "Steps" })
                Add(made, name, null);
            return made;
        }

        internal PSObject Whole()
        {
            PSObject made = Make(end, end["phases"], end["forests"], steps.Count, Steps.Count(step => step.Text("state") == "verified"),
                                 Steps.Count(step => step.Text("state") == "failed"));

            Add(made, "Deployment", Deployment);
            Add(made, "NotBeforeAt", Values.Member("not_before_at", end["not_before_at"]));
            Add(made, "NotAfterAt", Values.Member("not_after_at", end["not_after_at"]));
            Add(made, "Pairs", Values.Member("pairs", end["pairs"]));
            Add(made, "Options", end["options"]);
            Add(made, "Rows", Values.Member("rows", end["rows"]));
            Add(made, "Approvals", Approvals.Select(one => (object)Values.Record(one, "Umx.Approval")).ToArray());
            Add(made, "Missing", missing.ToArray());
            Add(made, "Notes", notes.ToArray());
            Add(made, "Steps", Steps.Select(one => (object)Step(one)).ToArray());
            return made;
        }

        // ---- what -WhatIf and -Confirm say

        private const int LinesShown = 40;

        /// The controller's own preview, in lines: how much of what, where, and every step.
        internal string Preview(string action, Func<JsonObject, bool> touched)
        {
            var text = new StringBuilder();
            JsonObject[] some = Steps.Where(touched).ToArray();
            var kinds = some.GroupBy(step => step.Text("kind")).Select(kind => kind.Count().ToString(CultureInfo.InvariantCulture) + " " + kind.Key);

            text.Append(action).Append(' ').Append(Name).Append(" (").Append(State).Append(", hash ").Append((Hash ?? string.Empty).PadRight(12).Substring(0, 12).TrimEnd())
                .Append("): ").Append(some.Length == 0 ? "no step is left" : some.Length.ToString(CultureInfo.InvariantCulture) + " steps (" + string.Join(", ", kinds) + ")").Append(" in ")
                .Append(string.Join(", ", Forests));
            foreach (JsonObject step in some.Take(LinesShown))
                text.Append("\n  ").Append(step.Text("id")).Append(' ').Append(step.Text("forest")).Append(": ").Append(step.Text("kind")).Append(": ").Append(step.Text("summary"))
                    .Append(step.Truth("irreversible") ? " (irreversible)" : string.Empty);
            if (some.Length > LinesShown)
                text.Append("\n  ... and ").Append((some.Length - LinesShown).ToString(CultureInfo.InvariantCulture)).Append(" more; Get-UmxPlanStep ").Append(Name).Append(" has them all");
            return text.ToString();
        }
    }

    /// <summary>Cmdlets about plans.</summary>
    public abstract class PlanCommandBase : UmxCommand
    {
        /// Names and patterns that were given.
        internal abstract string[] Named { get; }

        internal static JsonObject NamedPlan(string name)
        {
            var made = new JsonObject();
            made.Set("name", name);
            return made;
        }

        /// An operation that answers with the plan; null when it failed, which is told then.
        internal PlanAnswer Ask(string operation, JsonObject arguments, string name)
        {
            var answer = new PlanAnswer();
            JsonObject end = Run(operation, arguments, answer.Take, name);

            if (end == null)
                return null;
            answer.End(end);
            return answer;
        }

        internal PlanAnswer Show(string name) { return Ask("plan.show", NamedPlan(name), name); }

        /// Names as they are, patterns as the plans that match them.
        internal IEnumerable<string> Resolve()
        {
            var names = new List<string>();
            List<string> all = null;

            foreach (string wanted in Named)
            {
                if (!IsPattern(wanted))
                {
                    names.Add(WildcardPattern.Unescape(wanted));
                    continue;
                }
                if (all == null)
                {
                    all = new List<string>();
                    Run("plan.list", null, (type, body) => all.Add((body as JsonObject)?.Text("name") ?? string.Empty));
                }
                names.AddRange(all.Where(name => Matches(wanted, name)));
            }
            return names.Distinct();
        }

        internal bool Asked(string preview, string question)
        {
            return ShouldProcess(preview, question, "umx");
        }
    }

    /// <summary>Cmdlets about plans that the user names.</summary>
    public abstract class PlanCommand : PlanCommandBase
    {
        /// <summary>Names of plans.</summary>
        [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
        [Alias("Plan", "Identity")]
        [ArgumentCompleter(typeof(PlanCompleter))]
        [SupportsWildcards]
        public string[] Name { get; set; }

        internal override string[] Named { get { return Name; } }
    }

    /// <summary>One operation on each plan that is named, with the preview before it.</summary>
    public abstract class PlanVerbCommand : PlanCommand
    {
        /// <summary>Write the plan.</summary>
        [Parameter]
        public SwitchParameter PassThru { get; set; }

        internal abstract string Operation { get; }

        /// What it does, for people: "start", "suspend".
        internal abstract string Does { get; }

        /// Steps that it is about.
        internal virtual bool Touches(JsonObject step) { return step.Text("state") != "verified" && step.Text("state") != "skipped"; }

        internal virtual JsonObject Request(PlanAnswer plan) { return NamedPlan(plan.Name); }

        /// What becomes of the answer.
        internal virtual void Done(PlanAnswer answer)
        {
            if (PassThru)
                WriteObject(answer.Whole());
        }

        /// <summary>Does it.</summary>
        protected override void ProcessRecord()
        {
            foreach (string name in Resolve())
            {
                PlanAnswer plan = Show(name);
                if (plan == null || !Asked(plan.Preview(Does, Touches), Does + " the plan " + plan.Name + "?\n" + plan.Preview(Does, Touches)))
                    continue;
                PlanAnswer answer = Ask(Operation, Request(plan), name);
                if (answer != null)
                    Done(answer);
            }
        }
    }
}
