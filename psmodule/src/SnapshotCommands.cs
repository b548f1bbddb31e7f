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

        /// Fields that a record is known by, the first ones that it has.
        private static readonly string[][] Keys =
        {
            new[] { "target_dn", "sddl" }, new[] { "server", "store", "thumbprint" }, new[] { "server", "kind", "target_forest", "target" },
            new[] { "dn" }, new[] { "agent" }, new[] { "server", "log", "provider", "event_id", "logged_at" }, new[] { "server", "address", "port" },
            new[] { "server", "kind", "identity" }, new[] { "server", "identity" }, new[] { "server", "role" }, new[] { "server", "service" },
            new[] { "server", "pool", "member" }, new[] { "server", "sip_address" }, new[] { "server", "sid" }, new[] { "server", "name" },
            new[] { "forest", "meaning" }, new[] { "server" }, new[] { "forest" },
        };

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
            string[] names = Keys.FirstOrDefault(some => some.All(name => record[name] != null)) ?? record.Names.ToArray();
            return table + "\0" + string.Join("\0", names.Select(name => Convert.ToString(record[name], CultureInfo.InvariantCulture).ToLowerInvariant()));
        }

        internal static string Title(JsonObject record)
        {
            string[] names = Keys.FirstOrDefault(some => some.All(name => record[name] != null)) ?? new string[0];
            return string.Join(" ", names.Select(name => Convert.ToString(record[name], CultureInfo.InvariantCulture)));
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

            if (!ShouldProcess(path, "read the forests and write a snapshot"))
                return;
            try
            {
                using (var file = new OutputFile(path, Force))
                {
                    JsonObject end = Run("snapshot", null, (type, body) => lines.Add(JsonWriter.Text(body)), path);
                    if (end == null)
                        return;
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
                    JsonObject head = SnapshotFile.Read(path, (table, record) =>
                    {
                        if (Table != null && UmxCommand.MatchesAny(Table, table))
                            WriteObject(Values.Record(record, "Umx." + Values.MemberName(table)));
                    });
                    if (Table == null)
                        WriteObject(Made(path, head, head.Integer("records")));
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
            Dictionary<string, JsonObject> before = Load(ReferencePath), after = Load(DifferencePath);

            foreach (string key in before.Keys.Union(after.Keys))
            {
                before.TryGetValue(key, out JsonObject was);
                after.TryGetValue(key, out JsonObject now);
                if (was == null || now == null)
                    Write(key, was ?? now, was == null ? "added" : "removed", null, null, null);
                else
                    foreach (string field in SnapshotFile.Differences(was, now))
                        Write(key, now, "changed", field, was[field], now[field]);
            }
        }

        private Dictionary<string, JsonObject> Load(string path)
        {
            var records = new Dictionary<string, JsonObject>(StringComparer.Ordinal);
            string full = GetUnresolvedProviderPathFromPSPath(path);
            try
            {
                SnapshotFile.Read(full, (table, record) =>
                {
                    if (UmxCommand.MatchesAny(Table, table))
                        records[SnapshotFile.Key(table, record)] = record;
                });
            }
            catch (Exception problem) when (problem is FormatException || problem is IOException || problem is UnauthorizedAccessException)
            {
                ThrowTerminatingError(Failure.Record(Failure.Unreadable(full, problem), full));
            }
            return records;
        }

        private void Write(string key, JsonObject record, string change, string field, object before, object after)
        {
            var made = new PSObject();
            made.TypeNames.Insert(0, "Umx.SnapshotDifference");
            made.Properties.Add(new PSNoteProperty("Change", change));
            made.Properties.Add(new PSNoteProperty("Table", key.Split('\0')[0]));
            made.Properties.Add(new PSNoteProperty("Record", SnapshotFile.Title(record)));
            made.Properties.Add(new PSNoteProperty("Field", field != null ? Values.MemberName(field) : null));
            made.Properties.Add(new PSNoteProperty("Before", Values.Member(field ?? string.Empty, before)));
            made.Properties.Add(new PSNoteProperty("After", Values.Member(field ?? string.Empty, after)));
            WriteObject(made);
        }
    }
}
