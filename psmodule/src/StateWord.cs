using System;
using System.Collections.Generic;
using System.Management.Automation.Host;
using System.Reflection;

namespace Umx
{
    /// <summary>
    /// Words of state in tables: coloured where the engine knows how wide a coloured word is (PSStyle, 7.2 and later), its
    /// host shows colours and the user wants them. Everywhere else the bare word.
    /// </summary>
    public static class StateWord
    {
        private const string Green = "\x1b[32;1m", Yellow = "\x1b[33;1m", Red = "\x1b[31;1m", Reset = "\x1b[0m";

        private static readonly Dictionary<string, string> Colours = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase)
        {
            { "pass", Green }, { "done", Green }, { "connected", Green }, { "verified", Green }, { "completed", Green },
            { "running", Green }, { "active", Green }, { "approved", Green }, { "approve", Green }, { "current", Green }, { "complete", Green },
            { "warn", Yellow }, { "warning", Yellow }, { "partial", Yellow }, { "silent", Yellow }, { "suspended", Yellow },
            { "unknown", Yellow }, { "uncertain", Yellow }, { "intended", Yellow }, { "used_up", Yellow }, { "break_glass", Yellow },
            { "staged", Yellow }, { "start_pending", Yellow }, { "stop_pending", Yellow }, { "paused", Yellow }, { "unfinished", Yellow },
            { "fail", Red }, { "failed", Red }, { "missing", Red }, { "revoked", Red }, { "cancelled", Red }, { "expired", Red },
            { "drifted", Red }, { "deny", Red }, { "error", Red }, { "stopped", Red },
        };

        /// <summary>The word, as this host can show it.</summary>
        public static object Show(object word, PSHost host)
        {
            string text = word as string;
            return text != null && Colours.TryGetValue(text, out string colour) && CanColour(host) ? colour + text + Reset : word;
        }

        private static bool CanColour(PSHost host)
        {
            Type style = Type.GetType("System.Management.Automation.PSStyle, System.Management.Automation", false);
            object instance = style?.GetProperty("Instance", BindingFlags.Public | BindingFlags.Static)?.GetValue(null);
            string rendering = style?.GetProperty("OutputRendering")?.GetValue(instance)?.ToString();
            object terminal = host?.UI?.GetType().GetProperty("SupportsVirtualTerminal")?.GetValue(host.UI);
            return rendering != null && rendering != "PlainText" && terminal is bool able && able;
        }
    }
}
