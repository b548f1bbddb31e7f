// Snapshots are compared record by record: records that look alike are none less, and a snapshot that has gaps says so.
using System;
using System.IO;
using System.Linq;
using System.Management.Automation;
using Xunit;

namespace Umx.Tests;

[Collection("engine")]
public sealed class SnapshotTests : IDisposable
{
    readonly string folder = Directory.CreateDirectory(Path.Combine(Stage.Output, "snapshots")).FullName;
    readonly Shell shell = new();

    public SnapshotTests() => shell.GoTo(folder);

    public void Dispose() => shell.Dispose();

    /// A file of `table {record}` lines.
    void Save(string name, params string[] records) => File.WriteAllLines(Path.Combine(folder, name), [
        """{"snapshot":1,"taken_at":"2026-11-23T10:00:00Z","deployment":"lab"}""",
        .. records.Select(r => $$"""{"table":"{{r[..r.IndexOf(' ')]}}","record":{{r[(r.IndexOf(' ') + 1)..]}}}"""),
        $$"""{"records":{{records.Length}}}""",
    ]);

    string[] Differences(string[] before, string[] after)
    {
        Save("before.umx", before);
        Save("after.umx", after);
        return [.. shell.Run("Compare-UmxSnapshot before.umx after.umx").Good().Output.Select(Line)];
    }

    static string Line(PSObject row) =>
        string.Join(" ", new[] { "Change", "Table", "Record", "Field", "Before", "After" }.Select(row.Text)).TrimEnd();

    static string Proof(string forest, string status) =>
        $$"""proof {"server":"controller","kind":"trust","forest":"{{forest}}","target_forest":"lync.test","target":"dc1.lync.test","status":"{{status}}","duration":{{forest.Length}}}""";

    static string Listener(string protocol, string process) =>
        $$"""listener {"server":"ex1.contoso.test","protocol":"{{protocol}}","address":"0.0.0.0","port":5061,"process":"{{process}}"}""";

    static string Group(string meaning, string found) =>
        $$"""admin_group {"forest":"lync.test","meaning":"{{meaning}}","dn":"CN=All,DC=lync,DC=test","found_by":"{{found}}"}""";

    static string Entry(int position) =>
        $$"""access_entry {"forest":"lync.test","target_dn":"OU=UM,DC=lync,DC=test","position":{{position}},"sddl":"(A;;CC;;;S-1-5-21-1-2-3-4)"}""";

    static string Event(string text) =>
        $$"""event {"server":"ex1.contoso.test","log":"Application","provider":"MSExchange Unified Messaging","event_id":1400,"logged_at":"2026-11-23T09:00:00Z","message":"{{text}}","collected_at":"2026-11-23T09:0{{text.Length}}:00Z"}""";

    [Fact]
    public void Records_that_share_part_of_their_names_are_compared_each()
    {
        Assert.Equal(["changed proof controller trust contoso.test lync.test dc1.lync.test Status pass fail"],
            Differences([Proof("contoso.test", "pass"), Proof("fabrikam.test", "pass")], [Proof("contoso.test", "fail"), Proof("fabrikam.test", "pass")]));
        Assert.Equal(["changed listener ex1.contoso.test tcp 0.0.0.0 5061 Process umservice.exe other.exe"],
            Differences([Listener("tcp", "umservice.exe"), Listener("udp", "dns.exe")], [Listener("tcp", "other.exe"), Listener("udp", "dns.exe")]));
        Assert.Equal(["changed admin_group lync.test um_management FoundBy name configured"],
            Differences([Group("um_management", "name"), Group("domain_admins", "name")], [Group("um_management", "configured"), Group("domain_admins", "name")]));
    }

    [Fact]
    public void Two_equal_records_are_two()
    {
        const string What = "access_entry OU=UM,DC=lync,DC=test (A;;CC;;;S-1-5-21-1-2-3-4)";
        Assert.Empty(Differences([Entry(0), Entry(3)], [Entry(3), Entry(0)]));
        Assert.Equal(["removed " + What], Differences([Entry(0), Entry(3)], [Entry(3)]));
        Assert.Equal(["added " + What, "added " + What], Differences([Entry(0)], [Entry(1), Entry(0), Entry(2)]));
        Assert.Equal(["changed " + What + " Position 0 5"], Differences([Entry(0), Entry(3)], [Entry(3), Entry(5)]));
    }

    [Fact]
    public void What_has_no_key_is_compared_whole()
    {
        Assert.Empty(Differences([Event("one"), Event("two")], [Event("two"), Event("one")]));
        Assert.Equal(["added event ex1.contoso.test Application MSExchange Unified Messaging 1400 2026-11-23T09:00:00Z"],
            Differences([Event("one")], [Event("one"), Event("two")]));
        Assert.Equal(["removed yet_to_come ex1.contoso.test"], Differences(["""yet_to_come {"server":"ex1.contoso.test","colour":["red","blue"]}"""], []));
    }

    [Fact]
    public void A_table_that_is_not_there_is_an_error()
    {
        Save("before.umx", Proof("contoso.test", "pass"));
        Save("after.umx", Proof("contoso.test", "fail"));
        foreach (var command in new[] { "Compare-UmxSnapshot before.umx after.umx", "Get-UmxSnapshot before.umx" })
        {
            var outcome = shell.Run(command + " -Table prof, proof");
            Assert.StartsWith("UMX-1904,", outcome.Error().FullyQualifiedErrorId);
            Assert.Equal("prof", outcome.Error().TargetObject);
            Assert.Single(outcome.Output); // the other one is answered
            Assert.Empty(shell.Run(command + " -Table nosuch*, hunt_group").Good().Output);
        }
    }

    [Fact]
    public void Gaps_of_a_snapshot_are_told()
    {
        const string Read = """forest {"forest":"lync.test","incomplete":[]}""";
        Save("before.umx", Read, Group("um_management", "name"));
        Save("after.umx", """forest {"forest":"lync.test","error":"UMX-1201 no domain controller answers","incomplete":[]}""");
        Save("hidden.umx", """forest {"forest":"lync.test","incomplete":["admin_group: access denied"]}""");
        string[] Told(string rest) => [.. shell.Run("Compare-UmxSnapshot before.umx " + rest).Good().Warnings];

        Assert.Empty(Told("before.umx"));
        Assert.Contains("after.umx: lync.test could not be read", Assert.Single(Told("after.umx -Table admin_group")));
        Assert.Contains("hidden.umx: lync.test was read incompletely: admin_group: access denied", Assert.Single(Told("hidden.umx")));
        Assert.Empty(Told("hidden.umx -Table hunt_group"));
        Assert.Contains("incompletely", Assert.Single(shell.Run("Get-UmxSnapshot hidden.umx -Table admin_group").Good().Warnings));
    }
}
