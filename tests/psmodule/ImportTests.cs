// Import costs next to nothing: it reads no file but its own, and asks nobody.
using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Management.Automation;
using Xunit;
using Xunit.Abstractions;

namespace Umx.Tests;

[Collection("engine")]
public sealed class ImportTests(ITestOutputHelper output)
{
    [Fact]
    public void Import_is_quick_beside_an_empty_module()
    {
        var empty = Directory.CreateDirectory(Path.Combine(Stage.Output, "Empty")).FullName;
        File.WriteAllText(Path.Combine(empty, "Empty.psm1"), "function Get-Nothing { }\n");
        File.WriteAllText(Path.Combine(empty, "Empty.psd1"),
            "@{ RootModule = 'Empty.psm1'; ModuleVersion = '1.0'; FunctionsToExport = @('Get-Nothing'); CmdletsToExport = @(); AliasesToExport = @() }\n");
        // The engine's first import of anything is its own affair; the median of several is ours.
        Time(empty);
        Time(Stage.Module);
        var nothing = Median(empty);
        var ours = Median(Stage.Module);
        output.WriteLine($"import: {ours.TotalMilliseconds:F0} ms, an empty module {nothing.TotalMilliseconds:F0} ms");
        Assert.True(ours - nothing < TimeSpan.FromSeconds(2), "the promise is 200 ms, on a machine that does nothing else");
    }

    [Fact]
    public void Import_connects_to_nobody_and_loads_no_library()
    {
        using var shell = new Shell();
        Assert.Empty(shell.Run("Get-UmxController").Good().Output);
        Assert.Empty(shell.Host.Rendered);
    }

    [Fact]
    public void What_is_exported_is_what_the_manifest_names()
    {
        using var shell = new Shell();
        var exported = shell.Run("(Get-Module Umx).ExportedCommands.Values").Good().Output.Select(c => c.Text("Name")).Order(StringComparer.Ordinal).ToArray();
        var manifest = File.ReadAllText(Path.Combine(Stage.Module, "Umx.psd1"));
        Assert.All(exported, name => Assert.Contains($"'{name}'", manifest));
        Assert.Equal(exported, Cmdlets.Of(shell).Select(c => c.Name).ToArray());
        // Every cmdlet class is exported.
        var classes = Cmdlets.Of(shell)[0].ImplementingType.Assembly.GetTypes()
            .Select(t => (CmdletAttribute?)Attribute.GetCustomAttribute(t, typeof(CmdletAttribute))).Where(a => a is not null)
            .Select(a => $"{a!.VerbName}-{a.NounName}").Order(StringComparer.Ordinal).ToArray();
        Assert.Equal(classes, exported);
    }

    [Fact]
    public void It_can_be_removed_and_imported_again()
    {
        using var shell = Shell.Connected();
        shell.Run("Remove-Module Umx").Good();
        shell.Run("Import-Module $args[0]", Stage.Module).Good();
        Assert.Empty(shell.Run("Get-UmxController").Good().Output);
        shell.Connect();
        Assert.NotEmpty(shell.Run("Get-UmxAgent").Good().Output);
    }

    static TimeSpan Median(string module) => Enumerable.Range(0, 7).Select(_ => Time(module)).Order().ElementAt(3);

    static TimeSpan Time(string module)
    {
        using var shell = new Shell(import: false);
        using var engine = shell.Make("Import-Module $args[0]", module);
        var clock = Stopwatch.StartNew();
        engine.Invoke();
        return engine.HadErrors ? throw new InvalidOperationException(engine.Streams.Error[0].ToString()) : clock.Elapsed;
    }
}
