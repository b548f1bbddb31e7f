// What tests/system/test_psmodule.py tells of its stage: one JSON file, named by the environment.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;

namespace Umx.Tests;

static class Stage
{
    static readonly JsonElement facts = JsonDocument.Parse(File.ReadAllText(
        Environment.GetEnvironmentVariable("UMX_TEST_STAGE") ??
        throw new InvalidOperationException("run these tests with tests/system/test_psmodule.py"))).RootElement;

    public static string Module => Text("module");
    public static string Controller => Text("controller");
    /// The same controller by another name.
    public static string SecondAddress => "[::ffff:" + Controller.Replace(":", "]:");
    /// The root of the sources.
    public static string Source => Text("source");
    /// A folder for what tests write; what is in it afterwards is evidence.
    public static string Output => Text("output");
    /// The deployment's root certificate.
    public static string Root => Text("root");
    public static string Lab => Text("lab");
    /// Asked to write the kept lists and the help's output anew rather than to compare with them.
    public static bool Rewrite => facts.GetProperty("rewrite").GetBoolean();
    /// Every server that has an agent.
    public static string[] Servers => [.. facts.GetProperty("servers").EnumerateArray().Select(s => s.GetString()!)];
    /// The server that is played with: it is Exchange in the first forest.
    public static string ExchangeServer => Text("exchange_server");
    public static string LyncServer => Text("lync_server");

    /// Identity file of an operator, for example Identity("contoso.test").
    public static string Identity(string forest) => facts.GetProperty("identities").GetProperty(forest).GetString()!;

    public static string AnyIdentity => facts.GetProperty("identities").EnumerateObject().First().Value.GetString()!;
    /// The process of a server's agent.
    public static int AgentOf(string server) => facts.GetProperty("agent_pids").GetProperty(server).GetInt32();
    /// Has the agent of a server stopped or started: test_psmodule.py does it.
    public static void Ask(string verb, string server)
    {
        var wish = Path.Combine(Output, "wishes", verb + "-" + server);
        File.WriteAllText(wish, "");
        for (var waited = 0; File.Exists(wish); waited += 50)
        {
            if (waited > 60_000)
                throw new InvalidOperationException($"nobody did {verb} {server}");
            System.Threading.Thread.Sleep(50);
        }
    }

    public static int Number(string name) => facts.GetProperty(name).GetInt32();
    public static string Text(string name) => facts.GetProperty(name).GetString()!;
}
