using System;
using System.Collections.Generic;
using System.Linq;

namespace Umx
{
    /// <summary>What is missing in the records of a forest, because it could not be read.</summary>
    internal sealed class Gap
    {
        private Gap(string table, string says)
        {
            Table = table;
            Says = says;
        }

        /// Null: all of them.
        internal string Table { get; }

        /// One sentence, for people.
        internal string Says { get; }

        internal bool Of(string table) { return Table == null || Table == table; }

        /// Those that a record of the table `forest` tells of.
        internal static IEnumerable<Gap> Of(JsonObject forest)
        {
            string name = forest.Text("forest"), error = forest.Text("error");

            if (!string.IsNullOrEmpty(error))
                yield return new Gap(null, name + " could not be read, and what is here of it may be old or missing: " + error);
            foreach (string line in (forest["incomplete"] as object[] ?? new object[0]).OfType<string>())
                yield return new Gap(line.Split(':')[0], name + " was read incompletely: " + line); // `table: reason`
        }
    }
}
