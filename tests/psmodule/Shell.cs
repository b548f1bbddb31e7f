// One runspace of the real engine with the module in it, as an administrator's window.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Runspaces;

namespace Umx.Tests;

sealed class Shell : IDisposable
{
    readonly Runspace runspace;
    public readonly RecordingHost Host;

    public Shell(int width = 120, CultureInfo? culture = null, bool import = true)
    {
        Host = new RecordingHost(width, culture);
        runspace = RunspaceFactory.CreateRunspace(Host, InitialSessionState.CreateDefault2());
        runspace.ThreadOptions = PSThreadOptions.ReuseThread;
        runspace.Open();
        if (import)
            Run("Import-Module $args[0]", Stage.Module).Good();
    }

    /// Connected as the operator of that forest.
    public static Shell Connected(string forest = "contoso.test", int width = 120, CultureInfo? culture = null)
    {
        var shell = new Shell(width, culture);
        shell.Connect(forest);
        return shell;
    }

    public PSObject Connect(string forest = "contoso.test") =>
        Run("Connect-UmxController $args[0] -IdentityFile $args[1]", Stage.Controller, Stage.Identity(forest)).One();

    /// The engine has no Set-Location without its management cmdlets.
    public void GoTo(string folder) => runspace.SessionStateProxy.Path.SetLocation(folder);

    public PowerShell Make(string script, params object?[] arguments)
    {
        var shell = PowerShell.Create();
        shell.Runspace = runspace;
        shell.AddScript(script);
        foreach (var argument in arguments)
            shell.AddArgument(argument);
        return shell;
    }

    /// Runs a script; $args are the arguments.
    public Outcome Run(string script, params object?[] arguments) => RunWith(null, script, arguments);

    public Outcome RunWith(IEnumerable<object>? input, string script, params object?[] arguments)
    {
        using var shell = Make(script, arguments);
        Exception? thrown = null;
        var output = new List<PSObject>();
        try
        {
            output.AddRange(input is null ? shell.Invoke() : shell.Invoke(input));
        }
        catch (RuntimeException error)
        {
            thrown = error;
        }
        return new Outcome(script, output, [.. shell.Streams.Error], [.. shell.Streams.Warning.Select(w => w.Message)],
            [.. shell.Streams.Verbose.Select(v => v.Message)], thrown as RuntimeException);
    }

    /// What the host shows of a script's output, without the escapes of colours.
    public string Render(string script, params object?[] arguments)
    {
        Host.Clear();
        using var shell = Make(". { " + script + "\n} @args", arguments);
        shell.AddCommand("Out-Default");
        shell.Commands.Commands[0].MergeMyResults(PipelineResultTypes.Error, PipelineResultTypes.Output);
        shell.Invoke();
        return System.Text.RegularExpressions.Regex.Replace(Host.Rendered, "\x1b\\[[0-9;]*m", "").Replace("\r\n", "\n");
    }

    public void Dispose() => runspace.Dispose();
}

sealed record Outcome(string Script, List<PSObject> Output, List<ErrorRecord> Errors, List<string> Warnings,
    List<string> Verbose, RuntimeException? Thrown)
{
    /// Nothing went wrong.
    public Outcome Good()
    {
        if (Thrown is not null)
            throw new InvalidOperationException($"{Script}: {Thrown.ErrorRecord.FullyQualifiedErrorId}: {Thrown.Message}", Thrown);
        if (Errors.Count > 0)
            throw new InvalidOperationException($"{Script}: {Errors[0].FullyQualifiedErrorId}: {Errors[0]}");
        return this;
    }

    public PSObject One()
    {
        Good();
        return Output.Count == 1 ? Output[0] : throw new InvalidOperationException($"{Script}: {Output.Count} objects, not one");
    }

    /// The one error, terminating or not.
    public ErrorRecord Error()
    {
        var all = Thrown is null ? Errors : [.. Errors, Thrown.ErrorRecord];
        return all.Count == 1 ? all[0] : throw new InvalidOperationException(
            $"{Script}: {all.Count} errors, not one: {string.Join("; ", all)}");
    }
}

static class Records
{
    public static object? Get(this PSObject record, string name)
    {
        var value = (record.Properties[name] ?? throw new InvalidOperationException(
            $"no member {name} among {string.Join(", ", record.Properties.Select(p => p.Name))}")).Value;
        return value is PSObject wrapped && wrapped.BaseObject is not PSCustomObject ? wrapped.BaseObject : value;
    }

    public static string Text(this PSObject record, string name) =>
        Convert.ToString(record.Get(name), CultureInfo.InvariantCulture) ?? "";
}
