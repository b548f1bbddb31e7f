using System.Collections.Generic;
using System.Management.Automation;

namespace Umx
{
    /// <summary>
    /// Cmdlets that list what one operation answers with, by name: names are collected from the whole pipeline, so that
    /// the controller is asked once.
    /// </summary>
    public abstract class ListCommand : UmxCommand
    {
        private readonly List<string> names = new List<string>();
        private readonly HashSet<string> found = new HashSet<string>();
        private bool all;

        internal abstract string Operation { get; }

        internal abstract string RecordType { get; }

        internal abstract string Noun { get; }

        /// The parameter with the names; null: all of them.
        internal abstract string[] Wanted { get; }

        internal abstract string NameOf(JsonObject record);

        /// Further conditions of the cmdlet.
        internal virtual bool Takes(JsonObject record) { return true; }

        internal virtual JsonObject Request() { return Arguments(); }

        internal virtual PSObject Make(JsonObject record) { return Values.Record(record, RecordType); }

        /// <summary>Collects names.</summary>
        protected override void ProcessRecord()
        {
            if (Wanted == null)
                all = true;
            else
                names.AddRange(Wanted);
        }

        /// <summary>Asks.</summary>
        protected override void EndProcessing()
        {
            if (!all && names.Count == 0)
                return;
            if (Run(Operation, Request(), Take) == null)
                return;
            MissingNames(names, found, Noun);
            Answered();
        }

        /// Everything was answered.
        internal virtual void Answered() { }

        private void Take(string type, object body)
        {
            if (!(body is JsonObject record))
                return;
            string name = NameOf(record);
            bool wanted = all && names.Count == 0;
            foreach (string one in names)
                if (Matches(one, name))
                {
                    found.Add(one);
                    wanted = true;
                }
            if (wanted && Takes(record))
                WriteObject(Make(record));
        }
    }
}
