using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Language;
using System.Threading;

namespace Umx
{
    /// <summary>
    /// Names that a controller had when it was asked last. Completion reads what is here and never waits: what is old is
    /// asked for again behind its back.
    /// </summary>
    internal sealed class Completions
    {
        private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(60);
        private readonly Controller controller;
        private readonly Dictionary<string, string[]> names = new Dictionary<string, string[]>();
        private DateTime asked = DateTime.MinValue;
        private int asking;

        internal Completions(Controller of) { controller = of; }

        internal string[] Get(string kind)
        {
            lock (names)
            {
                if (DateTime.UtcNow - asked > Fresh)
                    Refresh();
                return names.TryGetValue(kind, out string[] known) ? known : new string[0];
            }
        }

        internal void Refresh()
        {
            if (Interlocked.Exchange(ref asking, 1) != 0)
                return;
            asked = DateTime.UtcNow;
            new Thread(Ask) { IsBackground = true, Name = "umx names" }.Start();
        }

        private void Ask()
        {
            try
            {
                Column("server", "SELECT DISTINCT server AS name FROM agent");
                Column("forest", "SELECT DISTINCT forest AS name FROM forest");
                Column("pair", "SELECT DISTINCT exchange || ':' || lync AS name FROM phase_state");
                Column("plan", "SELECT name FROM plan");
                Operation("query.list", new JsonObject(), "query");
            }
            catch (Exception)
            {
                // no completion is no harm; the next command tells what is wrong
            }
            finally
            {
                Interlocked.Exchange(ref asking, 0);
            }
        }

        private void Column(string kind, string sql)
        {
            var arguments = new JsonObject();

            arguments.Set("sql", sql);
            Operation("query", arguments, kind);
        }

        private void Operation(string operation, JsonObject arguments, string kind)
        {
            var found = new List<string>();

            using (var asked = new Operation(controller, operation, arguments, 10000))
                while (asked.Take(out OperationEvent next) && next.Kind != EventKind.Failed)
                    if (next.Kind == EventKind.Item && next.Body is JsonObject row && row.Text("name") is string name)
                        found.Add(name);
            lock (names)
                names[kind] = found.Distinct().OrderBy(name => name, StringComparer.OrdinalIgnoreCase).ToArray();
        }
    }

    /// <summary>Completes from a list of names.</summary>
    public abstract class NameCompleter : IArgumentCompleter
    {
        internal abstract IEnumerable<string> Names(IDictionary bound);

        internal static Controller Chosen(IDictionary bound)
        {
            object given = bound != null && bound.Contains("Controller") ? bound["Controller"] : null;

            if (given is PSObject wrapped)
                given = wrapped.BaseObject;
            return given as Controller ?? (given is string name ? Connections.Here.Find(name) : Connections.Here.Default);
        }

        /// <summary>Called by the engine.</summary>
        public IEnumerable<CompletionResult> CompleteArgument(string commandName, string parameterName, string wordToComplete,
                                                              CommandAst commandAst, IDictionary fakeBoundParameters)
        {
            string word = (wordToComplete ?? string.Empty).Trim('\'', '"');
            var pattern = new WildcardPattern(word + "*", WildcardOptions.IgnoreCase | WildcardOptions.CultureInvariant);
            var results = new List<CompletionResult>();

            foreach (string name in Names(fakeBoundParameters))
            {
                if (!pattern.IsMatch(name))
                    continue;
                bool plain = name.All(letter => char.IsLetterOrDigit(letter) || letter == '.' || letter == '-' || letter == '_' || letter == ':');
                results.Add(new CompletionResult(plain ? name : "'" + name.Replace("'", "''") + "'", name, CompletionResultType.ParameterValue, name));
            }
            return results;
        }
    }

    /// <summary>Names of this kind that the controller had lately.</summary>
    public abstract class CachedCompleter : NameCompleter
    {
        internal abstract string Kind { get; }

        internal override IEnumerable<string> Names(IDictionary bound)
        {
            return Chosen(bound)?.Completions.Get(Kind) ?? new string[0];
        }
    }

    /// <summary>Open connections.</summary>
    public sealed class ControllerCompleter : NameCompleter
    {
        internal override IEnumerable<string> Names(IDictionary bound) { return Connections.Here.All.Select(one => one.Name); }
    }

    /// <summary>Servers with an agent.</summary>
    public sealed class ServerCompleter : CachedCompleter
    {
        internal override string Kind { get { return "server"; } }
    }

    /// <summary>Forests.</summary>
    public sealed class ForestCompleter : CachedCompleter
    {
        internal override string Kind { get { return "forest"; } }
    }

    /// <summary>Pairs of forests.</summary>
    public sealed class PairCompleter : CachedCompleter
    {
        internal override string Kind { get { return "pair"; } }
    }

    /// <summary>Plans.</summary>
    public sealed class PlanCompleter : CachedCompleter
    {
        internal override string Kind { get { return "plan"; } }
    }

    /// <summary>Saved queries.</summary>
    public sealed class QueryCompleter : CachedCompleter
    {
        internal override string Kind { get { return "query"; } }
    }

    /// <summary>Phases.</summary>
    public sealed class PhaseCompleter : NameCompleter
    {
        internal override IEnumerable<string> Names(IDictionary bound) { return Schema.Phases; }
    }

    /// <summary>Tables.</summary>
    public sealed class TableCompleter : NameCompleter
    {
        internal override IEnumerable<string> Names(IDictionary bound) { return Schema.Tables; }
    }

    /// <summary>Completes the last word of SQL: tables, and the columns of those that the text names already.</summary>
    public sealed class SqlCompleter : IArgumentCompleter
    {
        private static bool IsLetter(char letter) { return (letter < 128 && char.IsLetterOrDigit(letter)) || letter == '_'; }

        /// <summary>Called by the engine.</summary>
        public IEnumerable<CompletionResult> CompleteArgument(string commandName, string parameterName, string wordToComplete,
                                                              CommandAst commandAst, IDictionary fakeBoundParameters)
        {
            string word = wordToComplete ?? string.Empty;
            string quote = word.StartsWith("\"", StringComparison.Ordinal) ? "\"" : "'";
            string text = word.Trim('\'', '"');
            int start = text.Length;
            while (start > 0 && IsLetter(text[start - 1]))
                start--;
            string head = text.Substring(0, start), begun = text.Substring(start);
            string[] named = new string(text.Select(letter => IsLetter(letter) ? letter : ' ').ToArray()).Split(' ');
            IEnumerable<string> tables = parameterName == "Where" ? new[] { "server" } : Schema.Tables.Where(table => named.Contains(table, StringComparer.OrdinalIgnoreCase));
            IEnumerable<string> names = tables.SelectMany(table => Schema.Columns(table).Keys);
            if (parameterName != "Where")
                names = names.Concat(Schema.Tables);
            return names.Distinct().Where(name => name.StartsWith(begun, StringComparison.OrdinalIgnoreCase)).OrderBy(name => name, StringComparer.Ordinal)
                .Select(name => new CompletionResult(quote + head + name + quote, name, CompletionResultType.ParameterValue, name)).ToArray();
        }
    }
}
