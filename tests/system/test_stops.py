"""Plans that stop before their end, and how they go on: denied writes, suspended, overlapped, cancelled."""

import time

import pytest
from conftest import CONTOSO, LYNC
from plans import (OUTDIAL, approve, assert_effect_is_preview, changed, create, descriptor_of, dn_of, dumps, finish, refused,
                   show, sid_of, start, undo, write_dacl)


def test_access_denied_on_one_container(stage):
    """The writer may not write in one container: the rest of the plan goes on, and resume does what was left."""
    before = dumps(stage)
    container = dn_of("contoso.test", before, "CN=UM IPGateway Container")
    values = before["contoso.test"][container]["nTSecurityDescriptor"]
    writer = before["contoso.test"][dn_of("contoso.test", before, "CN=umx-writer")]["objectSid"]
    sid = sid_of(writer)
    aces = descriptor_of(values).dacl.aces
    plan = create(stage, "denied", OUTDIAL, arguments=["--max-failures", "20"])
    inside = {s["id"] for s in plan["steps"] if s["forest"] == "contoso.test" and s["change"]["dn"]
              and s["change"]["dn"].endswith("," + container)}
    failed = {s["id"] for s in plan["steps"] if s["id"] in inside and not inside & set(s["depends"])}
    skipped = set()
    for step in plan["steps"]:
        if set(step["depends"]) & (failed | skipped):
            skipped.add(step["id"])
    approve(stage, "denied")
    write_dacl(stage, "contoso.test", container, [a for a in aces if str(a.trustee) != sid], values)
    try:
        start(stage, "denied")
        plan = finish(stage, "denied")
    finally:
        write_dacl(stage, "contoso.test", container, aces, values)
    states = {s["id"]: s["state"] for s in plan["steps"]}
    assert plan["state"] == "failed"
    assert {i for i, state in states.items() if state == "failed"} == failed and failed
    assert {i for i, state in states.items() if state == "skipped"} == skipped and inside - failed <= skipped
    assert {state for i, state in states.items() if i not in failed | skipped} == {"verified"}
    entries = stage.umx(LYNC, "audit", "--plan", "denied").json["entries"]
    why = {e["step"]: e for e in entries if e["kind"] == "step_failed"}
    assert set(why) == failed
    targets = {s["id"]: s["change"]["dn"] for s in plan["steps"]}
    for step, entry in why.items():
        assert entry["error"] == "UMX-1204" and targets[step] in entry["detail"], entry
    assert {e["step"] for e in entries if e["kind"] == "step_skipped"} == skipped
    assert stage.umx(CONTOSO, "plan", "resume", "denied").code == 0
    plan = finish(stage, "denied")
    assert plan["state"] == "completed" and {s["state"] for s in plan["steps"]} == {"verified"}
    assert_effect_is_preview(plan, before, dumps(stage))
    undo(stage, "denied")
    assert changed(before, dumps(stage)) == {}


@pytest.fixture
def waiting(stage):
    """The agent of one Front End is away: its restart is a gate, and a plan that comes so far waits for a person."""
    fqdn = "se1.lync.test"
    stage.agents[fqdn].stop()
    end = time.monotonic() + 20
    query = f"SELECT state FROM agent WHERE server = '{fqdn}'"
    while stage.umx(LYNC, "query", query).json["rows"][0]["state"] == "connected":
        assert time.monotonic() < end
        time.sleep(0.2)
    yield fqdn
    stage.agents[fqdn].start()
    stage.wait_agents(len(stage.agents))


def until_gate(stage, name, timeout=60):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        plan = show(stage, name)
        if any(s["kind"] == "gate" and s["state"] == "intended" for s in plan["steps"]):
            return plan
        assert plan["state"] == "running", [s for s in plan["steps"] if s["error"]]
        time.sleep(0.1)
    raise AssertionError(f"plan {name} came to no gate")


def test_suspend_and_resume(stage, waiting):
    before = dumps(stage)
    create(stage, "pause", OUTDIAL)
    approve(stage, "pause")
    start(stage, "pause")
    assert stage.umx(CONTOSO, "plan", "suspend", "pause").code == 0
    plan = finish(stage, "pause", until=("suspended", "completed"))
    assert plan["state"] == "suspended", plan["state"]
    left = {s["id"] for s in plan["steps"] if s["state"] != "verified"}
    assert left and not {s["state"] for s in plan["steps"]} & {"failed", "uncertain"}
    refused(stage, CONTOSO, "UMX-1401", 1, "plan", "suspend", "pause")
    time.sleep(1)
    assert {s["id"] for s in show(stage, "pause")["steps"] if s["state"] != "verified"} == left, "a suspended plan rests"
    assert stage.umx(CONTOSO, "plan", "resume", "pause").code == 0
    plan = finish(stage, "pause")
    assert plan["state"] == "completed", plan["state"]
    assert_effect_is_preview(plan, before, dumps(stage))
    undo(stage, "pause")
    assert changed(before, dumps(stage)) == {}


def test_overlap_and_cancel(stage, waiting):
    before = dumps(stage)
    for name in ("first", "second"):
        create(stage, name, OUTDIAL)
        approve(stage, name)
    start(stage, "first")
    until_gate(stage, "first")
    assert "first" in refused(stage, CONTOSO, "UMX-1409", 1, "plan", "start", "second").err
    refused(stage, CONTOSO, "UMX-1401", 1, "plan", "undo", "first")
    assert stage.umx(CONTOSO, "plan", "cancel", "first").code == 0
    plan = finish(stage, "first")
    assert plan["state"] == "cancelled" and "verified" in {s["state"] for s in plan["steps"]}
    for verb in ("start", "resume", "cancel"):
        refused(stage, CONTOSO, "UMX-1401", 1, "plan", verb, "first")
    refused(stage, CONTOSO, "UMX-1406", 1, "plan", "start", "second")
    undo(stage, "first")
    assert changed(before, dumps(stage)) == {}
    assert stage.umx(CONTOSO, "plan", "cancel", "second").code == 0
