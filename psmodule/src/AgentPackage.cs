using System;
using System.Collections.Generic;

namespace Umx
{
    /// <summary>The silent commands of a server's kind: what installs the agent, what takes it away again.</summary>
    internal sealed class AgentPackage
    {
        // cmd waits for no program with windows, and msiexec is one.
        private const string MsiExec = "start \"\" /wait msiexec.exe ";
        internal const int RestartRequired = 3010; // of msiexec: done, and some file is replaced at the next start

        private readonly bool windows;
        private readonly string program;

        internal AgentPackage(bool onWindows, string givenProgram)
        {
            windows = onWindows;
            program = givenProgram ?? (windows ? @"%ProgramFiles%\umx\umx-agent.exe" : "umx-agent");
        }

        internal string Folder { get { return windows ? @"C:\Windows\Temp" : "/tmp"; } }

        internal string ConfigFile { get { return windows ? @"C:\ProgramData\umx\agent.ini" : "/etc/umx/agent.ini"; } }

        internal static string Join(string folder, string name)
        {
            char separator = folder.IndexOf('\\') >= 0 || folder.IndexOf('/') < 0 ? '\\' : '/';
            return folder.TrimEnd('\\', '/') + separator + name;
        }

        /// The configuration that a server without one gets.
        internal static string Configuration(string controller, string configFile)
        {
            int end = configFile.LastIndexOfAny(new[] { '\\', '/' });
            return "[agent]\ncontroller = " + controller + "\nidentity = " + Join(configFile.Substring(0, Math.Max(end, 0)), "identity.pem") + "\nhost = local\n";
        }

        /// Whether the package makes configuration, identity and service by itself, and takes all of it back when one fails.
        internal static bool DoesAll(string package) { return package != null && Ends(package, ".msi"); }

        /// Fails when the file that somebody brought there is another one.
        internal IEnumerable<string> Compare(string package, string hash)
        {
            yield return windows
                ? "powershell.exe -NoProfile -Command \"if ((Get-FileHash -LiteralPath '" + package.Replace("'", "''") + "').Hash -ne '" + hash + "') { throw 'another package' }\""
                : "echo " + Quoted(hash + "  " + package) + " | sha256sum --check";
        }

        /// All of it, by a package that does so.
        internal IEnumerable<string> InstallAll(string package, string agents, string operators, string tokenFile)
        {
            yield return MsiExec + "/i " + Quoted(package) + " /qn /norestart CONTROLLER=" + agents + " OPERATORS=" + operators + " TOKENFILE=" + Quoted(tokenFile);
        }

        /// The package, silently. Without one, or when it is no .deb, what it is runs itself.
        internal IEnumerable<string> Install(string package)
        {
            if (package == null)
                yield break;
            if (Ends(package, ".deb"))
                yield return "apt-get install --yes " + Quoted(package);
            else
                yield return windows ? Quoted(package) : "sh " + Quoted(package);
        }

        /// The enrolment, which needs nobody, and the service. A program of one's own has a service of one's own.
        internal IEnumerable<string> Enrol(string controller, string tokenFile, string configFile, bool service)
        {
            string enrol = Quoted(program) + " enroll --controller " + controller + " --token-file " + Quoted(tokenFile) + " --config " + Quoted(configFile);

            if (windows || !service)
                yield return enrol;
            else
            {
                yield return "chown umx-agent " + Quoted(tokenFile);
                yield return "runuser -u umx-agent -- " + enrol;
            }
            if (!service)
                yield break;
            if (windows)
            {
                yield return Quoted(program) + " --install --config " + Quoted(configFile);
                yield return "powershell.exe -NoProfile -Command Start-Service umx-agent";
            }
            else
                yield return "systemctl enable --now umx-agent";
        }

        /// Service and package; identity and configuration stay.
        internal IEnumerable<string> Uninstall(string package)
        {
            if (DoesAll(package))
                yield return MsiExec + "/x " + Quoted(package) + " /qn /norestart";
            else if (windows)
                yield return Quoted(program) + " --uninstall";
            else
                yield return package == null || Ends(package, ".deb") ? "apt-get remove --yes umx-agent" : "sh " + Quoted(package) + " remove";
        }

        private static bool Ends(string name, string extension) { return name.EndsWith(extension, StringComparison.OrdinalIgnoreCase); }

        private string Quoted(string word)
        {
            if (!windows)
                return word.IndexOfAny(new[] { ' ', '\'', '"', '$', '`', '\\', '&', ';', '(', ')' }) < 0 ? word : "'" + word.Replace("'", "'\\''") + "'";
            return "\"" + word + "\"";
        }
    }
}
