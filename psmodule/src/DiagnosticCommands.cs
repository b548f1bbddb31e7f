using System;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Runtime.InteropServices;

namespace Umx
{
    /// <summary>All that support would ask about this module, this session and this machine. Needs no controller.</summary>
    [Cmdlet(VerbsCommon.Get, "UmxDiagnostic")]
    [OutputType("Umx.Diagnostic")]
    public sealed class GetUmxDiagnosticCommand : PSCmdlet
    {
        /// <summary>Tells.</summary>
        protected override void ProcessRecord()
        {
            Library library = null;
            string problem = null;

            try
            {
                library = Library.Loaded;
            }
            catch (UmxException failed)
            {
                problem = failed.Message + "; " + failed.Remedy;
            }
            var made = new PSObject();
            made.TypeNames.Insert(0, "Umx.Diagnostic");
            Add(made, "ModuleVersion", Library.ModuleVersion);
            Add(made, "ModulePath", Path.GetDirectoryName(typeof(Library).Assembly.Location));
            Add(made, "ModuleAbi", (int)Library.Abi);
            Add(made, "LibraryVersion", library?.Version);
            Add(made, "LibraryAbi", library != null ? (int?)library.LibraryAbi : null);
            Add(made, "LibraryPath", Library.FilePath);
            Add(made, "LibraryFound", File.Exists(Library.FilePath));
            Add(made, "LibraryError", problem);
            Add(made, "RuntimeId", Library.RuntimeId);
            Add(made, "PowerShell", Engine("PSVersion"));
            Add(made, "Edition", Engine("PSEdition"));
            Add(made, "Framework", RuntimeInformation.FrameworkDescription);
            Add(made, "OperatingSystem", RuntimeInformation.OSDescription.Trim());
            Add(made, "Culture", System.Globalization.CultureInfo.CurrentCulture.Name);
            Add(made, "IdentityFile", ConnectUmxControllerCommand.DefaultIdentityFile);
            Add(made, "IdentityFileFound", File.Exists(ConnectUmxControllerCommand.DefaultIdentityFile));
            Add(made, "KerberosConfiguration", Environment.GetEnvironmentVariable("KRB5_CONFIG"));
            Add(made, "KerberosCache", Environment.GetEnvironmentVariable("KRB5CCNAME"));
            Add(made, "Connections", Connections.Here.All.ToArray());
            WriteObject(made);
        }

        private static void Add(PSObject made, string name, object value)
        {
            made.Properties.Add(new PSNoteProperty(name, value));
        }

        private string Engine(string name)
        {
            var table = SessionState.PSVariable.GetValue("PSVersionTable") as System.Collections.IDictionary;
            return table != null && table.Contains(name) ? table[name].ToString() : null;
        }
    }
}
