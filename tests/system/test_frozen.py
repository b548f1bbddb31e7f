"""A frozen domain controller: every command returns by its deadline and names the forest; writes in flight are settled."""

import os
import signal
import time
from pathlib import Path

import pytest
from conftest import CONTOSO, LYNC
from plans import approve, create, finish, show, start, undo

from stage.programs import lab
from stage.stage import difference


def dc(stage, forest):
    return stage.lab["forests"][forest]["domain_controllers"][0]["fqdn"]


@pytest.mark.parametrize("command", [("check",), ("status",), ("plan", "create", "cold", "--phase", "exchucutil")])
def test_commands_return_and_name_the_forest(stage, fault, command):
    fault("freeze-dc", dc(stage, "fabrikam.test"))
    started = time.monotonic()
    answer = stage.umx(LYNC if command[0] != "plan" else CONTOSO, *command, timeout=110)
    seconds = time.monotonic() - started
    assert seconds < 90, seconds
    if command != ("status",):
        assert "fabrikam.test" in answer.err + answer.out
    if command[0] == "plan":
        assert answer.code != 0 and answer.error in ("UMX-1309", "UMX-1203", "UMX-1201"), answer
    # The other forests are still there.
    found = stage.umx(LYNC, "query", "SELECT forest FROM forest ORDER BY forest").json["rows"]
    assert [r["forest"] for r in found] == ["contoso.test", "fabrikam.test", "lync.test"]


def stopped_worker(stage, timeout=30):
    """The child of the controller that stopped itself at its stop point."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, parent = status.read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if state == "T" and int(parent) == stage.controller.pid:
                return int(status.parent.name)
        time.sleep(0.02)
    raise AssertionError("no worker came to its first write")


def restart(stage, environment=None):
    """Another controller; the last steps of a plan need the agents, so they are waited for."""
    assert stage.controller.stop() == 0
    stage.start_controller(environment=environment)
    end = time.monotonic() + 90
    while {a["state"] for a in stage.umx(LYNC, "agents").json["agents"]} != {"connected"}:
        assert time.monotonic() < end, stage.umx(LYNC, "agents")
        time.sleep(0.5)


def entry_of(stage, dn):
    done = lab(stage.lab_dir, "ldapsearch", "contoso.test", "-b", dn, "-s", "base", "dn", check=False)
    return "\ndn:" in "\n" + done.stdout


def test_a_write_in_flight_is_uncertain_and_settled_after_the_thaw(stage, fault):
    """A write is sent to a domain controller that is frozen: nothing is guessed, not by the controller that sent it and
    not by one that is started in between. After the thaw the write turns out to be done, and the plan ends well."""
    before = stage.dump("contoso.test")
    plan = create(stage, "cold-write", pair="contoso.test:lync.test")
    approve(stage, "cold-write")
    # The third write is the one: what was done before it must stay as it is.
    restart(stage, {"UMX_STOP_POINT": "directory:write:before:3"})
    start(stage, "cold-write")
    worker = stopped_worker(stage)
    fault("freeze-dc", dc(stage, "contoso.test"))
    os.kill(worker, signal.SIGCONT)
    started = time.monotonic()
    plan = finish(stage, "cold-write", timeout=90)
    assert time.monotonic() - started < 60
    assert plan["state"] == "suspended", plan["state"]
    assert [s["state"] for s in plan["steps"]].count("verified") == 2
    uncertain = [s for s in plan["steps"] if s["state"] == "uncertain"]
    assert len(uncertain) == 1 and {s["state"] for s in plan["steps"]} == {"verified", "uncertain", "pending"}
    step = uncertain[0]
    assert stage.umx(LYNC, "audit", "--plan", "cold-write").json["entries"][-1]["kind"] == "suspended"
    # Another controller does not guess either, and does not go on.
    restart(stage)
    answer = stage.umx(CONTOSO, "plan", "resume", "cold-write")
    # Which of the two depends on whether the question about the step or the one about the approvals comes first.
    assert answer.code != 0 and answer.error in ("UMX-1408", "UMX-1203") and "contoso.test" in answer.err, answer
    assert next(s for s in show(stage, "cold-write")["steps"] if s["id"] == step["id"])["state"] == "uncertain"
    lab(stage.lab_dir, "heal", timeout=120)
    if step["kind"] == "add":
        assert entry_of(stage, step["change"]["dn"]), "the domain controller carries out what it had received"
    answer = stage.umx(CONTOSO, "plan", "resume", "cold-write")
    assert answer.code == 0, answer
    plan = finish(stage, "cold-write")
    assert plan["state"] == "completed", [(s["summary"], s["error"]) for s in plan["steps"] if s["error"]]
    entries = [e for e in stage.umx(LYNC, "audit", "--plan", "cold-write").json["entries"] if e["step"] == step["id"]]
    assert [e["kind"] for e in entries] == ["intent", "uncertain", "settled", "verified"]
    assert entries[2]["outcome"] == "ours"
    undo(stage, "cold-write")
    assert difference(before, stage.dump("contoso.test")) == {}


def test_a_write_that_was_never_sent_is_sent_again(stage):
    """The worker dies with the write in its hands: the domain controller says that nothing was done, and it is done once."""
    create(stage, "lost-write", pair="contoso.test:lync.test")
    approve(stage, "lost-write")
    restart(stage, {"UMX_STOP_POINT": "directory:write:before:2"})
    start(stage, "lost-write")
    worker = stopped_worker(stage)
    os.kill(worker, signal.SIGKILL)
    # Its successor stops at its own second write; that one is only let go.
    os.kill(stopped_worker(stage), signal.SIGCONT)
    assert finish(stage, "lost-write")["state"] == "completed"
    entries = stage.umx(LYNC, "audit", "--plan", "lost-write").json["entries"]
    lost = [e["step"] for e in entries if e["kind"] == "uncertain"]
    assert len(lost) == 1
    story = [e for e in entries if e["step"] == lost[0]]
    assert [e["kind"] for e in story] == ["intent", "uncertain", "settled", "intent", "effect", "verified"]
    assert story[2]["outcome"] == "not_done"
    restart(stage)
    undo(stage, "lost-write")
