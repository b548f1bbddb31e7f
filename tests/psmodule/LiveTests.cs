// Questions to the agents themselves, and what a window shows while something takes its time.
using System;
using System.Diagnostics;
using System.Linq;
using System.Management.Automation;
using Xunit;

namespace Umx.Tests;

[Collection("engine")]
public sealed class LiveTests
{
    [Fact]
    public void Silent_servers_are_errors_that_name_them_and_the_others_answer()
    {
        string[] silent = [Stage.ExchangeServer, Stage.LyncServer];
        using var shell = Shell.Connected();
        Outcome outcome, one;
        try
        {
            Signal("-STOP", silent);
            outcome = shell.Run("Get-UmxService -Live -Timeout 3");
            one = shell.Run("Get-UmxService $args[0] -Live -Timeout 3 -ErrorAction Stop", silent[0]);
        }
        finally
        {
            Signal("-CONT", silent);
        }
        Assert.Null(outcome.Thrown);
        Assert.Equal(silent.Order(StringComparer.Ordinal), outcome.Errors.Select(e => (string)e.TargetObject).Order(StringComparer.Ordinal));
        Assert.All(outcome.Errors, e =>
        {
            Assert.StartsWith("UMX-1906,", e.FullyQualifiedErrorId);
            Assert.Contains(e.CategoryInfo.Category, new[] { ErrorCategory.OperationTimeout, ErrorCategory.ConnectionError });
            Assert.Contains("Get-UmxAgent " + e.TargetObject, e.ErrorDetails.RecommendedAction);
        });
        Assert.NotEmpty(outcome.Output.Select(s => s.Text("Server")).Except(silent)); // of the silent ones there is what was known before
        Assert.NotNull(one.Thrown); // where one error shall end it, it does
        Assert.Equal(silent[0], one.Thrown!.ErrorRecord.TargetObject);
    }

    [Fact]
    public void Progress_is_shown_at_most_four_times_a_second_and_always_ends()
    {
        using var shell = Shell.Connected();
        shell.Host.Clear();
        shell.Run("Test-UmxIntegration").Good();
        var shown = shell.Host.Progress.ToArray();
        Assert.NotEmpty(shown);
        foreach (var activity in shown.GroupBy(p => p.Record.ActivityId))
        {
            Assert.Equal(ProgressRecordType.Completed, activity.Last().Record.RecordType);
            var times = activity.Where(p => p.Record.RecordType == ProgressRecordType.Processing).Select(p => p.At).ToArray();
            Assert.All(times.Zip(times.Skip(1)), pair => Assert.True((pair.Second - pair.First).TotalMilliseconds >= 240, $"{pair}"));
            Assert.All(activity, p => Assert.InRange(p.Record.PercentComplete, -1, 100));
        }
    }

    static void Signal(string signal, string[] servers)
    {
        foreach (var server in servers)
            using (var kill = Process.Start("/bin/kill", [signal, Stage.AgentOf(server).ToString(System.Globalization.CultureInfo.InvariantCulture)]))
                kill.WaitForExit();
    }
}
