using System;
using System.Linq;
using System.Management.Automation;
using System.Text;

namespace Umx
{
    /// <summary>Decisions about plans: fetched, shown, signed with the operator's own key, sent.</summary>
    public abstract class DecisionCommand : PlanCommand
    {
        /// <summary>The forest to decide for; the one that vouched for the user without it.</summary>
        [Parameter]
        [ArgumentCompleter(typeof(ForestCompleter))]
        public string Forest { get; set; }

        /// <summary>Number of the change in the user's own records.</summary>
        [Parameter]
        public string Ticket { get; set; }

        /// <summary>Signed with the decision.</summary>
        [Parameter]
        public string Comment { get; set; }

        /// <summary>The plan that was reviewed: any other is refused.</summary>
        [Parameter(ValueFromPipelineByPropertyName = true)]
        public string Hash { get; set; }

        /// <summary>Write the plan.</summary>
        [Parameter]
        public SwitchParameter PassThru { get; set; }

        internal abstract string Operation { get; }

        /// Line 5 of the statement of approval (docs/protocol.md).
        internal abstract string Word { get; }

        internal virtual DateTime? Expires { get { return null; } }

        internal virtual void Check() { }

        /// <summary>Decides.</summary>
        protected override void ProcessRecord()
        {
            Controller controller = Connected;
            string forest = Forest ?? controller.Forest;

            try
            {
                Check();
            }
            catch (UmxException problem)
            {
                Terminate(problem, problem.Target);
            }
            foreach (string name in Resolve())
            {
                PlanAnswer plan = Show(name);
                if (plan == null)
                    continue;
                try
                {
                    Decide(controller, plan, forest);
                }
                catch (UmxException problem)
                {
                    Fail(problem, name);
                }
            }
        }

        private void Decide(Controller controller, PlanAnswer plan, string forest)
        {
            string expires = Expires != null ? JsonWriter.Time(new DateTime(Expires.Value.Ticks / TimeSpan.TicksPerSecond * TimeSpan.TicksPerSecond, Expires.Value.Kind)) : string.Empty;

            if (plan.Hash == null || plan.Hash.Length != 64)
                throw new UmxException("UMX-1604", UmxStatus.Format, plan.Name, "the plan has no hash", "check that client and controller run compatible versions", plan.Name);
            if (!string.IsNullOrEmpty(Hash) && !string.Equals(Hash, plan.Hash, StringComparison.OrdinalIgnoreCase))
                throw new UmxException("UMX-1405", UmxStatus.Stale, plan.Name, "the plan is " + plan.Hash + ", not " + Hash, "review the plan as it is now: Get-UmxPlan " + plan.Name, plan.Name);
            if (plan.Deployment != controller.Deployment)
                throw new UmxException("UMX-1604", UmxStatus.Format, plan.Name, "the plan is of deployment " + plan.Deployment + ", the identity of " + controller.Deployment, "connect with the identity of that deployment", plan.Name);
            string preview = plan.Preview(Word + " for " + forest + (expires.Length > 0 ? " until " + expires : string.Empty) + " the plan", step => true);
            if (!Asked(preview, preview + "\n" + Word + " the plan " + plan.Name + " for " + forest + "?"))
                return;
            var statement = new StringBuilder();
            foreach (string line in new[] { "umx-approval-1", plan.Deployment, plan.Hash, forest, Word, expires, Ticket, Comment })
                statement.Append(line).Append('\n');
            JsonObject arguments = NamedPlan(plan.Name);
            arguments.Set("plan_hash", plan.Hash);
            arguments.Set("forest", forest);
            arguments.Set("signature", Values.Hex(Sign(controller, statement.ToString())));
            if (!string.IsNullOrEmpty(Ticket))
                arguments.Set("ticket", Ticket);
            if (!string.IsNullOrEmpty(Comment))
                arguments.Set("comment", Comment);
            if (expires.Length > 0)
                arguments.Set("expires_at", expires);
            if (Word == "break_glass")
                arguments.Set("break_glass", true);
            PlanAnswer answer = Ask(Operation, arguments, plan.Name);
            if (answer != null && PassThru)
                WriteObject(answer.Whole());
        }

        private static byte[] Sign(Controller controller, string statement)
        {
            if (statement.Count(letter => letter == '\n') != 8 || statement.Any(letter => (letter < ' ' && letter != '\n') || letter == 0x7f))
                throw Failure.Invalid("Comment", "a control character cannot be signed");
            byte[] bytes = new UTF8Encoding(false, false).GetBytes(statement);
            int status = Library.Loaded.SessionSign(controller.Session, bytes, (UIntPtr)bytes.Length, out NativeBuffer signature, out NativeBuffer error);
            if (status != 0)
                throw Failure.From(Library.Loaded.TakeJson(ref error), status);
            return Library.Loaded.Take(ref signature);
        }
    }

    /// <summary>Approves plans for a forest.</summary>
    [Cmdlet(VerbsLifecycle.Approve, "UmxPlan", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
    [OutputType("Umx.Plan")]
    public sealed class ApproveUmxPlanCommand : DecisionCommand
    {
        private static readonly TimeSpan Usual = TimeSpan.FromHours(8);

        /// <summary>End of the approval; 8 hours from now without it.</summary>
        [Parameter]
        [WhenTransformation]
        public DateTime? ExpiresAt { get; set; }

        /// <summary>Without the groups; needs -Comment.</summary>
        [Parameter]
        public SwitchParameter BreakGlass { get; set; }

        internal override string Operation { get { return "plan.approve"; } }

        internal override string Word { get { return BreakGlass ? "break_glass" : "approve"; } }

        internal override DateTime? Expires { get { return ExpiresAt ?? DateTime.Now + Usual; } }

        internal override void Check()
        {
            if (BreakGlass && string.IsNullOrEmpty(Comment))
                throw Failure.Invalid("BreakGlass", "it needs the reason in -Comment");
        }
    }

    /// <summary>Denies plans for a forest.</summary>
    [Cmdlet(VerbsLifecycle.Deny, "UmxPlan", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
    [OutputType("Umx.Plan")]
    public sealed class DenyUmxPlanCommand : DecisionCommand
    {
        internal override string Operation { get { return "plan.deny"; } }

        internal override string Word { get { return "deny"; } }
    }

    /// <summary>Takes the user's decision back.</summary>
    [Cmdlet(VerbsSecurity.Revoke, "UmxApproval", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
    [OutputType("Umx.Plan")]
    public sealed class RevokeUmxApprovalCommand : DecisionCommand
    {
        internal override string Operation { get { return "plan.withdraw"; } }

        internal override string Word { get { return "withdraw"; } }
    }
}
