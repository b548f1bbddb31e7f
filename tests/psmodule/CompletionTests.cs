// The tab key: quick, and never on the network's time.
using System;
using System.Diagnostics;
using System.Linq;
using System.Management.Automation;
using System.Threading;
using Xunit;
using Xunit.Abstractions;

namespace Umx.Tests;

[Collection("engine")]
public sealed class CompletionTests(ITestOutputHelper output)
{
    static string[] Complete(Shell shell, string line)
    {
        using var engine = shell.Make("");
        engine.Commands.Clear();
        return [.. CommandCompletion.CompleteInput(line, line.Length, null, engine).CompletionMatches.Select(m => m.CompletionText)];
    }

    /// The cache fills behind the prompt: whoever presses the key again sees it.
    static string[] Soon(Shell shell, string line, string wanted)
    {
        var clock = Stopwatch.StartNew();
        string[] got;
        while (!(got = Complete(shell, line)).Contains(wanted) && clock.Elapsed < TimeSpan.FromSeconds(20))
            Thread.Sleep(50);
        Assert.Contains(wanted, got);
        return got;
    }

    [Theory]
    [InlineData("Get-UmxAgent comb", "combx1.contoso.test")]
    [InlineData("Get-UmxAgent -Forest ly", "lync.test")]
    [InlineData("Get-UmxTable serv", "service")]
    [InlineData("Get-UmxAgent -State con", "connected")]
    public void Completes(string line, string wanted)
    {
        using var shell = Shell.Connected();
        Assert.All(Soon(shell, line, wanted), c => Assert.StartsWith(line.Split(' ')[^1], c, StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public void Without_a_connection_it_is_quick_and_silent()
    {
        using var shell = new Shell();
        Complete(shell, "Get-UmxAgent "); // the engine's own first time
        var clock = Stopwatch.StartNew();
        Complete(shell, "Get-UmxAgent comb");
        Complete(shell, "Get-UmxAgent -Forest ");
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(5), clock.Elapsed.ToString());
        output.WriteLine($"two completions without a connection: {clock.ElapsedMilliseconds} ms");
    }
}
