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

        /// What the command begins with that runs only when the file that somebody brought there is this one. PowerShell 2 can it too.
        internal string When(string package, string hash)
        {
            return windows
                ? "powershell.exe -NoProfile -Command \"if ([BitConverter]::ToString([Security.Cryptography.SHA256]::Create().ComputeHash([IO.File]::ReadAllBytes('" +
                  package.Replace("'", "''") + "'))).Replace('-', '') -ne '" + hash + "') { 'another package'; exit 1 }\" && "
                : "echo " + Quoted(hash + "  " + package) + " | sha256sum --check && ";
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
        internal IEnumerable<string> Enrol(string agents, string operators, string tokenFile, string configFile, bool service)
        {
            string enrol = Quoted(program) + " enroll --controller " + operators + " --token-file " + Quoted(tokenFile) + " --config " + Quoted(configFile);

            // Registered first: that closes the configuration's folder to everybody else, or refuses it.
            if (windows && service)
                yield return Quoted(program) + " --install --config " + Quoted(configFile) + " --controller " + agents;
            if (windows || !service)
                yield return enrol;
            else
            {
                yield return "chown umx-agent " + Quoted(tokenFile);
                yield return "runuser -u umx-agent -- " + enrol;
            }
            if (!service)
                yield break;
            yield return windows ? "powershell.exe -NoProfile -Command Start-Service umx-agent" : "systemctl enable --now umx-agent";
        }

        /// Service and package; identity and configuration stay, but for an .msi, which leaves them only when told. It may be another
        /// one than installed the agent, after an update: what is there is found by its name.
        internal IEnumerable<string> Uninstall(string package, bool keep)
        {
            if (DoesAll(package))
                yield return @"powershell.exe -NoProfile -Command ""$there = Get-ChildItem HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall | " +
                             "Where-Object { $_.GetValue('DisplayName') -eq 'umx agent' }; if (-not $there) { 'the package is not installed'; exit 1605 }; " +
                             "exit (Start-Process msiexec.exe -Wait -PassThru -ArgumentList '/x', @($there)[0].PSChildName, '/qn', '/norestart'" +
                             (keep ? ", 'KEEPSTATE=1'" : string.Empty) + ").ExitCode\"";
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
