using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Management.Automation;

namespace Umx
{
    /// <summary>
    /// What the default views of records within records say of them: a line for each. The records themselves are members of
    /// the same object, whole.
    /// </summary>
    public static class Brief
    {
        private static readonly string[] Finished = { "done", "not_applicable" };
        private static readonly string[] Counted = { "fail", "warn", "unknown" };

        /// <summary>Umx.Status: forests, and what could not be read.</summary>
        public static string Forests(PSObject status)
        {
            return Lines(Each(status, "Forests").Select(one =>
                Text(one, "Forest") + ", " + Text(one, "Side") +
                (Text(one, "Error").Length > 0 ? ": " + Text(one, "Error") : ", read at " + Time(one, "CollectedAt") + " from " + Text(one, "DomainController"))));
        }

        /// <summary>Umx.Status: how far each pair is.</summary>
        public static string Pairs(PSObject status)
        {
            return Lines(Each(status, "Pairs").Select(one => Text(one, "Exchange") + ":" + Text(one, "Lync") + ": " + Phases(one)));
        }

        /// <summary>Umx.PairStatus: how many phases are in which state, and where to go on.</summary>
        public static string Phases(PSObject pair)
        {
            PSObject[] phases = Each(pair, "Phases");
            string states = string.Join(", ", phases.GroupBy(one => Text(one, "State")).Select(
                group => group.Count().ToString(CultureInfo.CurrentCulture) + " " + group.Key.Replace('_', ' ')));
            PSObject next = phases.FirstOrDefault(one => !Finished.Contains(Text(one, "State")));
            return next == null ? states : states + "; next " + Text(next, "Slug") + Counts(next);
        }

        /// <summary>Umx.Status: agents by their states.</summary>
        public static string Agents(PSObject status)
        {
            return Numbers(Value(status, "Agents") as PSObject);
        }

        /// <summary>Umx.Status: certificates of the deployment that somebody should look at. Umx.Authority: all of them.</summary>
        public static string Certificates(PSObject of)
        {
            return Lines(Each(of, "Certificates").Select(one => one.TypeNames[0] == "Umx.AuthorityCertificate"
                ? Text(one, "Kind") + ", " + Text(one, "State") + ", until " + Time(one, "NotAfterAt") + ": " + Text(one, "Subject")
                : Text(one, "Status") + ": " + Text(one, "Target") + ": " + Text(one, "Actual")));
        }

        /// <summary>Umx.Status: what was refused since the controller started.</summary>
        public static string Refused(PSObject status)
        {
            return Numbers(Value(status, "Refused") as PSObject);
        }

        /// <summary>Umx.Authority: whether a rotation is under way, and how many follow.</summary>
        public static string Rotation(PSObject authority)
        {
            var rotation = Value(authority, "Rotation") as PSObject;
            string state = rotation != null ? Text(rotation, "State") : string.Empty;

            if (state.Length == 0 || state == "none")
                return "no rotation is under way";
            string said = state + ", of the " + Text(rotation, "Of");
            if (Text(rotation, "BegunBy").Length > 0)
                said += ", begun at " + Time(rotation, "BegunAt") + " by " + Text(rotation, "BegunBy");
            if (Value(authority, "Agents") != null)
                said += ", " + Text(authority, "Followed") + " of " + Text(authority, "Agents") + " agents have followed";
            return Text(rotation, "Error").Length > 0 ? said + ": " + Text(rotation, "Error") : said;
        }

        /// <summary>Umx.Authority: agents that have not followed, and why.</summary>
        public static string Missing(PSObject authority)
        {
            return Lines(Each(authority, "Missing").Select(one => Text(one, "Server") + ", " + Text(one, "State") + ": " + Text(one, "Reason")));
        }

        private static string Counts(PSObject phase)
        {
            string[] some = Counted.Where(name => Text(phase, Values.MemberName(name)) != "0").Select(name => Text(phase, Values.MemberName(name)) + " " + name).ToArray();
            return some.Length > 0 ? " (" + string.Join(", ", some) + ")" : string.Empty;
        }

        private static string Numbers(PSObject counts)
        {
            return counts == null ? string.Empty : string.Join(", ", counts.Properties.Select(one => one.Value + " " + one.Name.ToLowerInvariant()));
        }

        private static string Lines(IEnumerable<string> lines) { return string.Join("\n", lines); }

        private static PSObject[] Each(PSObject of, string member)
        {
            return (Value(of, member) as object[] ?? new object[0]).OfType<PSObject>().ToArray();
        }

        private static object Value(PSObject of, string member) { return of.Properties[member]?.Value; }

        private static string Text(PSObject of, string member) { return Convert.ToString(Value(of, member), CultureInfo.CurrentCulture) ?? string.Empty; }

        private static string Time(PSObject of, string member)
        {
            return Value(of, member) is DateTime time ? time.ToString("g", CultureInfo.CurrentCulture) : "an unknown time";
        }
    }
}
