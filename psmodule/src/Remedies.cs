using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;

namespace Umx
{
    /// <summary>
    /// What errors and findings recommend names commands of the command line; here are the cmdlets for them. For display
    /// alone: nothing is decided by these texts, and a command with an option that has no parameter stays as it is.
    /// </summary>
    internal static class Remedies
    {
        /// Commands of `umx`, and the cmdlet that does the same.
        private static readonly Dictionary<string, string> Cmdlets = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            { "status", "Get-UmxStatus" },
            { "agents", "Get-UmxAgent" },
            { "agents held", "Get-UmxEnrollment" },
            { "agents accept", "Approve-UmxEnrollment" },
            { "agents reject", "Deny-UmxEnrollment" },
            { "agents revoke", "Revoke-UmxAgent" },
            { "agents forget", "Remove-UmxAgent" },
            { "agents update", "Update-UmxAgent" },
            { "agents update status", "Get-UmxAgentUpdate" },
            { "agents update pause", "Suspend-UmxAgentUpdate" },
            { "agents update resume", "Resume-UmxAgentUpdate" },
            { "agents update stop", "Stop-UmxAgentUpdate" },
            { "token create", "New-UmxToken" },
            { "token list", "Get-UmxToken" },
            { "token revoke", "Revoke-UmxToken" },
            { "query", "Invoke-UmxQuery" },
            { "query list", "Get-UmxQuery" },
            { "query run", "Invoke-UmxQuery -Name" },
            { "query save", "Save-UmxQuery" },
            { "query delete", "Remove-UmxQuery" },
            { "tables", "Get-UmxTable" },
            { "check", "Test-UmxIntegration" },
            { "phases", "Get-UmxPhase" },
            { "snapshot save", "New-UmxSnapshot" },
            { "snapshot diff", "Compare-UmxSnapshot" },
            { "plan template", "Get-UmxPlanTemplate" },
            { "plan create", "New-UmxPlan" },
            { "plan list", "Get-UmxPlan" },
            { "plan show", "Get-UmxPlan" },
            { "plan submit", "Submit-UmxPlan" },
            { "plan approve", "Approve-UmxPlan" },
            { "plan deny", "Deny-UmxPlan" },
            { "plan withdraw", "Revoke-UmxApproval" },
            { "plan start", "Start-UmxPlan" },
            { "plan confirm", "Confirm-UmxPlanStep" },
            { "plan result", "Get-UmxPlanStep" }, // whose records have all that a step has answered
            { "plan watch", "Watch-UmxPlan" },
            { "plan suspend", "Suspend-UmxPlan" },
            { "plan resume", "Resume-UmxPlan" },
            { "plan cancel", "Stop-UmxPlan" },
            { "plan undo", "Undo-UmxPlan" },
            { "plan export", "Export-UmxPlan" },
            { "plan delete", "Remove-UmxPlan" },
            { "audit", "Get-UmxAuditLog" },
            { "audit verify", "Test-UmxAuditLog" },
            { "grants show", "Get-UmxGrant" },
            { "ca status", "Get-UmxAuthority" },
            { "ca rotate", "Start-UmxAuthorityRotation" },
            { "ca rotate begin", "Start-UmxAuthorityRotation" },
            { "ca rotate complete", "Complete-UmxAuthorityRotation" },
            { "ca rotate rollback", "Undo-UmxAuthorityRotation" },
            { "login", "Connect-UmxController" },
            { "logout", "Disconnect-UmxController -RemoveIdentity" },
            { "whoami", "Get-UmxIdentity" },
            { "help", "Get-Help" },
        };

