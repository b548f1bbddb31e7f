using System;
using System.Globalization;
using System.Management.Automation;

namespace Umx
{
    /// <summary>Status of the C library (enum umx_status); its families decide the error's category.</summary>
    public enum UmxStatus
    {
        Ok = 0,
        Argument = -1,
        Memory = -2,
        Limit = -3,
        Format = -4,
        NotFound = -5,
        Exists = -6,
        Denied = -7,
        Unauthenticated = -8,
        Unreachable = -9,
        Timeout = -10,
        Cancelled = -11,
        Conflict = -12,
        Stale = -13,
        Uncertain = -14,
        Unsupported = -15,
        Io = -16,
        Internal = -17,
        Partial = -18,
    }

    /// <summary>What went wrong, as the controller, the library or the module says it.</summary>
    public sealed class UmxException : Exception
    {
        internal UmxException(string id, UmxStatus status, string what, string why, string remedy, string target)
            : base(Sentence(id, what, why))
        {
            Id = id;
            Status = status;
            What = what;
            Why = why;
            Remedy = remedy;
            Target = target;
        }

        /// <summary>Stable, for example UMX-1042: docs/errors.md explains it.</summary>
        public string Id { get; }

        /// <summary>Its family.</summary>
        public UmxStatus Status { get; }

        /// <summary>What it is about.</summary>
        public string What { get; }

        /// <summary>The reason.</summary>
        public string Why { get; }

        /// <summary>What to do next.</summary>
        public string Remedy { get; }

        /// <summary>Forest, server, plan or step that it is about; null when that is not known.</summary>
        public string Target { get; }

        private static string Sentence(string id, string what, string why)
        {
            return string.IsNullOrEmpty(what) ? id + ": " + why : id + ": " + what + ": " + why;
        }
    }

    /// <summary>Makes errors. Ids are those of native/base/errors.def.</summary>
    internal static class Failure
    {
        private static readonly ErrorCategory[] Categories =
        {
            ErrorCategory.NotSpecified, ErrorCategory.InvalidArgument, ErrorCategory.ResourceUnavailable,
            ErrorCategory.LimitsExceeded, ErrorCategory.InvalidData, ErrorCategory.ObjectNotFound,
            ErrorCategory.ResourceExists, ErrorCategory.PermissionDenied, ErrorCategory.AuthenticationError,
            ErrorCategory.ConnectionError, ErrorCategory.OperationTimeout, ErrorCategory.OperationStopped,
            ErrorCategory.ResourceBusy, ErrorCategory.InvalidOperation, ErrorCategory.InvalidResult,
            ErrorCategory.NotImplemented, ErrorCategory.ReadError, ErrorCategory.NotSpecified,
            ErrorCategory.InvalidResult,
        };

        internal static UmxException From(JsonObject body, int status)
        {
            if (body == null)
                return new UmxException("UMX-1002", (UmxStatus)status, null, "the library gave no reason", "report it with what you did", null);
            if (body["status"] is long said && status == 0)
                status = (int)said;
            string what = body.Text("what");
            return new UmxException(body.Text("id") ?? "UMX-1002", (UmxStatus)status, what, body.Text("why"),
                                    Remedies.ForCmdlets(body.Text("remedy")), body.Text("target") ?? what);
        }

        internal static UmxException NotConnected()
        {
            return new UmxException("UMX-1901", UmxStatus.Unauthenticated, null, "there is no connection to a controller",
                                    "Connect-UmxController HOST", null);
        }

        internal static UmxException NoSuchConnection(string name)
        {
            return new UmxException("UMX-1902", UmxStatus.NotFound, name, "there is no connection to this controller",
                                    "see Get-UmxController; Connect-UmxController makes one", name);
        }

        internal static UmxException Library(string what, string why)
        {
            return new UmxException("UMX-1903", UmxStatus.Unsupported, what, why,
                                    "install the module again, with the package for this system; Get-UmxDiagnostic tells more", null);
        }

        internal static UmxException Mismatch(string module, uint abi, string library, uint libraryAbi)
        {
            return new UmxException(
                "UMX-1605", UmxStatus.Unsupported,
                string.Format(CultureInfo.InvariantCulture, "module {0} (ABI {1}), library {2} (ABI {3})", module, abi, library, libraryAbi),
                "the library is of another version", "install one package of the module, whole, and start PowerShell again", null);
        }

        internal static UmxException NoMatch(string kind, string name)
        {
            return new UmxException("UMX-1904", UmxStatus.NotFound, name, "there is no such " + kind,
                                    "look for a typing error; a pattern such as *" + name + "* shows what there is", name);
        }

        internal static UmxException Ambiguous(string name, string[] meant)
        {
            return new UmxException("UMX-1905", UmxStatus.Argument, name, "it is the first label of several names: " + string.Join(", ", meant),
                                    "give the whole name", name);
        }

        internal static UmxException Invalid(string what, string why)
        {
            return new UmxException("UMX-1905", UmxStatus.Argument, what, why, "see Get-Help for the parameter", what);
        }

        internal static UmxException Silent(string server, string reason)
        {
            return new UmxException("UMX-1906", reason.StartsWith("timed out", StringComparison.Ordinal) ? UmxStatus.Timeout : UmxStatus.Unreachable,
                                    server, reason, "Get-UmxAgent " + server + " tells what is known of it", server);
        }

        internal static UmxException Unreadable(string path, Exception problem)
        {
            bool format = problem is FormatException;
            return new UmxException(format ? "UMX-1011" : "UMX-1008", format ? UmxStatus.Format : UmxStatus.Io, path, problem.Message,
                                    format ? "save the snapshot again" : "check the path and its permissions", path);
        }

        internal static ErrorCategory Category(UmxStatus status)
        {
            int at = -(int)status;
            return at >= 0 && at < Categories.Length ? Categories[at] : ErrorCategory.NotSpecified;
        }

        internal static ErrorRecord Record(UmxException problem, object target)
        {
            return new ErrorRecord(problem, problem.Id, Category(problem.Status), target ?? problem.Target)
            {
                ErrorDetails = new ErrorDetails(problem.Message) { RecommendedAction = problem.Remedy ?? string.Empty },
            };
        }
    }
}
