using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Linq;
using System.Management.Automation;
using System.Reflection;

namespace Umx
{
    /// <summary>A parameter that goes into the request under this name.</summary>
    [AttributeUsage(AttributeTargets.Property)]
    internal sealed class ArgumentAttribute : Attribute
    {
        internal ArgumentAttribute(string name) { Name = name; }

        internal string Name { get; }
    }

    /// <summary>
    /// Every cmdlet that asks a controller: parameters to a request, the answer's events to PowerShell's streams. Cmdlets
    /// below say which operation, and what becomes of its items.
    /// </summary>
    public abstract class UmxCommand : PSCmdlet
    {
        private const int ProgressEveryMilliseconds = 250;

        private readonly object gate = new object();
        private Operation running;
        private bool stopping;
        private Stopwatch lastProgress;

        /// <summary>The connection to use, or its name; the default one without it.</summary>
        [Parameter]
        [ControllerTransformation]
        [ArgumentCompleter(typeof(ControllerCompleter))]
        public Controller Controller { get; set; }

        internal Controller Connected
        {
            get
            {
                Controller one = Controller ?? Connections.Here.Default;
                if (one == null)
                    Terminate(Failure.NotConnected(), null);
                return one;
            }
        }

        internal bool IsStopping { get { return stopping; } }

        /// <summary>Ctrl+C: on another thread, and at once.</summary>
        protected override void StopProcessing()
        {
            lock (gate)
            {
                stopping = true;
                if (running != null)
                    running.Cancel();
            }
        }

        // ---- requests

        /// The parameters that were given and carry an Argument.
        internal JsonObject Arguments()
        {
            var made = new JsonObject();

            foreach (PropertyInfo property in GetType().GetProperties())
            {
                var argument = property.GetCustomAttribute<ArgumentAttribute>();
                object value = argument != null && property.GetCustomAttribute<ParameterAttribute>() != null ? property.GetValue(this) : null;
                if (value == null || (value is SwitchParameter given && !given.IsPresent))
                    continue;
                made.Set(argument.Name, value);
            }
            return made;
        }

        /// Runs an operation: items go to `item`, everything else to its stream. Its end, or null when it failed: the error is
        /// written then, about `target` when that is given.
        internal JsonObject Run(string operation, JsonObject arguments, Action<string, object> item, object target = null, int milliseconds = 0)
        {
            try
            {
                return RunOrThrow(operation, arguments, item, milliseconds);
            }
            catch (UmxException problem)
            {
                Fail(problem, target);
                return null;
            }
        }

        internal JsonObject RunOrThrow(string operation, JsonObject arguments, Action<string, object> item, int milliseconds = 0)
        {
            Operation started = Begin(operation, arguments ?? new JsonObject(), milliseconds);
            ProgressRecord shown = null;
            try
            {
                while (started.Take(out OperationEvent next))
                {
                    switch (next.Kind)
                    {
                        case EventKind.Item:
                            item?.Invoke(next.Type, next.Body);
                            break;
                        case EventKind.Progress:
                            ShowProgress(next.Body as JsonObject, ref shown);
                            break;
                        case EventKind.Verbose:
                            WriteVerbose(Sentence(next.Body));
                            break;
                        case EventKind.Warning:
                            WriteWarning(Sentence(next.Body));
                            break;
                        case EventKind.Error:
                            WriteError(Failure.Record(Failure.From(next.Body as JsonObject, 0), null));
                            break;
                        case EventKind.Failed:
                            throw next.Problem;
                        default:
                            return next.Body as JsonObject ?? new JsonObject();
                    }
                }
                throw new PipelineStoppedException();
            }
            finally
            {
                started.Dispose();
                lock (gate)
                    running = null;
                if (shown != null && !stopping)
                {
                    shown.RecordType = ProgressRecordType.Completed;
                    WriteProgress(shown);
                }
            }
        }

        private Operation Begin(string operation, JsonObject arguments, int milliseconds)
        {
            Controller controller = Connected;

            lock (gate)
            {
                if (stopping)
                    throw new PipelineStoppedException();
                return running = new Operation(controller, operation, arguments, milliseconds);
            }
        }

        // ---- streams

        /// At most four a second: a host spends longer on one than the operation.
        private void ShowProgress(JsonObject body, ref ProgressRecord shown)
        {
            if (body == null || (lastProgress != null && lastProgress.ElapsedMilliseconds < ProgressEveryMilliseconds))
                return;
            long done = body.Integer("done"), total = body.Integer("total");
            string activity = body.Text("activity");
            if (string.IsNullOrEmpty(activity))
                activity = MyInvocation.MyCommand?.Name ?? "umx";
            shown = new ProgressRecord(1, MyInvocation.MyCommand?.Name ?? "umx", activity)
            {
                PercentComplete = total > 0 ? (int)Math.Max(0, Math.Min(100, done * 100 / total)) : -1,
                CurrentOperation = total > 0 ? string.Format(CultureInfo.CurrentCulture, "{0} of {1}", done, total) : null,
            };
            lastProgress = Stopwatch.StartNew();
            WriteProgress(shown);
        }

