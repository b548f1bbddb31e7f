// What administrators see: tables that fit their window, through a host of that width.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using Xunit;
using Xunit.Abstractions;

namespace Umx.Tests;

[Collection("engine")]
public sealed class ViewTests(ITestOutputHelper output)
{
    /// Looking at everything that has a table without arguments.
    public static readonly string[] Looks = ["Get-UmxAgent", "Get-UmxController", "Get-UmxTable", "Get-UmxQuery", "Get-UmxDiagnostic", "Get-UmxIdentity"];

    [Theory]
    [InlineData(80)]
    [InlineData(120)]
    public void Views_fit_the_window(int width)
    {
        using var shell = Shell.Connected(width: width);
        var looks = Looks.Where(l => shell.Run("Get-Command " + l.Split(' ')[0] + " -ErrorAction SilentlyContinue").Output.Count > 0).ToList();
        foreach (var look in looks)
        {
            var text = shell.Render(look);
            Assert.False(string.IsNullOrWhiteSpace(text), look);
            Assert.All(text.Split('\n'), line => Assert.True(line.TrimEnd().Length <= width, $"{look}: {line.Length}: {line}"));
        }
        output.WriteLine($"{looks.Count} views at {width} columns");
    }

    [Fact]
    public void A_table_of_agents_has_whole_names_at_120_columns()
    {
        using var shell = Shell.Connected(width: 120);
        var text = shell.Render("Get-UmxAgent");
        foreach (var server in Stage.Servers)
            Assert.Contains(server, text);
        Assert.Contains("connected", text);
    }
}
