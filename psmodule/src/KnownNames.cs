using System;
using System.Collections.Generic;
using System.Linq;

namespace Umx
{
    /// <summary>
    /// Which names mean something although nothing came of them. A server without a record of some kind is no error; a name
    /// that nobody knows is.
    /// </summary>
    internal static class KnownNames
    {
        private const int NamesInOneQuestion = 50;

        private static readonly string[][] ServerColumns =
        {
            new[] { "agent", "server" }, new[] { "exchange_server", "server" }, new[] { "lync_pool_member", "member" }, new[] { "lync_pool", "pool" },
        };

        /// Those of these literal names that are servers: with an agent, or in the directory or the topology alone.
        internal static HashSet<string> Servers(UmxCommand by, string[] names)
        {
            var known = new HashSet<string>(StringComparer.OrdinalIgnoreCase);

            for (int i = 0; i < names.Length; i += NamesInOneQuestion)
            {
                string[] some = names.Skip(i).Take(NamesInOneQuestion).ToArray();
                Ask(by, string.Join(" UNION ", ServerColumns.Select(
                    one => "SELECT " + one[1] + " AS name FROM " + one[0] + " WHERE " + Sql.Like(one[1], some, true))), some, known);
            }
            return known;
        }

        /// Those of these literal names that are forests. Before the first one was read nobody knows any, and all may be some.
        internal static HashSet<string> Forests(UmxCommand by, string[] names)
        {
            var known = new HashSet<string>(StringComparer.OrdinalIgnoreCase);

            if (!Ask(by, "SELECT forest AS name FROM forest UNION SELECT forest FROM agent", names, known))
                known.UnionWith(names);
            return known;
        }

        /// False when nothing at all came. When it failed, which is told then, no name is missing.
        private static bool Ask(UmxCommand by, string sql, string[] names, HashSet<string> known)
        {
            var arguments = new JsonObject();
            bool any = false;

            arguments.Set("sql", sql);
            JsonObject end = by.Run("query", arguments, (type, body) =>
            {
                if (type != "rows" || !((body as JsonObject)?.Text("name") is string found))
                    return;
                any = true;
                known.UnionWith(names.Where(name => UmxCommand.Matches(name, found)));
            });
            if (end == null)
                known.UnionWith(names);
            return any;
        }
    }
}
