using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Text;

namespace Umx
{
    /// <summary>
    /// Conditions for what a user named. They may let through more than was meant ([a-c] is any letter, and SQL folds the
    /// case of ASCII alone): who asks looks again at what comes.
    /// </summary>
    internal static class Sql
    {
        internal static string Quote(string text)
        {
            return "'" + text.Replace("'", "''") + "'";
        }

        /// One of the conditions holds. Many are nested in halves: the controller takes no expression that is 100 levels deep,
        /// and a chain has a level for each of its members.
        internal static string Any(IEnumerable<string> conditions)
        {
            string[] some = conditions.ToArray();
            return Any(some, 0, some.Length);
        }

        private static string Any(string[] some, int from, int count)
        {
            const int Chain = 8;

            if (count <= Chain)
                return "(" + string.Join(" OR ", some, from, count) + ")";
            return "(" + Any(some, from, count / 2) + " OR " + Any(some, from + count / 2, count - count / 2) + ")";
        }

        /// The column is like one of the names; a DN also by the name that it begins with.
        internal static string Like(string column, IEnumerable<string> wanted, bool firstLabel)
        {
            var conditions = new List<string>();

            foreach (string name in wanted)
            {
                string pattern = Pattern(name);
                conditions.Add(Like(column, pattern));
                if (firstLabel && !UmxCommand.IsPattern(name) && name.IndexOf('.') < 0)
                    conditions.Add(Like(column, pattern + ".%"));
                if (column == "dn" || column.EndsWith("_dn", System.StringComparison.Ordinal))
                    conditions.Add(Like(column, "CN=" + pattern + ",%"));
            }
            return Any(conditions);
        }

        private static string Like(string column, string pattern)
        {
            return column + " LIKE " + Quote(pattern) + " ESCAPE '\\'";
        }

        /// A wildcard pattern as one of LIKE.
        private static string Pattern(string wildcard)
        {
            var made = new StringBuilder();

            for (int i = 0; i < wildcard.Length; i++)
            {
                char letter = wildcard[i];
                int close = letter == '[' ? wildcard.IndexOf(']', i) : -1;
                if (letter == '*')
                    made.Append('%');
                else if (letter == '?' || letter > 127)
                    made.Append('_');
                else if (close > i)
                {
                    made.Append('_');
                    i = close;
                }
                else
                {
                    if (letter == '`' && i + 1 < wildcard.Length)
                        letter = wildcard[++i];
                    if (letter == '%' || letter == '_' || letter == '\\')
                        made.Append('\\');
                    made.Append(letter);
                }
            }
            return made.ToString();
        }

        /// The same question of a value that came: the name itself, or the one that a DN begins with.
        internal static bool Matches(IReadOnlyCollection<string> wanted, string value)
        {
            return wanted == null || wanted.Count == 0 || wanted.Any(name => MatchesOne(name, value));
        }

        internal static bool MatchesOne(string wanted, string value)
        {
            return UmxCommand.Matches(wanted, value) || UmxCommand.Matches(wanted, FirstName(value));
        }

        /// CN=SipPlan,CN=... is SipPlan; null for what is no DN.
        private static string FirstName(string dn)
        {
            if (dn == null || dn.Length < 4 || dn[2] != '=')
                return null;
            var made = new StringBuilder();
            for (int i = 3; i < dn.Length && dn[i] != ','; i++)
            {
                if (dn[i] == '\\' && i + 1 < dn.Length)
                    i++;
                made.Append(dn[i]);
            }
            return made.ToString();
        }
    }
}
