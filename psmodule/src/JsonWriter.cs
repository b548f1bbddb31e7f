using System;
using System.Collections;
using System.Globalization;
using System.Management.Automation;
using System.Text;

namespace Umx
{
    /// <summary>Writes what a request is made of as JSON; numbers and times as on the wire, whatever the culture.</summary>
    internal static class JsonWriter
    {
        internal static byte[] Bytes(object value)
        {
            return new UTF8Encoding(false, false).GetBytes(Text(value));
        }

        internal static string Text(object value)
        {
            var text = new StringBuilder();
            Add(text, value, 0);
            return text.ToString();
        }

        /// 2026-01-31T22:00:00Z, with microseconds when there are any.
        internal static string Time(DateTime time)
        {
            DateTime utc = time.ToUniversalTime();
            return utc.ToString(utc.Ticks % TimeSpan.TicksPerSecond < 10 ? "yyyy-MM-dd'T'HH:mm:ss'Z'" : "yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'",
                                CultureInfo.InvariantCulture);
        }

        private static void Add(StringBuilder text, object value, int depth)
        {
            if (depth > JsonReader.MaximumDepth)
                throw new FormatException("too many levels");
            if (value is PSObject wrapped && !(wrapped.BaseObject is PSCustomObject))
                value = wrapped.BaseObject;
            switch (value)
            {
                case null:
                    text.Append("null");
                    break;
                case bool truth:
                    text.Append(truth ? "true" : "false");
                    break;
                case SwitchParameter given:
                    text.Append(given.IsPresent ? "true" : "false");
                    break;
                case string word:
                    AddString(text, word);
                    break;
                case DateTime time:
                    AddString(text, Time(time));
                    break;
                case DateTimeOffset time:
                    AddString(text, Time(time.UtcDateTime));
                    break;
                case Guid guid:
                    AddString(text, Values.Hex(guid.ToByteArray()));
                    break;
                case double number:
                    text.Append(number.ToString("R", CultureInfo.InvariantCulture));
                    break;
                case JsonObject made:
                    AddMembers(text, made, depth);
                    break;
                case PSObject record:
                    AddRecord(text, record, depth);
                    break;
                case IDictionary table:
                    AddTable(text, table, depth);
                    break;
                case IEnumerable list:
                    AddList(text, list, depth);
                    break;
                case IFormattable number when value.GetType().IsPrimitive || value is decimal:
                    text.Append(number.ToString(null, CultureInfo.InvariantCulture));
                    break;
                default:
                    AddString(text, value.ToString());
                    break;
            }
        }

        private static void AddMember(StringBuilder text, ref bool first, string name, object value, int depth)
        {
            if (!first)
                text.Append(',');
            first = false;
            AddString(text, name);
            text.Append(':');
            Add(text, value, depth + 1);
        }

        private static void AddMembers(StringBuilder text, JsonObject made, int depth)
        {
            bool first = true;

            text.Append('{');
            for (int i = 0; i < made.Names.Count; i++)
                AddMember(text, ref first, made.Names[i], made.Values[i], depth);
            text.Append('}');
        }

        /// A record goes back under the names that it came with.
        private static void AddRecord(StringBuilder text, PSObject record, int depth)
        {
            bool first = true;

            text.Append('{');
            foreach (PSPropertyInfo member in record.Properties)
                if (member is PSNoteProperty)
                    AddMember(text, ref first, Values.WireName(member.Name), member.Value, depth);
            text.Append('}');
        }

        private static void AddTable(StringBuilder text, IDictionary table, int depth)
        {
            bool first = true;

            text.Append('{');
            foreach (DictionaryEntry member in table)
                AddMember(text, ref first, Values.WireName(Convert.ToString(member.Key, CultureInfo.InvariantCulture)), member.Value, depth);
            text.Append('}');
        }

        private static void AddList(StringBuilder text, IEnumerable list, int depth)
        {
            bool first = true;

            text.Append('[');
            foreach (object item in list)
            {
                if (!first)
                    text.Append(',');
                first = false;
                Add(text, item, depth + 1);
            }
            text.Append(']');
        }

        private static void AddString(StringBuilder text, string word)
        {
            text.Append('"');
            foreach (char letter in word)
            {
                if (letter == '"' || letter == '\\')
                    text.Append('\\').Append(letter);
                else if (letter < 0x20)
                    text.Append("\\u").Append(((int)letter).ToString("x4", CultureInfo.InvariantCulture));
                else
                    text.Append(letter);
            }
            text.Append('"');
        }
    }
}
