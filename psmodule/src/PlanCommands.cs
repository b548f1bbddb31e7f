using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;

namespace Umx
{
    /// <summary>Plans: all in a row each, or one with everything.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxPlan")]
    [OutputType("Umx.Plan")]
    public sealed class GetUmxPlanCommand : PlanCommandBase
    {
        /// <summary>Names of plans.</summary>
        [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
        [Alias("Plan", "Identity")]
        [ArgumentCompleter(typeof(PlanCompleter))]
        [SupportsWildcards]
        public string[] Name { get; set; }

        /// <summary>States.</summary>
        [Parameter]
        [ValidateSet("draft", "submitted", "approved", "running", "suspended", "failed", "cancelled", "completed")]
        public string[] State { get; set; }

        /// <summary>Everything of those that a pattern matches, too.</summary>
        [Parameter]
        public SwitchParameter Detailed { get; set; }

        internal override string[] Named { get { return Name ?? new[] { "*" }; } }

        /// <summary>Lists.</summary>
        protected override void ProcessRecord()
        {
            var patterns = Named.Where(IsPattern).ToArray();

            foreach (string name in Named.Where(one => !IsPattern(one)))
                Write(Show(WildcardPattern.Unescape(name)));
            if (patterns.Length == 0)
                return;
            var rows = new List<JsonObject>();
            Run("plan.list", null, (type, body) =>
            {
                if (body is JsonObject row && MatchesAny(patterns, row.Text("name")) && MatchesAny(State, row.Text("state")))
                    rows.Add(row);
            });
            foreach (JsonObject row in rows)
            {
                if (Detailed)
                    Write(Show(row.Text("name")));
                else
                    WriteObject(PlanAnswer.Row(row));
            }
        }

        private void Write(PlanAnswer plan)
        {
            if (plan != null && MatchesAny(State, plan.State))
                WriteObject(plan.Whole());
        }
    }

