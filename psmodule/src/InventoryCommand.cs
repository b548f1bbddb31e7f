using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Reflection;

namespace Umx
{
    /// <summary>A parameter that is a condition on this column.</summary>
    [AttributeUsage(AttributeTargets.Property)]
    internal sealed class ColumnAttribute : Attribute
    {
        internal ColumnAttribute(string name) { Name = name; }

        internal string Name { get; }
    }

    /// <summary>
    /// Records of one table. What the pipeline names is collected and asked for at once; what comes is looked at again,
    /// since SQL knows less of names than PowerShell does.
    /// </summary>
    public abstract class InventoryCommand : UmxCommand
    {
        private const int LettersInOneQuestion = 24 * 1024; // the controller takes 64 KiB
        private const int NamesInOneWish = 10;
        private static readonly string[] ForestColumns = { "forest", "exchange", "lync" };

        /// What one object of the pipeline, or the command line, asks for.
        private sealed class Wish
        {
            internal string[] Names;
            internal List<KeyValuePair<string, string[]>> Conditions;
        }

        private readonly List<Wish> wishes = new List<Wish>();
        private readonly HashSet<string> found = new HashSet<string>(StringComparer.OrdinalIgnoreCase);

        internal abstract string Table { get; }

        internal virtual string RecordType { get { return "Umx." + Values.MemberName(Table); } }

        internal abstract string Noun { get; }

        /// Columns that a name may stand in.
        internal abstract string[] NameColumns { get; }

        internal abstract string[] Names { get; }

        internal virtual bool IsLive { get { return false; } }

        internal virtual int? LiveTimeout { get { return null; } }

        /// <summary>Collects.</summary>
        protected override void ProcessRecord()
        {
            var conditions = new List<KeyValuePair<string, string[]>>();

            foreach (PropertyInfo property in GetType().GetProperties())
            {
                var column = property.GetCustomAttribute<ColumnAttribute>();
                if (column != null && property.GetValue(this) is string[] values && values.Length > 0)
                    conditions.Add(new KeyValuePair<string, string[]>(column.Name, values));
            }
            if (Names == null || Names.Length <= NamesInOneWish)
                wishes.Add(new Wish { Names = Names, Conditions = conditions });
            else
                for (int i = 0; i < Names.Length; i += NamesInOneWish)
                    wishes.Add(new Wish { Names = Names.Skip(i).Take(NamesInOneWish).ToArray(), Conditions = conditions });
        }

        /// <summary>Asks.</summary>
        protected override void EndProcessing()
        {
            bool answered = wishes.Count > 0;

            for (int first = 0, next; first < wishes.Count; first = next)
            {
                int letters = 0;
                for (next = first; next < wishes.Count && (next == first || letters < LettersInOneQuestion); next++)
                    letters += (ConditionOf(wishes[next]) ?? string.Empty).Length;
                answered &= Ask(wishes.GetRange(first, next - first), wishes.GetRange(0, first));
            }
            if (answered)
                Answered();
        }

        /// Everything was answered.
        internal virtual void Answered()
        {
            MissingForests(wishes.SelectMany(ForestsOf));
        }

        /// Whether something of this forest was wished for.
        internal bool IsAsked(string forest)
        {
            return wishes.Any(wish => !ForestsOf(wish).Any() || ForestsOf(wish).Any(one => Matches(one, forest)));
        }

        private static IEnumerable<string> ForestsOf(Wish wish)
        {
            return wish.Conditions.Where(one => ForestColumns.Contains(one.Key)).SelectMany(one => one.Value);
        }

        /// False when it failed, which is told then. What the earlier ones wished for has been written.
        private bool Ask(List<Wish> some, List<Wish> earlier)
        {
            var arguments = new JsonObject();

            arguments.Set("sql", Question(some));
            if (IsLive)
                arguments.Set("live", true);
            if (LiveTimeout != null)
                arguments.Set("timeout", (long)LiveTimeout.Value);
            string where = Where(some.SelectMany(wish => wish.Names ?? new string[0]).ToArray(), some.All(wish => wish.Names != null));
            if (where != null)
                arguments.Set("where", where);
            JsonObject end = Run("query", arguments, (type, body) =>
            {
                if (type == "rows" && body is JsonObject row && Wanted(row, some) && !Wanted(row, earlier))
                    WriteObject(Schema.Record(row, Table, RecordType));
                else if (type == "silent" && body is JsonObject silent)
                    WriteError(Failure.Record(Failure.Silent(silent.Text("agent"), silent.Text("reason") ?? "no answer"), silent.Text("agent")));
            });
            if (end != null)
                Missing(some.SelectMany(wish => wish.Names ?? new string[0]).Where(name => !found.Contains(name)).Distinct().ToArray());
            return end != null;
        }

        /// A literal name that no record has. A record that only the conditions leave out is there.
        internal virtual void Missing(string[] names)
        {
            string[] literal = names.Where(name => !IsPattern(name)).ToArray();

            if (literal.Length > 0 && wishes.Any(wish => wish.Conditions.Count > 0))
            {
                var arguments = new JsonObject();
                arguments.Set("sql", "SELECT " + string.Join(", ", NameColumns) + " FROM " + Table + " WHERE " + NamedAs(literal));
                JsonObject end = Run("query", arguments, (type, body) =>
                {
                    if (type == "rows" && body is JsonObject row)
                        Remember(row, literal);
                });
                if (end == null)
                    return;
            }
            MissingNames(literal, found, Noun);
        }

        /// The condition on the table `server` that goes beside the SQL.
        internal virtual string Where(string[] names, bool onlyThese) { return null; }

