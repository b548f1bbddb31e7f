using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Management.Automation;
using System.Diagnostics;

namespace Umx
{
    /// <summary>Follows a plan by its journal, with progress: the plan, and below it the step that is at work.</summary>
    internal sealed class PlanFollower
    {
        private const int PlanActivity = 7441, StepActivity = 7442;
        private const int ProgressEveryMilliseconds = 250;
        private readonly PlanCommandBase command;
        private readonly PlanAnswer plan;
        private readonly Dictionary<string, JsonObject> steps;
        private readonly HashSet<string> settled = new HashSet<string>();
        private readonly Stopwatch clock = new Stopwatch();
        private bool shown;

        internal PlanFollower(PlanCommandBase of, PlanAnswer followed)
        {
            command = of;
            plan = followed;
            steps = plan.Steps.ToDictionary(step => step.Text("id"), step => step);
        }

        /// Until the plan rests; each entry goes to `entry`. Its end, or null when it could not be followed so long.
        internal JsonObject Follow(System.Action<JsonObject> entry, int milliseconds)
        {
            try
            {
                return command.Run("plan.watch", PlanCommandBase.NamedPlan(plan.Name), (type, body) =>
                {
                    if (type != "entries" || !(body is JsonObject written))
                        return;
                    Count(written);
                    entry?.Invoke(written);
                }, plan.Name, milliseconds);
            }
            finally
            {
                if (shown && !command.IsStopping)
                {
                    Show(StepActivity, PlanActivity, "step", " ", -1, true);
                    Show(PlanActivity, -1, plan.Name, " ", -1, true);
                }
            }
        }

        private void Count(JsonObject written)
        {
            string kind = written.Text("kind"), step = written.Text("step");

            if (step != null && (kind == "verified" || kind == "step_skipped" || kind == "confirmed"))
                settled.Add(step);
            if (kind == "effect" && step != null && steps.TryGetValue(step, out JsonObject made))
                command.WriteVerbose(step + " " + made.Text("forest") + ": " + made.Text("kind") + ": " + made.Text("summary"));
            if (clock.IsRunning && clock.ElapsedMilliseconds < ProgressEveryMilliseconds)
                return;
            clock.Restart();
            shown = true;
            Show(PlanActivity, -1, plan.Name, string.Format(CultureInfo.CurrentCulture, "{0} of {1} steps", settled.Count, steps.Count),
                 steps.Count > 0 ? settled.Count * 100 / steps.Count : 0, false);
            if (step != null && steps.TryGetValue(step, out JsonObject at))
                Show(StepActivity, PlanActivity, step, (kind + ": " + at.Text("summary")), -1, false);
        }

        private void Show(int activity, int parent, string title, string status, int percent, bool completed)
        {
            command.WriteProgress(new ProgressRecord(activity, title, status)
            {
                ParentActivityId = parent,
                PercentComplete = percent > 100 ? 100 : percent,
                RecordType = completed ? ProgressRecordType.Completed : ProgressRecordType.Processing,
            });
        }
    }

    /// <summary>The journal of plans as it is written, until they rest.</summary>
    [Cmdlet(VerbsCommon.Watch, "UmxPlan")]
    [OutputType("Umx.JournalEntry")]
    public sealed class WatchUmxPlanCommand : PlanCommand
    {
        /// <summary>Follows.</summary>
        protected override void ProcessRecord()
        {
            foreach (string name in Resolve())
            {
                PlanAnswer plan = Show(name);
                if (plan != null)
                    new PlanFollower(this, plan).Follow(entry => WriteObject(Values.Record(entry, "Umx.JournalEntry")), 0);
            }
        }
    }

    /// <summary>Waits until plans rest.</summary>
    [Cmdlet(VerbsLifecycle.Wait, "UmxPlan")]
    [OutputType("Umx.Plan")]
    public sealed class WaitUmxPlanCommand : PlanCommand
    {
        /// <summary>Seconds; without it as long as it takes.</summary>
        [Parameter]
        [ValidateRange(1, 2000000)]
        public int Timeout { get; set; }

        /// <summary>Waits.</summary>
        protected override void ProcessRecord()
        {
            foreach (string name in Resolve())
            {
                PlanAnswer plan = Show(name);
                if (plan == null || new PlanFollower(this, plan).Follow(null, Timeout * 1000) == null)
                    continue;
                PlanAnswer rested = Show(name);
                if (rested != null)
                    WriteObject(rested.Whole());
            }
        }
    }
}
