"""The PowerShell module in the real engine: the tests of tests/psmodule (xunit), run once against a controller on the lab,
each of them a test here. UMX_PSMODULE_WRITE=1 writes what they keep (the list of parameters, the output in the help) anew."""

import hashlib
import json
import os
import re
import shutil
import threading
import time
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest
from conftest import CONTOSO, FABRIKAM, LYNC, ROOT

from stage.stage import AGENTS, OPERATORS, Stage

BUILD = Path(os.environ.get("UMX_BUILD", ROOT / "build"))
MODULE = BUILD / "psmodule" / "Umx"
TESTS = BUILD / "psmodule" / "tests" / "bin" / "Umx.Tests" / "release" / "Umx.Tests.dll"
OUTPUT = BUILD / "psmodule" / "results"
EXCHANGE_SERVER, LYNC_SERVER = "combx1.contoso.test", "lyfe1.lync.test"
SILENT = "coum10.contoso.test"  # known to nobody until a test installs its agent, and takes it away again
SPACE = {"t": "http://microsoft.com/schemas/VisualStudio/TeamTest/2010"}

pytestmark = pytest.mark.skipif(shutil.which("dotnet") is None, reason="no .NET SDK here: the module is not tested")


def facts():
    """Class.Method of every xunit test, from the sources: so each is a test here before any has run."""
    for file in sorted((ROOT / "tests" / "psmodule").glob("*.cs")):
        text = file.read_text()
        for match in re.finditer(r"\[(?:Fact|Theory)\b[^;{]*?public (?:async Task|void) (\w+)\(", text):
            owner = re.findall(r"^(?:public )?(?:sealed )?class (\w+)", text[:match.start()], re.MULTILINE | re.ASCII)
            owner = owner or re.findall(r"class (\w+)", text[:match.start()])
            yield f"{owner[-1]}.{match[1]}"


@pytest.fixture(scope="module")
def small_stage(fleet):
    """A controller with the agents of one pair of forests."""
    play = Stage(fleet, name="psmodule").make()
    play.start_controller()
    servers = [s["fqdn"] for s in play.lab["servers"] if s["forest"] in (CONTOSO[0], LYNC[0]) and s["fqdn"] != SILENT]
    play.start_agents(servers)
    play.wait_shells()
    yield play
    play.stop()


def give_package(play):
    """The controller was given a package once: no agent here takes one, so that it changes none."""
    package = play.home / "umx-agent.msi"
    package.write_bytes(b"no package at all\n" * 20000)
    package.with_name(package.name + ".umxsig").write_text(
        f"umx-release 1\npackage umx-agent\nversion 0.9.0\nkind msi\narchitecture x64\nsize {package.stat().st_size}\n"
        f"sha256 {hashlib.sha256(package.read_bytes()).hexdigest()}\ndowngrade no\nsignature {'00' * 64}\n")
    answer = play.umx(LYNC, "agents", "update", "--package", package, "--server", LYNC_SERVER)
    assert answer.code == 0, answer
    end = time.monotonic() + 120
    while (status := play.umx(LYNC, "agents", "update", "status").json)["state"] != "completed":
        assert time.monotonic() < end, status
        time.sleep(0.1)
    assert [s["state"] for s in status["servers"]] == ["skipped"], status
    return package


def ticket(play):
    """The ticket cache of the window's user, who is logged on to the first forest."""
    operator = play.lab["forests"][CONTOSO[0]]["operators"][CONTOSO[1]]
    cache = play.home / "user.ccache"
    answer = play.run("kinit", "-c", cache, "-k", "-t", operator["keytab"], operator["principal"], timeout=60)
    assert answer.code == 0, answer
    return cache


def serve(play, wishes, over):
    """Stops and starts agents that the tests name by a file, stop-FQDN or start-FQDN; it is gone when that is done."""
    while not over.wait(0.1):
        for wish in wishes.iterdir():
            verb, fqdn = wish.name.split("-", 1)
            getattr(play.agents[fqdn], verb)()
            wish.unlink()


@pytest.fixture(scope="module")
def results(small_stage):
    """{Class.Method: [(outcome, what it said)]} of the one run."""
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir(parents=True)
    package = give_package(small_stage)
    told = OUTPUT / "stage.json"
    told.write_text(json.dumps({
        "module": str(MODULE), "source": str(ROOT), "output": str(OUTPUT), "controller": OPERATORS,
        "lab": str(small_stage.lab_dir), "rewrite": os.environ.get("UMX_PSMODULE_WRITE") == "1",
        "identities": {who[0]: str(small_stage.login(*who)) for who in (CONTOSO, FABRIKAM, LYNC)},
        "root": str(small_stage.data / "root.pem"), "agent_program": str(small_stage.build / "umx-agent"), "agents": AGENTS,
        "agent_pids": {fqdn: agent.pid for fqdn, agent in small_stage.agents.items()},
        "umxd": str(small_stage.build / "umxd"), "data": str(small_stage.data), "package": str(package),
        "root_key": str(small_stage.data / "root" / "root.key"),
        "spare_server": SILENT, "spare_host": next(s["host_dir"] for s in small_stage.lab["servers"] if s["fqdn"] == SILENT),
        "servers": sorted(small_stage.agents), "exchange_server": EXCHANGE_SERVER, "lync_server": LYNC_SERVER}, indent=1))
    words = os.environ.get("UMX_PSMODULE_ONLY")
    (OUTPUT / "wishes").mkdir()
    over = threading.Event()
    hands = threading.Thread(target=serve, args=(small_stage, OUTPUT / "wishes", over))
    hands.start()
    answer = small_stage.run("dotnet", "vstest", TESTS, "--logger:trx;LogFileName=results.trx", f"--ResultsDirectory:{OUTPUT}",
                             *([f"--TestCaseFilter:{words}"] if words else []), timeout=900,
                             environment={"UMX_TEST_STAGE": str(told), "KRB5CCNAME": f"FILE:{ticket(small_stage)}",
                                          "DOTNET_CLI_TELEMETRY_OPTOUT": "1", "DOTNET_NOLOGO": "1"})
    over.set()
    hands.join()
    report = OUTPUT / "results.trx"
    assert report.exists(), answer
    found = {}
    for result in xml.parse(report).getroot().iterfind(".//t:UnitTestResult", SPACE):
        name = re.sub(r"\(.*", "", result.get("testName"), flags=re.DOTALL).rsplit(".", 2)
        said = "\n".join(text for part in ("t:Output/t:ErrorInfo/t:Message", "t:Output/t:ErrorInfo/t:StackTrace",
                                           "t:Output/t:StdOut") if (text := result.findtext(part, namespaces=SPACE)))
        found.setdefault(".".join(name[1:]), []).append((result.get("outcome"), said))
    assert found, answer
    return found


@pytest.mark.parametrize("fact", sorted(set(facts())))
def test_in_the_engine(results, fact):
    if os.environ.get("UMX_PSMODULE_ONLY") and fact not in results:
        pytest.skip("not asked for")
    assert fact in results, f"{fact} did not run"
    for outcome, said in results[fact]:
        assert outcome == "Passed", f"{outcome}\n{said}"
        print(said)


def test_no_result_is_left_out(results):
    assert set(results) <= set(facts()), set(results) - set(facts())
