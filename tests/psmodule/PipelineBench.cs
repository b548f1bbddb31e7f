// Figures for tests/bench/pipeline; nothing is measured in a test run.
using System;
using System.Diagnostics;
using System.Linq;
using Xunit;
using Xunit.Abstractions;

namespace Umx.Tests;

[Collection("engine")]
public sealed class PipelineBench(ITestOutputHelper output)
{
    [Fact]
    public void Records_through_the_pipeline()
    {
        if (Environment.GetEnvironmentVariable("UMX_BENCH") is null)
            return;
        using var shell = new Shell();
        shell.Run("Connect-UmxController $args[0] -IdentityFile $args[1]", Stage.Controller, Stage.AnyIdentity).One();
        shell.Run("$null = Invoke-UmxQuery 'SELECT 1 AS one'").Good();
        foreach (var _ in Enumerable.Range(0, Stage.Number("runs")))
        {
            using var engine = shell.Make("$n = 0; Invoke-UmxQuery $args[0] | ForEach-Object { if (++$n -eq 1) { 'first' } }; $n", Stage.Text("sql"));
            var clock = Stopwatch.StartNew();
            var first = TimeSpan.Zero;
            var said = new System.Management.Automation.PSDataCollection<System.Management.Automation.PSObject>();
            said.DataAdded += (_, _) => { if (first == TimeSpan.Zero) first = clock.Elapsed; };
            engine.Invoke<System.Management.Automation.PSObject>(null, said);
            clock.Stop();
            Assert.Equal(Stage.Number("records"), said[^1].BaseObject);
            output.WriteLine(FormattableString.Invariant($"pipeline: {clock.Elapsed.TotalSeconds:F3} s, first record after {first.TotalSeconds:F3} s, ") +
                $"{Process.GetCurrentProcess().PeakWorkingSet64 >> 20} MiB");
        }
    }
}
