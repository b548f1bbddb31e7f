// Ctrl+C: the pipeline ends at once, and the controller is told.
using System;
using System.Diagnostics;
using System.Linq;
using System.Management.Automation;
using System.Threading;
using Xunit;
using Xunit.Abstractions;

namespace Umx.Tests;

[Collection("engine")]
public sealed class StopTests(ITestOutputHelper output)
{
    // The promise is 200 ms; a machine that does ten other things gets more.
    static readonly TimeSpan bound = TimeSpan.FromSeconds(3);

    [Theory]
    [InlineData("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n")]   // nothing comes
    [InlineData("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT i FROM n LIMIT 900000")] // much comes
    public void A_query_ends_when_it_is_stopped(string sql)
    {
        using var shell = Shell.Connected();
        using var engine = shell.Make("Invoke-UmxQuery $args[0] -Timeout 60", sql);
        var running = engine.BeginInvoke();
        Thread.Sleep(700);
        Assert.False(running.IsCompleted);
        var clock = Stopwatch.StartNew();
        engine.Stop();
        clock.Stop();
        Assert.Equal(PSInvocationState.Stopped, engine.InvocationStateInfo.State);
        Assert.True(clock.Elapsed < bound, clock.Elapsed.ToString());
        output.WriteLine($"stopped in {clock.ElapsedMilliseconds} ms");
        Assert.Equal("1", shell.Run("Invoke-UmxQuery 'SELECT 1 AS n'").One().Text("n")); // the connection is good
    }

    [Fact]
    public void First_ones_wanted_end_the_rest()
    {
        using var shell = Shell.Connected();
        var clock = Stopwatch.StartNew();
        // A pipeline that another cmdlet ends from below (Select-Object -First does the same).
        var outcome = shell.Run("$n = 0; foreach ($i in 1) { Invoke-UmxQuery 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) " +
            "SELECT i FROM n LIMIT 900000' | ForEach-Object { if (++$n -ge 3) { break } } }; $n");
        Assert.Equal(3, Assert.Single(outcome.Good().Output).BaseObject);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(20), clock.Elapsed.ToString());
    }
}
