using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Text;

namespace Umx
{
    /// <summary>
    /// A world as a text file: a line of its own about it, then {"table","record"} a line, at the end the count, without
    /// which it was cut short.
    /// </summary>
    internal static class SnapshotFile
    {
        /// What every reading changes, and nobody did.
        private static readonly HashSet<string> Volatile = new HashSet<string>
        {
            "collected_at", "source", "age", "stale", "highest_usn", "clock_offset", "process_id", "duration", "last_report_at", "connected_at", "peer",
        };

        private static readonly string[] OfDirectory = { "forest", "dn" };

        /// What names a record, as `umx snapshot diff` has it. A table that is not here (event, or one that is yet to come) has
        /// no key: its records are compared whole.
        private static readonly Dictionary<string, string[]> Keys = new Dictionary<string, string[]>(StringComparer.Ordinal)
        {
            { "agent", new[] { "agent" } },
            { "server", new[] { "server" } },
            { "role", new[] { "server", "role" } },
            { "service", new[] { "server", "name" } },
            { "certificate", new[] { "server", "store", "thumbprint" } },
            { "listener", new[] { "server", "protocol", "address", "port" } },
            { "um_setting", new[] { "server", "service" } },
            { "lync_dial_plan", new[] { "server", "identity" } },
            { "lync_policy", new[] { "server", "kind", "identity" } },
            { "lync_pool_member", new[] { "server", "pool", "member" } },
            { "lync_user", new[] { "server", "sip_address" } },
            { "local_administrator", new[] { "server", "sid" } },
            { "proof", new[] { "server", "kind", "forest", "target_forest", "target" } },
            { "forest", new[] { "forest" } },
            { "domain", new[] { "forest", "domain" } },
            { "trust", new[] { "forest", "partner" } },
            { "admin_group", new[] { "forest", "meaning" } },
            { "access_entry", new[] { "forest", "target_dn", "sddl" } },
            { "exchange_server", OfDirectory }, { "dial_plan", OfDirectory }, { "ip_gateway", OfDirectory }, { "hunt_group", OfDirectory },
            { "auto_attendant", OfDirectory }, { "mailbox_policy", OfDirectory }, { "lync_pool", OfDirectory }, { "contact", OfDirectory },
            { "container", OfDirectory }, { "voice_user", OfDirectory }, { "mailbox_user", OfDirectory }, { "organizational_unit", OfDirectory },
        };

        /// What is shown of a record that has no key.
        private static readonly string[] Shown = { "forest", "server", "log", "provider", "event_id", "logged_at" };

        internal static JsonObject Read(string path, Action<string, JsonObject> take)
        {
            var reader = new JsonReader();
            JsonObject head = null;
            long records = 0;
            bool complete = false;

            foreach (string line in File.ReadLines(path, Encoding.UTF8))
            {
                byte[] bytes = Encoding.UTF8.GetBytes(line);
                var json = reader.Read(bytes, bytes.Length) as JsonObject;
                if (json == null || complete || (head == null) != (json["snapshot"] != null))
                    throw new FormatException("it is no snapshot of this module");
                if (head == null)
                    head = json;
                else if (json["records"] is long count)
                    complete = count == records ? true : throw new FormatException("records are missing");
                else
                {
                    records++;
                    take(json.Text("table") ?? string.Empty, json["record"] as JsonObject ?? throw new FormatException("a line without a record"));
                }
            }
            if (!complete)
                throw new FormatException("it was cut short");
            head.Set("records", records);
            return head;
        }

        internal static string Key(string table, JsonObject record)
        {
            IEnumerable<string> parts = Keys.TryGetValue(table, out string[] names)
                ? names.Select(name => JsonWriter.Text(record[name]))
                : record.Names.Where(name => !Volatile.Contains(name) && record[name] != null).Select(name => name + "=" + JsonWriter.Text(record[name]));
            return table + "\0" + string.Join("\0", parts).ToLowerInvariant();
        }

        internal static string Title(string table, JsonObject record)
        {
            IEnumerable<string> names = Keys.TryGetValue(table, out string[] known) ? known : Shown;
            if (names.Any(name => name.EndsWith("dn", StringComparison.Ordinal)))
                names = names.Where(name => name != "forest"); // the DN says it
            return string.Join(" ", names.Where(name => record[name] != null).Select(name => Convert.ToString(record[name], CultureInfo.InvariantCulture)));
        }

        internal static IEnumerable<string> Differences(JsonObject before, JsonObject after)
        {
            return before.Names.Union(after.Names).Where(name => !Volatile.Contains(name) && JsonWriter.Text(before[name]) != JsonWriter.Text(after[name]));
        }
    }