        /// Options, and parameters for them; `COMMAND --OPTION` goes before `--OPTION`. Those of `=` become a table's entry.
        private static readonly Dictionary<string, string> Parameters = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            { "--phase", "-Phase" }, { "--pair", "-Pair" }, { "--set", "-Set" }, { "--table", "-Table" },
            { "--ticket", "-Ticket" }, { "--comment", "-Comment" }, { "--hash", "-Hash" }, { "--forest", "-Forest" },
            { "--fqdn", "-Server" }, { "--pattern", "-Pattern" }, { "--uses", "-Uses" }, { "--expires", "-ExpiresAt" },
            { "--key", "-Key" }, { "login --key", "-KeyFile" }, { "--certificate", "-CertificateFile" }, { "--ca", "-RootFile" },
            { "--fingerprint", "-Fingerprint" }, { "--service", "-ServicePrincipalName" }, { "--root", "-Root" },
            { "--leave-behind", "-LeaveBehind" }, { "--live", "-Live" }, { "--where", "-Where" }, { "--timeout", "-Timeout" },
            { "--to-phase", "-ToPhase" }, { "--name", "-UndoName" }, { "--plan", "-Plan" }, { "--after", "-After" }, { "--limit", "-First" },
            { "--not-before", "-NotBefore" }, { "--not-after", "-NotAfter" }, { "--max-failures", "-MaxFailures" },
            { "--break-glass", "-BreakGlass" }, { "--replace", "-Replace" }, { "--description", "-Description" },
            { "--value", "=" }, { "--file", "=" },
            { "--input", "-InputObject $rows" }, { ">", "$rows = " },
        };

        /// The same advice with cmdlets in the places of commands.
        internal static string ForCmdlets(string remedy)
        {
            if (remedy == null)
                return null;
            if (remedy.StartsWith("umx ", StringComparison.Ordinal))
                return Cmdlet(remedy) ?? remedy;
            string[] parts = remedy.Split('`');
            for (int i = 1; i + 1 < parts.Length; i += 2)
                parts[i] = Cmdlet(parts[i]) ?? parts[i];
            return string.Join("`", parts);
        }

        /// The cmdlets alone, as they are typed; null when the advice has none.
        internal static string CommandsOf(string remedy)
        {
            string[] parts = (remedy ?? string.Empty).Split('`');
            string[] found = parts.Where((part, i) => i % 2 == 1 && i + 1 < parts.Length).Select(Cmdlet).Where(one => one != null).ToArray();
            return found.Length > 0 ? string.Join("; ", found) : null;
        }

        /// `umx plan create NAME --phase x` is New-UmxPlan NAME -Phase x; null for what is no such command.
        private static string Cmdlet(string command)
        {
            List<string> words = Words(command);
            if (words.Count < 2 || words[0] != "umx")
                return null;
            int taken = Math.Min(3, words.Count - 1);
            while (taken > 0 && !Cmdlets.ContainsKey(string.Join(" ", words.Skip(1).Take(taken))))
                taken--;
            string name = string.Join(" ", words.Skip(1).Take(taken));
            if (taken == 0 || Cmdlets[name] == null)
                return null;
            words.RemoveRange(0, taken + 1);
            return name == "help" ? Help(words) : Arguments(name, words);
        }

        private static string Help(List<string> words)
        {
            return "Get-Help " + (Cmdlets.TryGetValue(string.Join(" ", words), out string about) && about != null ? about : "about_Umx");
        }

        private static string Arguments(string name, List<string> words)
        {
            var made = new StringBuilder(Cmdlets[name]);
            string before = string.Empty, choice = null;

            if (name == "plan result")
            {
                words.RemoveRange(Math.Min(2, words.Count), Math.Max(0, words.Count - 2));
                choice = " | ForEach-Object Result";
            }
            for (int i = 0; i < words.Count; i++)
            {
                string word = words[i];
                if (word != ">" && !word.StartsWith("--", StringComparison.Ordinal))
                {
                    made.Append(' ').Append(word);
                    continue;
                }
                if (!Parameters.TryGetValue(name + " " + word, out string parameter) && !Parameters.TryGetValue(word, out parameter))
                    return null;
                if (parameter == "=" && ++i < words.Count)
                    made.Append(" -Value @{ ").Append(Entry(word, words[i], ref choice)).Append(" }");
                else if (parameter.StartsWith("$", StringComparison.Ordinal))
                    before = parameter; // what the file would hold is kept in a variable
                else
                    made.Append(' ').Append(parameter);
                if (parameter.IndexOf('$') >= 0)
                    i++;
            }
            return before + made + choice;
        }

        private static string Entry(string option, string given, ref string choice)
        {
            string[] entry = given.Split(new[] { '=' }, 2);
            string value = entry.Length > 1 ? entry[1] : string.Empty;

            if (option == "--file")
                return entry[0] + " = Get-Content " + value + " -Raw";
            string[] choices = value.Split('|');
            if (choices.Length > 1)
                choice = " # or " + string.Join(", ", choices.Skip(1).Select(one => "'" + one + "'"));
            return entry[0] + " = '" + choices[0] + "'";
        }

        /// Words as a shell takes them; quotes stay where they are.
        private static List<string> Words(string command)
        {
            var words = new List<string>();
            var word = new StringBuilder();
            bool quoted = false;

            foreach (char letter in command)
            {
                quoted ^= letter == '"';
                if (letter != ' ' || quoted)
                    word.Append(letter);
                else if (word.Length > 0)
                {
                    words.Add(word.ToString());
                    word.Clear();
                }
            }
            if (word.Length > 0)
                words.Add(word.ToString());
            return words;
        }
    }
}
