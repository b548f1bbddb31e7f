using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Management.Automation;

namespace Umx
{
    /// <summary>
    /// Rows for plan.create, from objects: those of Get-UmxPlanTemplate, or of Import-Csv, where all is text and lists are
    /// joined by ";". Empty cells count as unset. The controller validates each row and names the bad ones by number.
    /// </summary>
    internal static class InputRows
    {
        private static readonly string[] Tables = { "dial_plan", "auto_attendant", "user", "contact" };
        private static readonly string[] Lists = { "dial_plan.access_number", "auto_attendant.number" };
        private static readonly string[] Integers = { "dial_plan.digits" };

        internal static JsonObject Make(IEnumerable<PSObject> objects, string table)
        {
            var input = new JsonObject();
            long number = 0;

            foreach (PSObject one in objects)
            {
                string where = one.Properties["Table"]?.Value as string ?? table;
                number++;
                if (where == null || !Tables.Contains(where))
                    throw Failure.Invalid("InputObject", string.Format(CultureInfo.InvariantCulture, "row {0} does not say what it is; -Table does", number));
                var rows = input[where] as List<object>;
                if (rows == null)
                    input.Set(where, rows = new List<object>());
                rows.Add(Row(one, where, number));
            }
            return input;
        }

        private static JsonObject Row(PSObject from, string table, long number)
        {
            var row = new JsonObject();

            row.Set("row", number);
            foreach (PSPropertyInfo member in from.Properties)
            {
                string name = Values.WireName(member.Name);
                object value = member.Value is PSObject wrapped ? wrapped.BaseObject : member.Value;
                if (name == "table" || name == "row" || value == null || (value is string empty && empty.Length == 0))
                    continue;
                if (value is string text && Lists.Contains(table + "." + name))
                    value = text.Split(';').Select(item => item.Trim()).Where(item => item.Length > 0).ToArray();
                else if (value is string digits && Integers.Contains(table + "." + name) &&
                         long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long parsed))
                    value = parsed;
                row.Set(name, value);
            }
            return row;
        }
    }
}
