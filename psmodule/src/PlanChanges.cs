using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;

namespace Umx
{
    /// <summary>A step as the values that it takes away and brings: Umx.PlanChange.</summary>
    internal static class PlanChanges
    {
        internal static IEnumerable<PSObject> Of(string plan, JsonObject step)
        {
            var change = step["change"] as JsonObject;
            if (change == null)
                return new[] { Make(plan, step, null, null, null) };
            switch (step.Text("kind"))
            {
                case "add":
                    return Schema.List(change, "attribute").Select(one => Make(plan, step, one.Text("name"), null, TextsOf(one, "value", "binary")));
                case "delete":
                    return Images(plan, step);
                case "modify":
                    return Schema.List(change, "modify").Select(one => Make(plan, step, one.Text("name"), TextsOf(one, "remove"), TextsOf(one, "add")));
                case "access":
                    return new[] { Access(plan, step, change["access"] as JsonObject) };
                case "action":
                    return new[] { Action(plan, step, change["action"] as JsonObject) };
                case "gate":
                    return new[] { Make(plan, step, "command", null, TextsOf(change["gate"] as JsonObject, "command")) };
                default:
                    return new[] { Make(plan, step, (change["wait"] as JsonObject)?.Text("what"), null, null) };
            }
        }

        private static PSObject Access(string plan, JsonObject step, JsonObject access)
        {
            object[] entry = { access?.Text("sddl") };
            bool adds = access != null && access.Truth("add");
            return Make(plan, step, "access", adds ? null : entry, adds ? entry : null);
        }

        private static PSObject Action(string plan, JsonObject step, JsonObject action)
        {
            return Make(plan, step, action?.Text("action"), null, TextsOf(action, "item"));
        }

        /// What a deletion takes away, as the preview has it.
        private static IEnumerable<PSObject> Images(string plan, JsonObject step)
        {
            var before = step["before"] as JsonObject;
            PSObject[] made = before == null ? new PSObject[0]
                : Schema.List(before, "attribute").Select(one => Make(plan, step, one.Text("name"), TextsOf(one, "value", "binary"), null)).ToArray();
            return made.Length > 0 ? made : new[] { Make(plan, step, null, null, null) };
        }

        private static object[] TextsOf(JsonObject json, params string[] names)
        {
            return json == null ? null : names.SelectMany(name => json[name] as object[] ?? new object[0]).ToArray();
        }

        private static PSObject Make(string plan, JsonObject step, string attribute, object[] remove, object[] add)
        {
            var made = new PSObject();
            made.TypeNames.Insert(0, "Umx.PlanChange");
            Add(made, "Plan", plan);
            Add(made, "Step", step.Text("id"));
            Add(made, "Phase", step.Text("phase"));
            Add(made, "Forest", step.Text("forest"));
            Add(made, "Kind", step.Text("kind"));
            Add(made, "Target", (step["change"] as JsonObject)?.Text("dn") ?? step.Text("target"));
            Add(made, "Attribute", attribute);
            Add(made, "Remove", remove ?? new object[0]);
            Add(made, "Add", add ?? new object[0]);
            Add(made, "Summary", step.Text("summary"));
            return made;
        }

        private static void Add(PSObject made, string name, object value)
        {
            made.Properties.Add(new PSNoteProperty(name, value));
        }
    }
}
