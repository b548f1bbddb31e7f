using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation;

namespace Umx
{
    /// <summary>Writes what one operation answers into a file.</summary>
    public abstract class ExportCommand : UmxCommand
    {
        /// <summary>The file.</summary>
        [Parameter(Position = 1, Mandatory = true)]
        [ValidateNotNullOrEmpty]
        public string Path { get; set; }

        /// <summary>Replace the file that is there.</summary>
        [Parameter]
        public SwitchParameter Force { get; set; }

        /// <summary>Write the file's object.</summary>
        [Parameter]
        public SwitchParameter PassThru { get; set; }

        /// Fills the file; false when the operation failed, which is told then.
        internal abstract bool Fill(OutputFile file);

        internal abstract string What { get; }

        /// <summary>Exports.</summary>
        protected override void ProcessRecord()
        {
            string path = FullPath(Path);

            if (!ShouldProcess(path, "write " + What))
                return;
            try
            {
                using (var file = new OutputFile(path, Force))
                    if (Fill(file))
                    {
                        FileInfo written = file.Complete();
                        if (PassThru)
                            WriteObject(written);
                    }
            }
            catch (UmxException problem)
            {
                Fail(problem, path);
            }
        }
    }

    /// <summary>A plan with its bytes and journal: JSON, or a page of HTML.</summary>
    [Cmdlet(VerbsData.Export, "UmxPlan", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
    [OutputType(typeof(FileInfo))]
    public sealed class ExportUmxPlanCommand : ExportCommand
    {
        /// <summary>The plan.</summary>
        [Parameter(Position = 0, Mandatory = true, ValueFromPipelineByPropertyName = true)]
        [Alias("Plan", "Identity")]
        [ArgumentCompleter(typeof(PlanCompleter))]
        public string Name { get; set; }

        /// <summary>Json or Html; without it as the file's name ends.</summary>
        [Parameter]
        [ValidateSet("Json", "Html")]
        public string Format { get; set; }

        internal override string What { get { return "the plan " + Name; } }

        internal override bool Fill(OutputFile file)
        {
            bool html = Format != null ? Format.Equals("Html", StringComparison.OrdinalIgnoreCase)
                : Path.EndsWith(".html", StringComparison.OrdinalIgnoreCase) || Path.EndsWith(".htm", StringComparison.OrdinalIgnoreCase);
            JsonObject arguments = PlanCommandBase.NamedPlan(Name);

            arguments.Set("format", html ? "html" : "json");
            JsonObject end = Run("plan.export", arguments, (type, body) =>
            {
                if (type == "html")
                    file.Write(body as string);
            }, Name);
            if (end != null && !html)
                file.WriteLine(JsonWriter.Text(end["export"]));
            return end != null;
        }
    }

    /// <summary>The journal, an entry a line.</summary>
    [Cmdlet(VerbsData.Export, "UmxAuditLog", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
    [OutputType(typeof(FileInfo))]
    public sealed class ExportUmxAuditLogCommand : ExportCommand
    {
        /// <summary>Only entries of this plan.</summary>
        [Parameter(ValueFromPipelineByPropertyName = true)]
        [Alias("Name")]
        [Argument("plan")]
        [ArgumentCompleter(typeof(PlanCompleter))]
        public string Plan { get; set; }

        internal override string What { get { return "the journal" + (Plan != null ? " of " + Plan : string.Empty); } }

        internal override bool Fill(OutputFile file)
        {
            return Run("audit", GetUmxAuditLogCommand.Whole(Arguments()), (type, body) => file.WriteLine(JsonWriter.Text(body)), Plan) != null;
        }
    }

    /// <summary>The state of the phases and all findings, from a fresh reading: a page of HTML, CSV, or JSON.</summary>
    [Cmdlet(VerbsData.Export, "UmxReport", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
    [OutputType(typeof(FileInfo))]
    public sealed class ExportUmxReportCommand : ExportCommand
    {
        /// <summary>Only these phases.</summary>
        [Parameter]
        [Argument("phase")]
        [ArgumentCompleter(typeof(PhaseCompleter))]
        public string[] Phase { get; set; }

        /// <summary>EXCHANGE:LYNC.</summary>
        [Parameter]
        [Argument("pair")]
        [ArgumentCompleter(typeof(PairCompleter))]
        public string[] Pair { get; set; }

        /// <summary>SLUG.KEY=VALUE.</summary>
        [Parameter]
        [Argument("set")]
        public string[] Set { get; set; }

        /// <summary>Html, Csv or Json; without it as the file's name ends.</summary>
        [Parameter]
        [ValidateSet("Html", "Csv", "Json")]
        public string Format { get; set; }

        internal override string What { get { return "the findings of " + (Phase != null ? string.Join(", ", Phase) : "all phases"); } }

        internal override bool Fill(OutputFile file)
        {
            string format = (Format ?? FormatOf(Path)).ToLowerInvariant();
            JsonObject arguments = Arguments();

            if (format != "json")
            {
                arguments.Set("format", format);
                return Run("check", arguments, (type, body) =>
                {
                    if (type == format)
                        file.Write(body as string);
                }) != null;
            }
            var findings = new List<object>();
            JsonObject end = Run("check", arguments, (type, body) => findings.Add(body));
            if (end == null)
                return false;
            end.Set("findings", findings);
            file.WriteLine(JsonWriter.Text(end));
            return true;
        }

        private static string FormatOf(string path)
        {
            string ending = System.IO.Path.GetExtension(path).ToLowerInvariant();
            return ending == ".csv" ? "csv" : ending == ".json" ? "json" : "html";
        }
    }
}