    /// <summary>Makes a plan and keeps it as a draft.</summary>
    [Cmdlet(VerbsCommon.New, "UmxPlan", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
    [OutputType("Umx.Plan")]
    public sealed class NewUmxPlanCommand : UmxCommand
    {
        private readonly List<PSObject> rows = new List<PSObject>();

        /// <summary>Its name.</summary>
        [Parameter(Position = 0, Mandatory = true)]
        [ValidateNotNullOrEmpty]
        public string Name { get; set; }

        /// <summary>Phases to plan.</summary>
        [Parameter(Position = 1, Mandatory = true)]
        [Argument("phase")]
        [ArgumentCompleter(typeof(PhaseCompleter))]
        public string[] Phase { get; set; }

        /// <summary>EXCHANGE:LYNC.</summary>
        [Parameter]
        [Argument("pair")]
        [ArgumentCompleter(typeof(PairCompleter))]
        public string[] Pair { get; set; }

        /// <summary>SLUG.KEY=VALUE.</summary>
        [Parameter]
        [Argument("set")]
        public string[] Set { get; set; }

        /// <summary>Number of the change in the user's own records.</summary>
        [Parameter]
        [Argument("ticket")]
        public string Ticket { get; set; }

        /// <summary>Begin of the change window.</summary>
        [Parameter]
        [WhenTransformation]
        [Argument("not_before_at")]
        public DateTime? NotBefore { get; set; }

        /// <summary>Its end.</summary>
        [Parameter]
        [WhenTransformation]
        [Argument("not_after_at")]
        public DateTime? NotAfter { get; set; }

        /// <summary>Failed steps after which it stops.</summary>
        [Parameter]
        [ValidateRange(1, int.MaxValue)]
        [Argument("max_failures")]
        public int? MaxFailures { get; set; }

        /// <summary>Rows to carry out, of Get-UmxPlanTemplate or Import-Csv.</summary>
        [Parameter(ValueFromPipeline = true)]
        public PSObject[] InputObject { get; set; }

        /// <summary>What the rows are, where they do not say so.</summary>
        [Parameter]
        [ValidateSet("dial_plan", "auto_attendant", "user", "contact")]
        public string Table { get; set; }

        /// <summary>Collects rows.</summary>
        protected override void ProcessRecord()
        {
            if (InputObject != null)
                rows.AddRange(InputObject);
        }

        /// <summary>Makes it.</summary>
        protected override void EndProcessing()
        {
            JsonObject arguments = Arguments();
            var answer = new PlanAnswer();

            try
            {
                arguments.Set("name", Name);
                if (rows.Count > 0)
                    arguments.Set("input", InputRows.Make(rows, Table));
            }
            catch (UmxException problem)
            {
                Terminate(problem, problem.Target);
            }
            if (!ShouldProcess(Name, "plan " + string.Join(", ", Phase) + (Pair != null ? " for " + string.Join(", ", Pair) : " for all pairs") + " and keep it as a draft"))
                return;
            JsonObject end = Run("plan.create", arguments, answer.Take, Name);
            if (end == null)
                return;
            answer.End(end);
            WriteObject(answer.Whole());
        }
    }

    /// <summary>Rows that an administrator decides about.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxPlanTemplate")]
    [OutputType("Umx.InputDialPlan", "Umx.InputAutoAttendant", "Umx.InputUser", "Umx.InputContact")]
    public sealed class GetUmxPlanTemplateCommand : UmxCommand
    {
        /// <summary>Phases that take rows.</summary>
        [Parameter(Position = 0)]
        [Argument("phase")]
        [ArgumentCompleter(typeof(PhaseCompleter))]
        public string[] Phase { get; set; }

        /// <summary>EXCHANGE:LYNC.</summary>
        [Parameter]
        [Argument("pair")]
        [ArgumentCompleter(typeof(PairCompleter))]
        public string[] Pair { get; set; }

        /// <summary>SLUG.KEY=VALUE.</summary>
        [Parameter]
        [Argument("set")]
        public string[] Set { get; set; }

        /// <summary>Only these rows.</summary>
        [Parameter]
        [ValidateSet("dial_plan", "auto_attendant", "user", "contact")]
        public string Table { get; set; }

        /// <summary>Proposes.</summary>
        protected override void ProcessRecord()
        {
            Run("plan.template", Arguments(), (type, body) =>
            {
                if (!(body is JsonObject row) || (Table != null && Table != type))
                    return;
                PSObject made = Values.Record(row, "Umx.Input" + Values.MemberName(type));
                made.Properties.Add(new PSNoteProperty("Table", type), true);
                WriteObject(made);
            });
        }
    }

    /// <summary>The steps of plans, with what they change.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxPlanStep")]
    [OutputType("Umx.PlanStep")]
    public sealed class GetUmxPlanStepCommand : PlanCommand
    {
        private readonly HashSet<string> phases = new HashSet<string>(Schema.Phases, StringComparer.OrdinalIgnoreCase);
        private bool asked;

        /// <summary>Ids.</summary>
        [Parameter(Position = 1)]
        [SupportsWildcards]
        public string[] Id { get; set; }

        /// <summary>Phases.</summary>
        [Parameter]
        [ArgumentCompleter(typeof(PhaseCompleter))]
        [SupportsWildcards]
        public string[] Phase { get; set; }

        /// <summary>Forests.</summary>
        [Parameter]
        [ArgumentCompleter(typeof(ForestCompleter))]
        [SupportsWildcards]
        public string[] Forest { get; set; }

        /// <summary>Kinds.</summary>
        [Parameter]
        [ValidateSet("add", "delete", "modify", "access", "action", "gate", "wait")]
        public string[] Kind { get; set; }

        /// <summary>States.</summary>
        [Parameter]
        [ValidateSet("pending", "intended", "uncertain", "done", "verified", "failed", "skipped")]
        public string[] State { get; set; }

        /// <summary>Lists.</summary>
        protected override void ProcessRecord()
        {
            foreach (string name in Resolve())
            {
                var found = new HashSet<string>();
                PlanAnswer plan = Show(name);
                if (plan == null)
                    continue;
                asked = true;
                foreach (JsonObject step in plan.Steps)
                {
                    phases.Add(step.Text("phase") ?? string.Empty);
                    foreach (string id in (Id ?? new string[0]).Where(one => Matches(one, step.Text("id"))))
                        found.Add(id);
                    if (MatchesAny(Id, step.Text("id")) && MatchesAny(Phase, step.Text("phase")) && MatchesAny(Forest, step.Text("forest")) &&
                        MatchesAny(Kind, step.Text("kind")) && MatchesAny(State, step.Text("state")))
                        WriteObject(plan.Step(step));
                }
                MissingNames(Id ?? new string[0], found, "step");
            }
        }

        /// <summary>Names that no plan can have.</summary>
        protected override void EndProcessing()
        {
            if (!asked)
                return;
            MissingNames(Phase ?? new string[0], phases, "phase");
            MissingForests(Forest);
        }
    }

    /// <summary>The difference that a plan makes, value by value.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxPlanChange")]
    [OutputType("Umx.PlanChange")]
    public sealed class GetUmxPlanChangeCommand : PlanCommand
    {
        private bool asked;

        /// <summary>Forests.</summary>
        [Parameter]
        [ArgumentCompleter(typeof(ForestCompleter))]
        [SupportsWildcards]
        public string[] Forest { get; set; }

        /// <summary>Lists.</summary>
        protected override void ProcessRecord()
        {
            foreach (string name in Resolve())
            {
                PlanAnswer plan = Show(name);
                asked |= plan != null;
                foreach (JsonObject step in plan?.Steps ?? new JsonObject[0])
                    if (MatchesAny(Forest, step.Text("forest")))
                        foreach (PSObject change in PlanChanges.Of(plan.Name, step))
                            WriteObject(change);
            }
        }

        /// <summary>Names that no plan can have.</summary>
        protected override void EndProcessing()
        {
            if (asked)
                MissingForests(Forest);
        }
    }

    /// <summary>Decisions about plans.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxApproval")]
    [OutputType("Umx.Approval")]
    public sealed class GetUmxApprovalCommand : PlanCommand
    {
        /// <summary>Lists.</summary>
        protected override void ProcessRecord()
        {
            foreach (string name in Resolve())
                foreach (JsonObject approval in Show(name)?.Approvals ?? new JsonObject[0])
                    WriteObject(Values.Record(approval, "Umx.Approval"));
        }
    }

    /// <summary>Whether a plan could start now, and what is in its way. Writes nothing.</summary>
    [Cmdlet(VerbsDiagnostic.Test, "UmxPlan")]
    [OutputType("Umx.PlanTest")]
    [OutputType(typeof(bool))]
    public sealed class TestUmxPlanCommand : PlanCommand
    {
        private int tested, notReady;

        /// <summary>True or false.</summary>
        [Parameter]
        public SwitchParameter Quiet { get; set; }

        /// <summary>Tests.</summary>
        protected override void ProcessRecord()
        {
            foreach (string name in Resolve())
            {
                PlanAnswer plan = Show(name);
                tested++;
                if (plan == null)
                {
                    notReady++;
                    continue;
                }
                string[] denied = Permission(plan, "denied"), unknown = Permission(plan, "unknown");
                bool ready = plan.State == "approved" && denied.Length == 0 && !plan.Missing.Any();
                notReady += ready ? 0 : 1;
                if (Quiet)
                    continue;
                var made = new PSObject();
                made.TypeNames.Insert(0, "Umx.PlanTest");
                Add(made, "Name", plan.Name);
                Add(made, "Ready", ready);
                Add(made, "State", plan.State);
                Add(made, "Hash", plan.Hash);
                Add(made, "StepCount", plan.Steps.Count());
                Add(made, "Forests", plan.Forests.ToArray());
                Add(made, "Missing", plan.Missing.ToArray());
                Add(made, "Denied", denied);
                Add(made, "UnknownPermission", unknown);
                Add(made, "Irreversible", plan.Steps.Where(step => step.Truth("irreversible")).Select(Line).ToArray());
                Add(made, "Gates", plan.Steps.Where(step => step.Text("kind") == "gate").Select(Line).ToArray());
                WriteObject(made);
            }
        }

        /// <summary>One answer for all: a list of two is true in PowerShell, whatever is in it.</summary>
        protected override void EndProcessing()
        {
            if (Quiet)
                WriteObject(tested > 0 && notReady == 0);
        }

        private static void Add(PSObject made, string name, object value)
        {
            made.Properties.Add(new PSNoteProperty(name, value));
        }

        private static string Line(JsonObject step) { return step.Text("id") + ": " + step.Text("summary"); }

        private static string[] Permission(PlanAnswer plan, string word)
        {
            return plan.Steps.Where(step => (step.Text("permission") ?? string.Empty).StartsWith(word, StringComparison.Ordinal))
                .Select(step => step.Text("id") + ": " + step.Text("permission")).ToArray();
        }
    }

    /// <summary>Hands drafts in for approval.</summary>
    [Cmdlet(VerbsLifecycle.Submit, "UmxPlan", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
    [OutputType("Umx.Plan")]
    public sealed class SubmitUmxPlanCommand : PlanVerbCommand
    {
        internal override string Operation { get { return "plan.submit"; } }

        internal override string Does { get { return "submit"; } }
    }

    /// <summary>Runs approved plans.</summary>
    [Cmdlet(VerbsLifecycle.Start, "UmxPlan", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
    [OutputType("Umx.Plan")]
    public sealed class StartUmxPlanCommand : PlanVerbCommand
    {
        /// <summary>Only the steps of these phases.</summary>
        [Parameter]
        [ArgumentCompleter(typeof(PhaseCompleter))]
        public string[] Phase { get; set; }

        /// <summary>Wait until it rests.</summary>
        [Parameter]
        public SwitchParameter Wait { get; set; }

        internal override string Operation { get { return "plan.start"; } }

        internal override string Does { get { return "start"; } }

        internal override bool Touches(JsonObject step)
        {
            return base.Touches(step) && (Phase == null || Phase.Contains(step.Text("phase"), StringComparer.OrdinalIgnoreCase));
        }

        internal override JsonObject Request(PlanAnswer plan)
        {
            JsonObject made = base.Request(plan);
            if (Phase != null)
                made.Set("phase", Phase);
            return made;
        }

        internal override void Done(PlanAnswer answer)
        {
            if (!Wait)
            {
                base.Done(answer);
                return;
            }
            new PlanFollower(this, answer).Follow(null, 0);
            PlanAnswer rested = Show(answer.Name);
            if (rested != null)
                base.Done(rested);
        }
    }

    /// <summary>Stops plans at the next step, to go on later.</summary>
    [Cmdlet(VerbsLifecycle.Suspend, "UmxPlan", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
    [OutputType("Umx.Plan")]
    public sealed class SuspendUmxPlanCommand : PlanVerbCommand
    {
        internal override string Operation { get { return "plan.suspend"; } }

        internal override string Does { get { return "suspend"; } }
    }

    /// <summary>Goes on with suspended or failed plans.</summary>
    [Cmdlet(VerbsLifecycle.Resume, "UmxPlan", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
    [OutputType("Umx.Plan")]
    public sealed class ResumeUmxPlanCommand : PlanVerbCommand
    {
        internal override string Operation { get { return "plan.resume"; } }

        internal override string Does { get { return "resume"; } }
    }

    /// <summary>Stops plans at the next step, for good.</summary>
    [Cmdlet(VerbsLifecycle.Stop, "UmxPlan", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
    [OutputType("Umx.Plan")]
    public sealed class StopUmxPlanCommand : PlanVerbCommand
    {
        internal override string Operation { get { return "plan.cancel"; } }

        internal override string Does { get { return "cancel"; } }
    }

    /// <summary>Makes the plans that undo others: drafts, previewed and approved like any other.</summary>
    [Cmdlet(VerbsCommon.Undo, "UmxPlan", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
    [OutputType("Umx.Plan")]
    public sealed class UndoUmxPlanCommand : PlanVerbCommand
    {
        /// <summary>Name of the undo plan; NAME-undo without it.</summary>
        [Parameter]
        public string UndoName { get; set; }

        /// <summary>Undo only the phases after this one.</summary>
        [Parameter]
        [ArgumentCompleter(typeof(PhaseCompleter))]
        public string ToPhase { get; set; }

        internal override string Operation { get { return "plan.undo"; } }

        internal override string Does { get { return "plan to undo"; } }

        internal override bool Touches(JsonObject step) { return step.Text("state") == "verified" || step.Text("state") == "done"; }

        internal override JsonObject Request(PlanAnswer plan)
        {
            JsonObject made = base.Request(plan);
            if (UndoName != null)
                made.Set("undo_name", UndoName);
            if (ToPhase != null)
                made.Set("to_phase", ToPhase);
            return made;
        }

        /// The plan that came into being is the answer, as that of New-UmxPlan.
        internal override void Done(PlanAnswer answer) { WriteObject(answer.Whole()); }
    }

    /// <summary>Removes plans that were never started.</summary>
    [Cmdlet(VerbsCommon.Remove, "UmxPlan", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
    public sealed class RemoveUmxPlanCommand : PlanCommand
    {
        /// <summary>Removes.</summary>
        protected override void ProcessRecord()
        {
            foreach (string name in Resolve())
            {
                PlanAnswer plan = Show(name);
                string preview = plan?.Preview("delete", step => true);
                if (plan != null && Asked(preview, "delete the plan " + name + "?\n" + preview))
                    Run("plan.delete", NamedPlan(name), null, name);
            }
        }
    }

    /// <summary>Says that a gate's work is done.</summary>
    [Cmdlet(VerbsLifecycle.Confirm, "UmxPlanStep", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
    [OutputType("Umx.Plan")]
    public sealed class ConfirmUmxPlanStepCommand : PlanCommandBase
    {
        /// <summary>The plan.</summary>
        [Parameter(Position = 0, Mandatory = true, ValueFromPipelineByPropertyName = true)]
        [Alias("Name")]
        [ArgumentCompleter(typeof(PlanCompleter))]
        public string Plan { get; set; }

        /// <summary>The gate.</summary>
        [Parameter(Position = 1, Mandatory = true, ValueFromPipelineByPropertyName = true)]
        [Alias("Step")]
        public string Id { get; set; }

        /// <summary>What was done.</summary>
        [Parameter]
        public string Comment { get; set; }

        /// <summary>What the gate asks for: texts by name; a file's content by Get-Content -Raw.</summary>
        [Parameter]
        public Hashtable Value { get; set; }

        /// <summary>Write the plan.</summary>
        [Parameter]
        public SwitchParameter PassThru { get; set; }

        internal override string[] Named { get { return new[] { Plan }; } }

        /// <summary>Confirms.</summary>
        protected override void ProcessRecord()
        {
            PlanAnswer plan = Show(Plan);
            JsonObject gate = plan?.Steps.FirstOrDefault(step => string.Equals(step.Text("id"), Id, StringComparison.OrdinalIgnoreCase));
            if (plan == null)
                return;
            if (gate == null)
            {
                WriteError(Failure.Record(Failure.NoMatch("step of plan " + Plan, Id), Id));
                return;
            }
            string said = "confirm the gate " + gate.Text("id") + " of " + Plan + " in " + gate.Text("forest") + ": " + gate.Text("summary");
            if (!ShouldProcess(said, said + "?", "umx"))
                return;
            JsonObject arguments = NamedPlan(Plan);
            arguments.Set("step", gate.Text("id"));
            if (Comment != null)
                arguments.Set("comment", Comment);
            if (Value != null)
                arguments.Set("value", Value.Cast<DictionaryEntry>().Select(one => one.Key + "=" + one.Value).ToArray());
            PlanAnswer answer = Ask("plan.confirm", arguments, Plan);
            if (answer != null && PassThru)
                WriteObject(answer.Whole());
        }
    }
}