        private string Question(List<Wish> some)
        {
            string sql = "SELECT * FROM " + Table;
            string[] all = some.Select(wish => ConditionOf(wish)).ToArray();

            return all.Contains(null) ? sql : sql + " WHERE " + Sql.Any(all); // one wish for everything is enough
        }

        /// Null: everything.
        private string ConditionOf(Wish wish)
        {
            var conditions = new List<string>();

            if (wish.Names != null)
                conditions.Add(NamedAs(wish.Names));
            conditions.AddRange(wish.Conditions.Select(one => ConditionOf(one.Key, one.Value)));
            return conditions.Count > 0 ? "(" + string.Join(" AND ", conditions) + ")" : null;
        }

        private string NamedAs(string[] names)
        {
            return Sql.Any(NameColumns.Select(column => Sql.Like(column, names, true)));
        }

        private string ConditionOf(string column, string[] values)
        {
            if (column != "forest" || Schema.Columns(Table).ContainsKey("forest"))
                return Sql.Like(column, values, column == "server" || column == "forest");
            return "server IN (SELECT server FROM server WHERE " + Sql.Like("forest", values, true) + ")";
        }

        private bool Wanted(JsonObject row, List<Wish> some)
        {
            bool wanted = false;

            foreach (Wish wish in some)
            {
                if (!wish.Conditions.All(one => row[one.Key] == null && one.Key == "forest" || Sql.Matches(one.Value, AsText(row[one.Key]))))
                    continue;
                if (wish.Names == null)
                {
                    wanted = true;
                    continue;
                }
                wanted |= Remember(row, wish.Names);
            }
            return wanted;
        }

        /// Whether the row has one of the names; those that it has are found.
        private bool Remember(JsonObject row, string[] names)
        {
            string[] its = names.Where(name => NameColumns.Any(column => Sql.MatchesOne(name, AsText(row[column])))).ToArray();

            found.UnionWith(its);
            return its.Length > 0;
        }

        private static string AsText(object value)
        {
            return value as string ?? Convert.ToString(value, System.Globalization.CultureInfo.InvariantCulture);
        }
    }

    /// <summary>Records that agents report of their servers.</summary>
    public abstract class ServerRecordCommand : InventoryCommand
    {
        /// <summary>Servers.</summary>
        [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
        [Alias("Fqdn", "DNSHostName", "ComputerName", "Identity", "Name")]
        [ArgumentCompleter(typeof(ServerCompleter))]
        [SupportsWildcards]
        public string[] Server { get; set; }

        /// <summary>Forests that the servers are in.</summary>
        [Parameter]
        [Column("forest")]
        [ArgumentCompleter(typeof(ForestCompleter))]
        [SupportsWildcards]
        public string[] Forest { get; set; }

        /// <summary>Ask the agents now.</summary>
        [Parameter]
        public SwitchParameter Live { get; set; }

        /// <summary>Seconds that agents have for -Live.</summary>
        [Parameter]
        [ValidateRange(1, 100)]
        public int? Timeout { get; set; }

        internal override string Noun { get { return "server"; } }

        internal override string[] NameColumns { get { return new[] { "server" }; } }

        internal override string[] Names { get { return Server; } }

        internal override bool IsLive { get { return Live; } }

        internal override int? LiveTimeout { get { return Timeout; } }

        /// Only those that were named are asked.
        internal override string Where(string[] names, bool onlyThese)
        {
            if (!Live)
                return null;
            var conditions = new List<string>();
            if (onlyThese)
                conditions.Add(Sql.Like("server", names, true));
            if (Forest != null)
                conditions.Add(Sql.Like("forest", Forest, true));
            return conditions.Count > 0 ? string.Join(" AND ", conditions) : null;
        }

        /// A server that is known and has none of these records is no error.
        internal override void Missing(string[] names)
        {
            var known = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
            var literal = names.Where(name => !IsPattern(name)).ToArray();

            if (literal.Length == 0)
                return;
            var arguments = new JsonObject();
            arguments.Set("sql", "SELECT server FROM agent WHERE " + Sql.Like("server", literal, true));
            JsonObject end = Run("query", arguments, (type, body) =>
            {
                foreach (string name in literal)
                    if (type == "rows" && Matches(name, (body as JsonObject)?.Text("server")))
                        known.Add(name);
            });
            if (end != null)
                MissingNames(literal, known, Noun);
        }
    }

    /// <summary>Records that were read of a forest.</summary>
    public abstract class DirectoryRecordCommand : InventoryCommand
    {
        /// <summary>Names or distinguished names.</summary>
        [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
        [Alias("DistinguishedName", "Dn", "Name")]
        [SupportsWildcards]
        public string[] Identity { get; set; }

        /// <summary>Forests.</summary>
        [Parameter(ValueFromPipelineByPropertyName = true)]
        [Column("forest")]
        [ArgumentCompleter(typeof(ForestCompleter))]
        [SupportsWildcards]
        public string[] Forest { get; set; }

        internal override string[] NameColumns { get { return new[] { "name", "dn" }; } }

        internal override string[] Names { get { return Identity; } }

        /// What could not be read is not in the answer, and nothing else in it would say so.
        internal override void Answered()
        {
            var arguments = new JsonObject();

            base.Answered();
            if (Table == "forest")
                return; // its records tell
            arguments.Set("sql", "SELECT forest, error, incomplete FROM forest");
            Run("query", arguments, (type, body) =>
            {
                if (type == "rows" && body is JsonObject forest && IsAsked(forest.Text("forest")))
                    foreach (Gap gap in Gap.Of(Schema.Typed(forest, "forest")))
                        if (gap.Of(Table))
                            WriteWarning(gap.Says);
            });
        }
    }
}
