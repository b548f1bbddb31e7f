// What comes down the pipeline from the products' own cmdlets finds its parameter. Those objects arrive deserialized from a
// remote shell: only their members count.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Text.Json;
using Xunit;

namespace Umx.Tests;

[Collection("engine")]
public sealed class PipelineTests
{
    [Theory]
    [InlineData("Get-ExchangeServer")]
    [InlineData("Get-CsComputer")]
    [InlineData("Get-ADComputer")]
    public void Servers_come_from(string producer)
    {
        using var shell = Shell.Connected();
        var recorded = Recorded(producer);
        var wanted = recorded.Select(r => r.Properties.Any(p => p.Name == "Fqdn") ? r.Text("Fqdn") : r.Text("DNSHostName")).ToArray();
        foreach (var cmdlet in TakingServers(shell))
        {
            var outcome = shell.RunWith(recorded, "$input | " + cmdlet + " -ErrorAction Continue -WarningAction SilentlyContinue");
            Assert.True(outcome.Thrown is null, $"{cmdlet}: {outcome.Thrown?.Message}");
            Assert.All(outcome.Errors, e => Assert.False(e.FullyQualifiedErrorId.StartsWith("InputObjectNotBound", StringComparison.Ordinal) ||
                e.FullyQualifiedErrorId.Contains("ParameterBinding"), $"{cmdlet}: {e}"));
        }
        var agents = shell.RunWith(recorded, "$input | Get-UmxAgent").Good().Output.Select(a => a.Text("Server"));
        Assert.Equal(wanted.Order(StringComparer.Ordinal), agents.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Names_come_as_strings_and_with_patterns()
    {
        using var shell = Shell.Connected();
        var one = shell.Run("'" + Stage.ExchangeServer + "' | Get-UmxAgent").One();
        Assert.Equal(Stage.ExchangeServer, one.Text("Server"));
        Assert.Equal(Stage.Servers.Where(s => s.StartsWith("ly", StringComparison.Ordinal)),
            shell.Run("Get-UmxAgent ly*").Good().Output.Select(a => a.Text("Server")).Order(StringComparer.Ordinal));
        Assert.Equal(Stage.ExchangeServer, shell.Run("Get-UmxAgent COMBX1").One().Text("Server"));
    }

    [Fact]
    public void A_pattern_without_a_match_is_silent_and_a_name_is_an_error()
    {
        using var shell = Shell.Connected();
        Assert.Empty(shell.Run("Get-UmxAgent nosuch*").Good().Output);
        var error = shell.Run("Get-UmxAgent nosuch.contoso.test, " + Stage.LyncServer);
        Assert.Equal("nosuch.contoso.test", error.Error().TargetObject);
        Assert.Equal(ErrorCategory.ObjectNotFound, error.Error().CategoryInfo.Category);
        Assert.Single(error.Output); // the other one is there
    }

    [Fact]
    public void Members_are_always_there()
    {
        using var shell = Shell.Connected();
        var agents = shell.Run("Set-StrictMode -Version Latest; Get-UmxAgent").Good().Output;
        Assert.True(agents.Count >= Stage.Servers.Length);
        var names = agents.Select(a => string.Join(",", a.Properties.Select(p => p.Name))).Distinct().ToArray();
        Assert.Single(names);
        Assert.All(agents, a => Assert.Equal("Umx.Agent", a.TypeNames[0]));
    }

    /// Cmdlets that only look, and take servers from the pipeline by the members' names.
    static IEnumerable<string> TakingServers(Shell shell) =>
        Cmdlets.Of(shell).Where(c => (c.Verb is "Get" || c.Name is "Test-UmxServer") && c.Parameters.TryGetValue("Server", out var server) &&
            server.ParameterSets.Values.Any(s => s.ValueFromPipelineByPropertyName)).Select(c => c.Name);

    static PSObject[] Recorded(string producer)
    {
        var path = Path.Combine(Stage.Source, "tests/psmodule/recorded", producer + ".json");
        var document = JsonDocument.Parse(File.ReadAllText(path)).RootElement;
        var type = document.GetProperty("type").GetString()!;
        return [.. document.GetProperty("objects").EnumerateArray().Select(one =>
        {
            var record = new PSObject();
            record.TypeNames.Insert(0, type);
            foreach (var member in one.EnumerateObject())
                record.Properties.Add(new PSNoteProperty(member.Name, member.Value.ValueKind switch
                {
                    JsonValueKind.True => true,
                    JsonValueKind.False => false,
                    JsonValueKind.Number => member.Value.GetInt64(),
                    JsonValueKind.Array => member.Value.EnumerateArray().Select(v => v.GetString()).ToArray(),
                    JsonValueKind.Null => null,
                    _ => member.Value.GetString(),
                }));
            return record;
        })];
    }
}
