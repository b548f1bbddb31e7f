// The other end of a remoting session, as `pwsh -sshs` is: the engine's own server on standard input and output. The engine's
// package has no console host, which would start it; so this program does, and the tests name it as their `ssh`.
using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Reflection;

namespace Umx.Tests;

static class RemoteEnd
{
    const string Word = "remote-end";

    static int Main(string[] arguments)
    {
        if (arguments is not [Word])
            return 2;
        var server = typeof(PowerShell).Assembly.GetType("System.Management.Automation.Remoting.Server.StdIOProcessMediator", throwOnError: true)!
            .GetMethod("Run", BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic)!;
        server.Invoke(null, [.. server.GetParameters().Select(p => p.ParameterType == typeof(bool) ? (object)false : null)]);
        return 0;
    }

    /// Puts an `ssh` on the path whose every host is a process here; New-PSSession -HostName then makes real sessions.
    public static IDisposable OnThePath()
    {
        var folder = Directory.CreateDirectory(Path.Combine(Stage.Output, "ssh")).FullName;
        var program = Path.Combine(folder, "ssh");
        File.WriteAllText(program, $"#!/bin/sh\nexec '{Process.GetCurrentProcess().MainModule!.FileName}' exec '{typeof(RemoteEnd).Assembly.Location}' {Word}\n");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var before = Environment.GetEnvironmentVariable("PATH");
        Environment.SetEnvironmentVariable("PATH", folder + ":" + before);
        return new Back(before);
    }

    sealed class Back(string? path) : IDisposable
    {
        public void Dispose() => Environment.SetEnvironmentVariable("PATH", path);
    }
}
