// The journal as the cmdlets give it: whole where it is exported, and counted by kind where kinds are asked for.
using System;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Text.Json;
using Xunit;

namespace Umx.Tests;

[Collection("engine")]
public sealed class AuditTests : IDisposable
{
    readonly Shell shell = Shell.Connected();

    public void Dispose()
    {
        shell.Run("Get-UmxToken -State active | Revoke-UmxToken -Confirm:$false");
        shell.Dispose();
    }

    long[] Numbers(string options) =>
        shell.Run("Get-UmxAuditLog " + options).Good().Output.Select(e => (long)e.Get("Sequence")!).ToArray();

    [Fact]
    public void First_counts_entries_of_the_kinds_that_were_asked_for()
    {
        // Two entries each: of the newest three, one is of another kind.
        shell.Run("1..4 | ForEach-Object { New-UmxToken audit.contoso.test -Forest contoso.test -Confirm:$false | Revoke-UmxToken -Confirm:$false }").Good();
        var created = Numbers("-Kind token_created");
        Assert.True(created.Length >= 4);
        Assert.Equal(created.TakeLast(3), Numbers("-Kind token_created -First 3"));
        Assert.Equal(created.TakeLast(3).Take(2), Numbers($"-Kind token_c* -After {created[^4]} -First 2"));
        Assert.Equal(created, Numbers("-Kind token_created -After 0"));
        Assert.Single(Numbers("-First 1"));
        Assert.Empty(Numbers("-Kind token_created -Plan nothing"));
    }

    [Fact]
    public void An_export_begins_with_the_first_entry_and_leaves_none_out()
    {
        var file = Path.Combine(Stage.Output, "journal.jsonl");
        var intact = shell.Run("Test-UmxAuditLog").One();
        shell.Run($"Export-UmxAuditLog -Path '{file}' -Force").Good();
        var numbers = File.ReadLines(file).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("sequence").GetInt64()).ToArray();
        Assert.True(numbers.Length >= (long)intact.Get("Entries")!);
        Assert.Equal(Enumerable.Range(1, numbers.Length).Select(n => (long)n), numbers);
    }
}