    /// <summary>Saves all that is known, from a fresh reading of the forests.</summary>
    [Cmdlet(VerbsCommon.New, "UmxSnapshot", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
    [OutputType("Umx.Snapshot")]
    public sealed class NewUmxSnapshotCommand : UmxCommand
    {
        /// <summary>The file.</summary>
        [Parameter(Position = 0, Mandatory = true)]
        [ValidateNotNullOrEmpty]
        public string Path { get; set; }

        /// <summary>Replace the file that is there.</summary>
        [Parameter]
        public SwitchParameter Force { get; set; }

        /// <summary>Saves.</summary>
        protected override void ProcessRecord()
        {
            string path = FullPath(Path);
            var lines = new List<string>();
            var gaps = new List<string>();

            if (!ShouldProcess(path, "read the forests and write a snapshot"))
                return;
            try
            {
                using (var file = new OutputFile(path, Force))
                {
                    JsonObject end = Run("snapshot", null, (type, body) =>
                    {
                        lines.Add(JsonWriter.Text(body));
                        if (body is JsonObject item && item.Text("table") == "forest" && item["record"] is JsonObject forest)
                            gaps.AddRange(Gap.Of(forest).Where(gap => gap.Table != null).Select(gap => gap.Says)); // of whole forests the controller has warned
                    }, path);
                    if (end == null)
                        return;
                    foreach (string gap in gaps)
                        WriteWarning(gap);
                    var head = new JsonObject();
                    head.Set("snapshot", 1L);
                    head.Set("taken_at", end["taken_at"]);
                    head.Set("deployment", end["deployment"]);
                    file.WriteLine(JsonWriter.Text(head));
                    foreach (string line in lines)
                        file.WriteLine(line);
                    var tail = new JsonObject();
                    tail.Set("records", (long)lines.Count);
                    file.WriteLine(JsonWriter.Text(tail));
                    WriteObject(GetUmxSnapshotCommand.Made(file.Complete().FullName, head, lines.Count));
                }
            }
            catch (UmxException problem)
            {
                Fail(problem, path);
            }
        }
    }

    /// <summary>What is in a snapshot: a summary, or the records of tables. Needs no controller.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxSnapshot")]
    [OutputType("Umx.Snapshot")]
    public sealed class GetUmxSnapshotCommand : PSCmdlet
    {
        /// <summary>Files.</summary>
        [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
        [Alias("FullName")]
        public string[] Path { get; set; }

        /// <summary>The records of these tables instead of a summary.</summary>
        [Parameter]
        [ArgumentCompleter(typeof(TableCompleter))]
        [SupportsWildcards]
        public string[] Table { get; set; }

        internal static PSObject Made(string path, JsonObject head, long records)
        {
            var made = new PSObject();
            made.TypeNames.Insert(0, "Umx.Snapshot");
            made.Properties.Add(new PSNoteProperty("Path", path));
            made.Properties.Add(new PSNoteProperty("TakenAt", Values.Member("taken_at", head["taken_at"])));
            made.Properties.Add(new PSNoteProperty("Deployment", head["deployment"]));
            made.Properties.Add(new PSNoteProperty("Records", records));
            return made;
        }

        /// <summary>Reads.</summary>
        protected override void ProcessRecord()
        {
            foreach (string one in Path)
            {
                string path = GetUnresolvedProviderPathFromPSPath(one);
                try
                {
                    var tables = new SnapshotTables(Table);
                    JsonObject head = SnapshotFile.Read(path, (table, record) =>
                    {
                        if (tables.Take(table, record) && Table != null)
                            WriteObject(Values.Record(record, "Umx." + Values.MemberName(table)));
                    });
                    if (Table == null)
                        WriteObject(Made(path, head, head.Integer("records")));
                    tables.Tell(this, path);
                    tables.Missing(this);
                }
                catch (Exception problem) when (problem is FormatException || problem is IOException || problem is UnauthorizedAccessException)
                {
                    WriteError(Failure.Record(Failure.Unreadable(path, problem), path));
                }
            }
        }
    }

    /// <summary>What changed between two snapshots. Needs no controller.</summary>
    [Cmdlet(VerbsData.Compare, "UmxSnapshot")]
    [OutputType("Umx.SnapshotDifference")]
    public sealed class CompareUmxSnapshotCommand : PSCmdlet
    {
        /// <summary>The earlier file.</summary>
        [Parameter(Position = 0, Mandatory = true)]
        public string ReferencePath { get; set; }

        /// <summary>The later one.</summary>
        [Parameter(Position = 1, Mandatory = true)]
        public string DifferencePath { get; set; }

        /// <summary>Only these tables.</summary>
        [Parameter]
        [ArgumentCompleter(typeof(TableCompleter))]
        [SupportsWildcards]
        public string[] Table { get; set; }

        /// <summary>Compares.</summary>
        protected override void ProcessRecord()
        {
            var tables = new SnapshotTables(Table);
            Dictionary<string, List<JsonObject>> before = Load(ReferencePath, tables), after = Load(DifferencePath, tables);

            foreach (string key in before.Keys.Union(after.Keys))
                Compare(key.Split('\0')[0], Of(before, key), Of(after, key));
            tables.Missing(this);
        }

        private static List<JsonObject> Of(Dictionary<string, List<JsonObject>> records, string key)
        {
            return records.TryGetValue(key, out List<JsonObject> some) ? some : new List<JsonObject>();
        }

        /// Records of one key. Those that are the same in both are left out, the others are compared in their order; what is
        /// more in one of both was removed, or added.
        private void Compare(string table, List<JsonObject> before, List<JsonObject> after)
        {
            var now = new List<JsonObject>(after);
            var was = before.Where(one => !TakeSame(now, one)).ToList();

            for (int i = 0; i < was.Count || i < now.Count; i++)
            {
                if (i >= was.Count || i >= now.Count)
                    Write(table, i < was.Count ? was[i] : now[i], i < was.Count ? "removed" : "added", null, null, null);
                else
                    foreach (string field in SnapshotFile.Differences(was[i], now[i]))
                        Write(table, now[i], "changed", field, was[i][field], now[i][field]);
            }
        }

        private static bool TakeSame(List<JsonObject> some, JsonObject record)
        {
            int at = some.FindIndex(one => !SnapshotFile.Differences(one, record).Any());

            if (at >= 0)
                some.RemoveAt(at);
            return at >= 0;
        }

        private Dictionary<string, List<JsonObject>> Load(string path, SnapshotTables tables)
        {
            var records = new Dictionary<string, List<JsonObject>>(StringComparer.Ordinal);
            string full = GetUnresolvedProviderPathFromPSPath(path);
            try
            {
                SnapshotFile.Read(full, (table, record) =>
                {
                    if (!tables.Take(table, record))
                        return;
                    string key = SnapshotFile.Key(table, record);
                    if (!records.TryGetValue(key, out List<JsonObject> some))
                        records[key] = some = new List<JsonObject>(1);
                    some.Add(record);
                });
            }
            catch (Exception problem) when (problem is FormatException || problem is IOException || problem is UnauthorizedAccessException)
            {
                ThrowTerminatingError(Failure.Record(Failure.Unreadable(full, problem), full));
            }
            tables.Tell(this, full);
            return records;
        }

        private void Write(string table, JsonObject record, string change, string field, object before, object after)
        {
            var made = new PSObject();
            made.TypeNames.Insert(0, "Umx.SnapshotDifference");
            made.Properties.Add(new PSNoteProperty("Change", change));
            made.Properties.Add(new PSNoteProperty("Table", table));
            made.Properties.Add(new PSNoteProperty("Record", SnapshotFile.Title(table, record)));
            made.Properties.Add(new PSNoteProperty("Field", field != null ? Values.MemberName(field) : null));
            made.Properties.Add(new PSNoteProperty("Before", Values.Member(field ?? string.Empty, before)));
            made.Properties.Add(new PSNoteProperty("After", Values.Member(field ?? string.Empty, after)));
            WriteObject(made);
        }
    }

    /// <summary>Which tables of snapshots are wanted, and what was not in them.</summary>
    internal sealed class SnapshotTables
    {
        private readonly string[] wanted;
        private readonly HashSet<string> known = new HashSet<string>(Schema.Tables, StringComparer.OrdinalIgnoreCase);
        private readonly List<Gap> gaps = new List<Gap>(); // of the file that is read

        internal SnapshotTables(string[] names) { wanted = names; }

        /// Whether a record's table is wanted.
        internal bool Take(string table, JsonObject record)
        {
            known.Add(table);
            if (table == "forest")
                gaps.AddRange(Gap.Of(record));
            return UmxCommand.MatchesAny(wanted, table);
        }

        /// At the end of a file: what could not be read when it was saved.
        internal void Tell(PSCmdlet by, string path)
        {
            foreach (Gap gap in gaps.Where(one => wanted == null || one.Table == null || wanted.Any(name => UmxCommand.Matches(name, one.Table))))
                by.WriteWarning(Path.GetFileName(path) + ": " + gap.Says);
            gaps.Clear();
        }

        internal void Missing(PSCmdlet by) { UmxCommand.MissingNames(by, wanted ?? new string[0], known, "table"); }
    }
}
