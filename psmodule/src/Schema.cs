using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation;

namespace Umx
{
    /// <summary>Tables, columns and phases as `umx tables` and `umx phases` know them, carried into the build.</summary>
    internal static class Schema
    {
        private static readonly Lazy<JsonObject> All = new Lazy<JsonObject>(Load);
        private static readonly Dictionary<string, Dictionary<string, string>> Kinds =
            new Dictionary<string, Dictionary<string, string>>(StringComparer.Ordinal);

        internal static IEnumerable<JsonObject> TableRecords { get { return List(All.Value, "tables"); } }

        internal static IEnumerable<JsonObject> PhaseRecords { get { return List(All.Value, "phases"); } }

        internal static IEnumerable<JsonObject> CheckRecords { get { return List(All.Value, "checks"); } }

        internal static IEnumerable<string> Tables { get { return TableRecords.Select(table => table.Text("name")); } }

        internal static IEnumerable<string> Phases { get { return PhaseRecords.Select(phase => phase.Text("slug")); } }

        private static JsonObject Load()
        {
            using (Stream stream = typeof(Schema).Assembly.GetManifestResourceStream("Umx.Schema.json"))
            using (var copy = new MemoryStream())
            {
                stream.CopyTo(copy);
                return (JsonObject)new JsonReader().Read(copy.GetBuffer(), (int)copy.Length);
            }
        }

        internal static IEnumerable<JsonObject> List(JsonObject json, string name)
        {
            return (json[name] as object[] ?? new object[0]).OfType<JsonObject>();
        }

        /// Columns of a table with their kind: text, word, integer, truth, time, list, bytes or record.
        internal static Dictionary<string, string> Columns(string table)
        {
            lock (Kinds)
            {
                if (Kinds.TryGetValue(table, out Dictionary<string, string> known))
                    return known;
                JsonObject found = TableRecords.FirstOrDefault(one => one.Text("name") == table);
                return Kinds[table] = found == null
                    ? new Dictionary<string, string>()
                    : List(found, "columns").ToDictionary(column => column.Text("name"), column => column.Text("kind"));
            }
        }

        /// A row of a table, as its record: SQL knows neither truth nor lists.
        internal static PSObject Record(JsonObject row, string table, string type)
        {
            return Values.Record(Typed(row, table), type);
        }

        internal static JsonObject Typed(JsonObject row, string table)
        {
            Dictionary<string, string> kinds = Columns(table);

            for (int i = 0; i < row.Names.Count; i++)
            {
                kinds.TryGetValue(row.Names[i], out string kind);
                if (kind == "truth" && row.Values[i] is long truth)
                    row.Values[i] = truth != 0;
                else if ((kind == "list" || kind == "record") && row.Values[i] is string text)
                    row.Values[i] = Nested(text);
            }
            return row;
        }

        private static object Nested(string text)
        {
            try
            {
                return JsonReader.Read(text);
            }
            catch (FormatException)
            {
                return text;
            }
        }
    }
}