        /// `UMX-1201: lync.test: no domain controller answers; what to do`.
        private static string Sentence(object body)
        {
            var json = body as JsonObject;

            if (json == null)
                return body as string ?? JsonWriter.Text(body);
            if (json.Text("id") == null)
                return json.Text("what") ?? json.Text("message") ?? JsonWriter.Text(json);
            UmxException problem = Failure.From(json, 0);
            return string.IsNullOrEmpty(problem.Remedy) ? problem.Message : problem.Message + "; " + problem.Remedy;
        }

        /// Not terminating for one target; terminating when nothing can work.
        internal void Fail(UmxException problem, object target)
        {
            if (problem.Status == UmxStatus.Cancelled && stopping)
                throw new PipelineStoppedException();
            if (problem.Status == UmxStatus.Unreachable || problem.Status == UmxStatus.Unauthenticated ||
                problem.Id == "UMX-1902" || problem.Id == "UMX-1903" || problem.Id == "UMX-1605")
                Terminate(problem, target ?? Controller?.Name ?? Connections.Here.Default?.Name);
            WriteError(Failure.Record(problem, target));
        }

        internal void Terminate(UmxException problem, object target)
        {
            ThrowTerminatingError(Failure.Record(problem, target));
        }

        // ---- names

        internal static bool IsPattern(string name)
        {
            return WildcardPattern.ContainsWildcardCharacters(name);
        }

        /// A name as the user gave it: a pattern, a literal, or the first label of a server's name.
        internal static bool Matches(string wanted, string name)
        {
            if (name == null)
                return false;
            if (IsPattern(wanted))
                return new WildcardPattern(wanted, WildcardOptions.IgnoreCase | WildcardOptions.CultureInvariant).IsMatch(name);
            string plain = WildcardPattern.Unescape(wanted);
            return string.Equals(plain, name, StringComparison.OrdinalIgnoreCase) ||
                   (plain.IndexOf('.') < 0 && name.StartsWith(plain + ".", StringComparison.OrdinalIgnoreCase));
        }

        /// Of records with a server the one that a literal name means, for what is done to one server alone. Whole names go
        /// before first labels, which several servers may have.
        internal static JsonObject Meant(string wanted, IEnumerable<JsonObject> records)
        {
            JsonObject[] some = records.Where(one => Matches(WildcardPattern.Escape(wanted), one?.Text("server"))).ToArray();
            JsonObject whole = some.LastOrDefault(one => string.Equals(one.Text("server"), wanted, StringComparison.OrdinalIgnoreCase));
            string[] servers = some.Select(one => one.Text("server")).Distinct(StringComparer.OrdinalIgnoreCase).ToArray();

            if (whole == null && servers.Length > 1)
                throw Failure.Ambiguous(wanted, servers);
            return whole ?? some.LastOrDefault();
        }

        internal static bool MatchesAny(IReadOnlyCollection<string> wanted, string name)
        {
            return wanted == null || wanted.Count == 0 || wanted.Any(one => Matches(one, name));
        }

        /// A literal name that nothing had is an error, a pattern is silent.
        internal void MissingNames(IEnumerable<string> wanted, ICollection<string> found, string kind)
        {
            MissingNames(this, wanted, found, kind);
        }

        internal static void MissingNames(Cmdlet by, IEnumerable<string> wanted, ICollection<string> found, string kind)
        {
            foreach (string name in wanted)
                if (!IsPattern(name) && !found.Contains(name))
                    by.WriteError(Failure.Record(Failure.NoMatch(kind, WildcardPattern.Unescape(name)), name));
        }

        /// The same for forests that an answer is limited to: of one that nobody knows it would be empty, as if all were well.
        internal void MissingForests(IEnumerable<string> wanted)
        {
            string[] literal = (wanted ?? new string[0]).Where(name => !string.IsNullOrEmpty(name) && !IsPattern(name))
                .Distinct(StringComparer.OrdinalIgnoreCase).ToArray();
            if (literal.Length > 0)
                MissingNames(literal, KnownNames.Forests(this, literal), "forest");
        }

        internal string FullPath(string path)
        {
            return GetUnresolvedProviderPathFromPSPath(path);
        }
    }
}
