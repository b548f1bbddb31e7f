using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Runspaces;
using System.Security.Cryptography;

namespace Umx
{
    /// <summary>
    /// A server behind a remoting session that the administrator opened. What runs there is text of this file, in words that
    /// Windows PowerShell 2.0 has; values go as arguments, never into it. Files go through the session itself, in parts, and
    /// are compared by their hash: nothing else has to be open between the two.
    /// </summary>
    internal sealed class RemoteServer
    {
        private const int Part = 512 * 1024; // far below what an endpoint takes as one object

        private const string There =
            "param($session, $script, $values) Invoke-Command -Session $session -ErrorAction Stop -ArgumentList $values -ScriptBlock ([ScriptBlock]::Create($script))";

        private const string Look =
            "if ([IO.Path]::DirectorySeparatorChar -eq [char]92) { 'windows' } else { 'other' }; try { [Net.Dns]::GetHostEntry('').HostName } catch { [Environment]::MachineName }";

        private const string Append =
            "param($file, $bytes, $first) $mode = [IO.FileMode]::Append; if ($first) { $mode = [IO.FileMode]::Create; " +
            "$null = [IO.Directory]::CreateDirectory([IO.Path]::GetDirectoryName($file)) }; " +
            "$to = [IO.File]::Open($file, $mode, [IO.FileAccess]::Write); try { $to.Write($bytes, 0, $bytes.Length) } finally { $to.Close() }";

        private const string Hash =
            "param($file) $from = [IO.File]::OpenRead($file); try { [BitConverter]::ToString([Security.Cryptography.SHA256]::Create().ComputeHash($from)) } finally { $from.Close() }";

        /// A folder's owner alone reads what is in it: Windows' temporary folder is such a one, and elsewhere the file is made so.
        private const string Secret =
            "param($file, $text, $windows) [IO.File]::WriteAllText($file, ''); if (-not $windows) { [IO.File]::SetUnixFileMode($file, [IO.UnixFileMode]'UserRead, UserWrite') }; [IO.File]::WriteAllText($file, $text)";

        private const string WriteNew =
            "param($file, $text) if ([IO.File]::Exists($file)) { 'kept' } else { $null = [IO.Directory]::CreateDirectory([IO.Path]::GetDirectoryName($file)); " +
            "[IO.File]::WriteAllText($file, $text); 'written' }";

        private const string Delete = "param($file) [IO.File]::Delete($file)";

        /// Not by PowerShell's own call of programs: how quotes within an argument arrive is another matter in every version.
        private const string RunLine =
            "param($line, $windows) $start = [Activator]::CreateInstance([Diagnostics.ProcessStartInfo]); " +
            "if ($windows) { $start.FileName = $env:ComSpec; $start.Arguments = '/d /s /c \"' + $line + ' 2>&1\"' } " +
            "else { $start.FileName = '/bin/sh'; $start.Arguments = '-c \"exec 2>&1; ' + $line.Replace('\\', '\\\\').Replace('\"', '\\\"') + '\"' }; " +
            "$start.UseShellExecute = $false; $start.RedirectStandardOutput = $true; $process = [Diagnostics.Process]::Start($start); " +
            "$process.StandardOutput.ReadToEnd() -split '\\r?\\n'; $process.WaitForExit(); 'exit code ' + $process.ExitCode";

        private readonly CommandInvocationIntrinsics here;
        private readonly PSSession session;

        internal RemoteServer(CommandInvocationIntrinsics invoke, PSSession opened)
        {
            here = invoke;
            session = opened;
            string[] said = Ask(Look);
            IsWindows = said.Length > 0 && said[0] == "windows";
            Name = said.Length > 1 ? said[1] : opened.ComputerName;
        }

        internal bool IsWindows { get; }

        /// Its own full name, whatever the session was opened with.
        internal string Name { get; }

        internal void Copy(string from, string to)
        {
            using (FileStream file = File.OpenRead(from))
            using (SHA256 sha = SHA256.Create())
            {
                var part = new byte[Part];
                bool first = true;
                for (int length; (length = file.Read(part, 0, part.Length)) > 0 || first; first = false)
                    Ask(Append, to, length == part.Length ? part : part.Take(length).ToArray(), first);
                file.Position = 0;
                if (Ask(Hash, to).LastOrDefault() != BitConverter.ToString(sha.ComputeHash(file)))
                    throw new RuntimeException(to + " is not what was sent");
            }
        }

        internal void WriteSecret(string file, string text) { Ask(Secret, file, text, IsWindows); }

        /// Whether it was written: a file that is there stays.
        internal bool WriteIfNone(string file, string text) { return Ask(WriteNew, file, text).LastOrDefault() == "written"; }

        internal void Remove(string file) { Ask(Delete, file); }

        /// What a command line said; a RuntimeException when it ended with another code than the good ones.
        internal string[] Run(string line, params int[] good)
        {
            string[] said = Ask(RunLine, line, IsWindows);
            string end = said.LastOrDefault() ?? "no exit code";
            string[] lines = said.Take(Math.Max(0, said.Length - 1)).Where(one => one.Trim().Length > 0).ToArray();

            if (!new[] { 0 }.Concat(good).Any(code => end == "exit code " + code))
                throw new RuntimeException(end + " of: " + line + (lines.Length > 0 ? "\n" + string.Join("\n", lines) : string.Empty));
            return lines;
        }

        private string[] Ask(string script, params object[] values)
        {
            IEnumerable<PSObject> said = here.InvokeScript(There, false, PipelineResultTypes.None, null, session, script, values);
            return said.Where(one => one != null).Select(one => one.ToString()).ToArray();
        }
    }
}
