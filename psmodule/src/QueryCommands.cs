using System;
using System.Linq;
using System.Management.Automation;

namespace Umx
{
    /// <summary>Asks the fleet and the forests in SQL.</summary>
    [Cmdlet(VerbsLifecycle.Invoke, "UmxQuery", DefaultParameterSetName = "Sql")]
    [OutputType("Umx.Row")]
    public sealed class InvokeUmxQueryCommand : UmxCommand
    {
        /// <summary>One SELECT.</summary>
        [Parameter(Position = 0, Mandatory = true, ParameterSetName = "Sql", ValueFromPipeline = true)]
        [Argument("sql")]
        [Alias("Query")]
        [ArgumentCompleter(typeof(SqlCompleter))]
        [ValidateNotNullOrEmpty]
        public string Sql { get; set; }

        /// <summary>A saved query.</summary>
        [Parameter(Mandatory = true, ParameterSetName = "Name", ValueFromPipelineByPropertyName = true)]
        [Argument("name")]
        [ArgumentCompleter(typeof(QueryCompleter))]
        public string Name { get; set; }

        /// <summary>Ask the agents first.</summary>
        [Parameter]
        [Argument("live")]
        public SwitchParameter Live { get; set; }

        /// <summary>Condition on the table `server`.</summary>
        [Parameter]
        [Argument("where")]
        [ArgumentCompleter(typeof(SqlCompleter))]
        public string Where { get; set; }

        /// <summary>Seconds.</summary>
        [Parameter]
        [ValidateRange(1, 100)]
        [Argument("timeout")]
        public int? Timeout { get; set; }

        /// <summary>Runs it.</summary>
        protected override void ProcessRecord()
        {
            Run("query", Arguments(), Take, Name ?? Sql);
        }

        private void Take(string type, object body)
        {
            if (!(body is JsonObject row))
                return;
            if (type == "rows")
                WriteObject(Values.Row(row));
            else if (type == "silent")
                WriteError(Failure.Record(Failure.Silent(row.Text("agent"), row.Text("reason") ?? "no answer"), row.Text("agent")));
        }
    }

    /// <summary>Saved queries, and those that come with umx.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxQuery")]
    [OutputType("Umx.SavedQuery")]
    public sealed class GetUmxQueryCommand : ListCommand
    {
        internal override string Operation { get { return "query.list"; } }

        internal override string RecordType { get { return "Umx.SavedQuery"; } }

        internal override string Noun { get { return "saved query"; } }

        /// <summary>Names.</summary>
        [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
        [ArgumentCompleter(typeof(QueryCompleter))]
        [SupportsWildcards]
        public string[] Name { get; set; }

        internal override string[] Wanted { get { return Name; } }

        internal override string NameOf(JsonObject record) { return record.Text("name"); }
    }

    /// <summary>Keeps a query in the controller, for everybody.</summary>
    [Cmdlet(VerbsData.Save, "UmxQuery", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
    [OutputType("Umx.SavedQuery")]
    public sealed class SaveUmxQueryCommand : UmxCommand
    {
        /// <summary>Its name.</summary>
        [Parameter(Position = 0, Mandatory = true)]
        [Argument("name")]
        [ValidateNotNullOrEmpty]
        public string Name { get; set; }

        /// <summary>One SELECT.</summary>
        [Parameter(Position = 1, Mandatory = true)]
        [Argument("sql")]
        [ValidateNotNullOrEmpty]
        public string Sql { get; set; }

        /// <summary>What it answers.</summary>
        [Parameter]
        [Argument("description")]
        public string Description { get; set; }

        /// <summary>In the place of the one that has the name.</summary>
        [Parameter]
        [Argument("replace")]
        public SwitchParameter Replace { get; set; }

        /// <summary>Write the saved query.</summary>
        [Parameter]
        public SwitchParameter PassThru { get; set; }

        /// <summary>Saves.</summary>
        protected override void ProcessRecord()
        {
            if (!ShouldProcess(Name, "save the query"))
                return;
            Run("query.save", Arguments(), (type, body) =>
            {
                if (PassThru && type == "queries" && body is JsonObject query)
                    WriteObject(Values.Record(query, "Umx.SavedQuery"));
            }, Name);
        }
    }

    /// <summary>Deletes saved queries.</summary>
    [Cmdlet(VerbsCommon.Remove, "UmxQuery", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
    public sealed class RemoveUmxQueryCommand : UmxCommand
    {
        /// <summary>Names.</summary>
        [Parameter(Position = 0, Mandatory = true, ValueFromPipelineByPropertyName = true)]
        [ArgumentCompleter(typeof(QueryCompleter))]
        public string[] Name { get; set; }

        /// <summary>Deletes.</summary>
        protected override void ProcessRecord()
        {
            foreach (string name in Name)
                if (ShouldProcess(name, "delete the saved query"))
                {
                    var arguments = new JsonObject();
                    arguments.Set("name", name);
                    Run("query.delete", arguments, null, name);
                }
        }
    }

    /// <summary>The tables of queries, and their columns. Needs no controller.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxTable")]
    [OutputType("Umx.Table", "Umx.Column")]
    public sealed class GetUmxTableCommand : PSCmdlet
    {
        /// <summary>Names.</summary>
        [Parameter(Position = 0, ValueFromPipelineByPropertyName = true)]
        [ArgumentCompleter(typeof(TableCompleter))]
        [SupportsWildcards]
        public string[] Name { get; set; }

        /// <summary>The columns instead of the tables.</summary>
        [Parameter]
        public SwitchParameter Column { get; set; }

        /// <summary>Lists.</summary>
        protected override void ProcessRecord()
        {
            foreach (JsonObject table in Schema.TableRecords)
            {
                if (!UmxCommand.MatchesAny(Name, table.Text("name")))
                    continue;
                if (!Column)
                    WriteObject(Values.Record(table, "Umx.Table"));
                else
                    foreach (JsonObject column in Schema.List(table, "columns"))
                    {
                        PSObject made = Values.Record(column, "Umx.Column");
                        made.Properties.Add(new PSNoteProperty("Table", table.Text("name")));
                        WriteObject(made);
                    }
            }
            foreach (string name in Name ?? new string[0])
                if (!UmxCommand.IsPattern(name) && !Schema.Tables.Contains(name, StringComparer.OrdinalIgnoreCase))
                    WriteError(Failure.Record(Failure.NoMatch("table", name), name));
        }
    }
}
