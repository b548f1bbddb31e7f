using System;
using System.Collections.Generic;
using System.Globalization;
using System.Management.Automation;
using System.Text;

namespace Umx
{
    /// <summary>
    /// From values of the wire to what a PowerShell user expects, by the schema's own conventions: `not_after_at` is
    /// NotAfterAt, a DateTime in local time; `object_guid` a Guid; nested records are objects.
    /// </summary>
    internal static class Values
    {
        private static readonly Dictionary<string, string> Names = new Dictionary<string, string>(StringComparer.Ordinal);

        /// dial_plan_dn is DialPlanDn.
        internal static string MemberName(string wire)
        {
            lock (Names)
            {
                if (Names.TryGetValue(wire, out string known))
                    return known;
                var made = new StringBuilder();
                bool capital = true;
                foreach (char letter in wire)
                {
                    if (letter != '_')
                        made.Append(capital ? char.ToUpperInvariant(letter) : letter);
                    capital = letter == '_';
                }
                string name = made.ToString();
                if (Names.Count < 4096)
                    Names[wire] = name;
                return name;
            }
        }

        /// DialPlanDn is dial_plan_dn.
        internal static string WireName(string member)
        {
            var made = new StringBuilder();

            foreach (char letter in member)
            {
                if (char.IsUpper(letter) && made.Length > 0 && made[made.Length - 1] != '_')
                    made.Append('_');
                made.Append(char.ToLowerInvariant(letter));
            }
            return made.ToString();
        }

        internal static PSObject Record(JsonObject json, string type)
        {
            var made = new PSObject();

            made.TypeNames.Insert(0, type);
            for (int i = 0; i < json.Names.Count; i++)
                made.Properties.Add(new PSNoteProperty(MemberName(json.Names[i]), Member(json.Names[i], json.Values[i])), true);
            if (type == "Umx.Finding")
                made.Properties.Add(new PSNoteProperty("RemedyCommand", Remedies.CommandsOf(json.Text("remedy"))), true);
            return made;
        }

        /// A row of a query: its columns are named by who asked.
        internal static PSObject Row(JsonObject json)
        {
            var made = new PSObject();

            made.TypeNames.Insert(0, "Umx.Row");
            for (int i = 0; i < json.Names.Count; i++)
                made.Properties.Add(new PSNoteProperty(json.Names[i], Member(json.Names[i], json.Values[i])), true);
            return made;
        }

        internal static object Member(string name, object value)
        {
            switch (value)
            {
                case string text when name.EndsWith("_at", StringComparison.Ordinal):
                    return Time(text, out DateTime time) ? (object)time : text;
                case string text when name.EndsWith("_guid", StringComparison.Ordinal) || name == "invocation_id":
                    return ToGuid(text);
                case JsonObject nested:
                    return Record(nested, "Umx.Value");
                case object[] list:
                    return List(name, list);
                default:
                    return value;
            }
        }

        private static object List(string name, object[] list)
        {
            var made = new object[list.Length];

            for (int i = 0; i < list.Length; i++)
                made[i] = Member(name, list[i]);
            return made;
        }

        /// RFC 3339 in UTC, as local time: it compares rightly with Get-Date.
        internal static bool Time(string text, out DateTime time)
        {
            bool good = DateTime.TryParseExact(
                text, new[] { "yyyy-MM-dd'T'HH:mm:ss'Z'", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'" }, CultureInfo.InvariantCulture,
                DateTimeStyles.AssumeUniversal, out time);

            return good;
        }

        private static object ToGuid(string hex)
        {
            byte[] bytes = Bytes(hex);
            return bytes != null && bytes.Length == 16 ? (object)new Guid(bytes) : hex;
        }

        internal static byte[] Bytes(string hex)
        {
            if (hex.Length % 2 != 0)
                return null;
            var made = new byte[hex.Length / 2];
            for (int i = 0; i < made.Length; i++)
            {
                int high = JsonReader.HexDigit(hex[2 * i]), low = JsonReader.HexDigit(hex[2 * i + 1]);
                if (high < 0 || low < 0)
                    return null;
                made[i] = (byte)(high * 16 + low);
            }
            return made;
        }

        internal static string Hex(byte[] bytes)
        {
            var made = new StringBuilder(bytes.Length * 2);

            foreach (byte one in bytes)
                made.Append(one.ToString("x2", CultureInfo.InvariantCulture));
            return made.ToString();
        }
    }
}
