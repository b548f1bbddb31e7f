"""Plans: preview equals effect in every mode, a second plan is empty, undo restores; and every refusal with its id."""

import contextlib
import re
import sqlite3
import time
from collections import Counter

import pytest
from conftest import CONTOSO, FABRIKAM, LYNC, ROOT
from plans import (access_in, approve, create, descriptor_of, entries_of_dacl, finish, predicted, run, show, sid_of,
                   start, undo, write_dacl)
from samba.dcerpc import security

from stage.programs import lab
from stage.stage import OF_AN_OBJECT, VOLATILE, difference

MAP = "exchucutil.hunt-map="
OUTDIAL = "exchucutil.outdial=pool1.lync.test"
MODES = {
    "safe-mesh": [OUTDIAL],
    "faithful": ["exchucutil.mode=faithful"],
}
# What a domain controller adds to an object by itself.
SYSTEM = {"cn", "name", "distinguishedName", "instanceType", "objectCategory", "nTSecurityDescriptor",
          "showInAdvancedViewOnly", *OF_AN_OBJECT}


def dumps(stage):
    return {forest: stage.dump(forest) for forest in stage.lab["forests"]}


def changed(before, after, recreated=()):
    return {dn: entry for forest in before
            for dn, entry in difference(before[forest], after[forest], recreated).items()}


def dn_of(forest, dump, rdn):
    return next(dn for dn in dump[forest] if dn.startswith(rdn + ","))


def assert_effect_is_preview(plan, before, after):
    adds, deletes, changes, access = predicted(plan)
    seen = changed(before, after)
    gone = {dn for dn, entry in seen.items() if None in entry and entry[None][1] is None}
    new = {dn: entry[None][1] for dn, entry in seen.items() if None in entry and entry[None][0] is None}
    touched = {dn: entry for dn, entry in seen.items() if None not in entry}
    assert gone == deletes - set(adds)
    assert set(new) == set(adds)
    for dn, attributes in new.items():
        got = {name: values for name, values in attributes.items() if name not in SYSTEM or name in adds[dn]}
        assert got == {name: sorted(values) for name, values in adds[dn].items()}, dn
    expected = {dn: entries for forest in before for dn, entries in access_in(before[forest], access).items()
                if dn not in gone}
    lists = {dn: entry.pop("nTSecurityDescriptor") for dn, entry in touched.items() if "nTSecurityDescriptor" in entry}
    assert {dn: Counter(entries_of_dacl(now)) - Counter(entries_of_dacl(old)) for dn, (old, now) in lists.items()} == expected
    assert all(not Counter(entries_of_dacl(old)) - Counter(entries_of_dacl(now)) for old, now in lists.values())
    for dn, modified in changes.items():
        assert set(modified) <= set(touched[dn]), dn
    for dn, entry in touched.items():
        for name, (old, now) in entry.items():
            if name in changes.get(dn, {}):
                removed, added = changes[dn][name]
                assert (sorted(old or []), sorted(now or [])) == (sorted(removed), sorted(added)), (dn, name)
            else:
                # Back links follow the objects that were added or deleted with their forward links.
                assert name.endswith("BL") and set(old or []) ^ set(now or []) <= set(new) | gone, (dn, name)


@pytest.mark.parametrize("mode", ["safe-mesh", "safe-map", "faithful"])
def test_preview_equals_effect_and_undo_restores(stage, mode):
    settings = MODES.get(mode) or safe_map(stage)
    before = dumps(stage)
    plan = run(stage, f"apply-{mode}", *settings)
    adds, deletes, changes, access = predicted(plan)
    assert adds and changes and access and bool(deletes) == (mode == "faithful")
    assert_effect_is_preview(plan, before, dumps(stage))
    assert create(stage, f"again-{mode}", *settings)["steps"] == []
    undo(stage, f"apply-{mode}")
    after = dumps(stage)
    assert changed(before, after, recreated=deletes) == {}
    assert set(changed(before, after)) == deletes, "a re-created object has another GUID, and nothing else has"


def test_what_is_left_is_documented(stage):
    """The attributes that the comparison above leaves out are those that docs/undo.md names, no more and no less."""
    text = (ROOT / "docs" / "undo.md").read_text()
    section = text[text.index("## What undo cannot restore"):]
    assert set(re.findall(r"`([A-Za-z-]+)`", section)) == VOLATILE | OF_AN_OBJECT


def safe_map(stage):
    """Every pool in scope mapped to the first SIP dial plans in turn."""
    rows = stage.umx(LYNC, "query", "SELECT pool, voice_users, branch FROM lync_pool ORDER BY pool").json["rows"]
    plans = stage.umx(LYNC, "query", "SELECT forest, name FROM dial_plan WHERE uri_type = 'sip_name' ORDER BY forest, name")
    first = {}
    for row in plans.json["rows"]:
        first.setdefault(row["forest"], row["name"])
    scope = [r["pool"] for r in rows if r["voice_users"]]
    scope += [p for p in backup_pools(stage, scope) if p not in scope]
    pairs = [f"{pool}:{plan}" for pool in scope for plan in dict.fromkeys(first.values())]
    return ["exchucutil.mode=safe-map", OUTDIAL, MAP + ",".join(pairs)]


def backup_pools(stage, pools):
    rows = stage.umx(LYNC, "query", "SELECT DISTINCT pool, backup_pool FROM lync_pool_member").json["rows"]
    return [r["backup_pool"] for r in rows if r["pool"] in pools and r["backup_pool"]]


# ---- refusals


@pytest.mark.parametrize("name", ["a/b", "", ".hidden", "x" * 65, "two words", "umläut"])
def test_bad_names(stage, name):
    answer = stage.umx(CONTOSO, "plan", "create", name, "--phase", "exchucutil")
    assert answer.code == 2 and answer.error in ("UMX-1305", "UMX-1601"), answer


def test_unknown_option_phase_and_pair(stage):
    for arguments, error in ((["--set", "exchucutil.colour=red"], "UMX-1303"),
                             (["--set", "exchucutil.mode=wild"], "UMX-1304"),
                             (["--pair", "contoso.test:nowhere.test"], "UMX-1302")):
        answer = stage.umx(CONTOSO, "plan", "create", "never", "--phase", "exchucutil", *arguments)
        assert (answer.code, answer.error) == (2, error), answer
    answer = stage.umx(CONTOSO, "plan", "create", "never", "--phase", "nonsense")
    assert (answer.code, answer.error) == (2, "UMX-1301"), answer


def refused(stage, who, error, code, *arguments):
    answer = stage.umx(who, *arguments)
    assert (answer.error, answer.code) == (error, code), answer
    return answer


def test_approvals_that_are_refused(stage):
    create(stage, "refusals", OUTDIAL)
    decide = ["plan", "approve", "refusals", "--forest"]
    refused(stage, CONTOSO, "UMX-1401", 1, *decide, "contoso.test")
    refused(stage, CONTOSO, "UMX-1401", 1, "plan", "start", "refusals")
    assert stage.umx(CONTOSO, "plan", "submit", "refusals").code == 0
    refused(stage, ("contoso.test", "ned.nobody"), "UMX-1404", 3, *decide, "contoso.test")
    refused(stage, LYNC, "UMX-1403", 3, *decide, "contoso.test")
    refused(stage, CONTOSO, "UMX-1416", 2, *decide, "contoso.test", "--expires", "2020-01-01T00:00:00Z")
    refused(stage, CONTOSO, "UMX-1416", 2, *decide, "contoso.test", "--expires", "31d")
    refused(stage, CONTOSO, "UMX-1405", 1, *decide, "contoso.test", "--hash", "0" * 64)
    assert stage.umx(CONTOSO, *decide, "contoso.test").code == 0
    answer = refused(stage, CONTOSO, "UMX-1402", 3, "plan", "start", "refusals")
    assert "fabrikam.test" in answer.err or "lync.test" in answer.err
    assert stage.umx(FABRIKAM, *decide, "fabrikam.test").code == 0
    assert stage.umx(LYNC, "plan", "deny", "refusals", "--forest", "lync.test", "--comment", "not tonight").code == 0
    assert "not tonight" in refused(stage, CONTOSO, "UMX-1423", 3, "plan", "start", "refusals").err
    assert stage.umx(LYNC, "plan", "withdraw", "refusals", "--forest", "lync.test").code == 0
    refused(stage, CONTOSO, "UMX-1402", 3, "plan", "start", "refusals")
    assert show(stage, "refusals")["state"] == "submitted"
    assert stage.umx(CONTOSO, "plan", "cancel", "refusals").code == 0
    refused(stage, LYNC, "UMX-1401", 1, *decide, "lync.test")
    refused(stage, CONTOSO, "UMX-1401", 1, "plan", "start", "refusals")


def test_approval_ends_by_itself(stage):
    create(stage, "brief", OUTDIAL)
    approve(stage, "brief", approvers=[CONTOSO, FABRIKAM], whole=False)
    assert stage.umx(LYNC, "plan", "approve", "brief", "--forest", "lync.test", "--expires", "5s").code == 0
    assert show(stage, "brief")["state"] == "approved"
    time.sleep(5)
    assert show(stage, "brief")["state"] == "submitted"
    refused(stage, CONTOSO, "UMX-1402", 3, "plan", "start", "brief")
    assert stage.umx(CONTOSO, "plan", "cancel", "brief").code == 0


def test_plan_of_the_same_name_is_another_plan(stage):
    """Who reviewed one plan cannot be made to sign another."""
    reviewed = create(stage, "swap", OUTDIAL)["hash"]
    assert stage.umx(CONTOSO, "plan", "delete", "swap").code == 0
    assert create(stage, "swap", *MODES["faithful"])["hash"] != reviewed
    assert stage.umx(CONTOSO, "plan", "submit", "swap").code == 0
    refused(stage, CONTOSO, "UMX-1405", 1, "plan", "approve", "swap", "--forest", "contoso.test", "--hash", reviewed)
    assert show(stage, "swap")["approvals"] == []
    assert stage.umx(CONTOSO, "plan", "delete", "swap").code == 0


def test_change_window(stage):
    refused(stage, CONTOSO, "UMX-1014", 2, "plan", "create", "over", "--phase", "exchucutil", "--not-after",
            "2020-01-01T00:00:00Z")
    create(stage, "early", OUTDIAL, arguments=["--not-before", "8h"])
    approve(stage, "early")
    refused(stage, CONTOSO, "UMX-1410", 3, "plan", "start", "early")
    assert stage.umx(CONTOSO, "plan", "cancel", "early").code == 0
    begun = time.monotonic()
    create(stage, "late", OUTDIAL, arguments=["--not-after", "15s"])
    approve(stage, "late")
    time.sleep(max(0.0, begun + 16 - time.monotonic()))
    refused(stage, CONTOSO, "UMX-1410", 3, "plan", "start", "late")
    assert stage.umx(CONTOSO, "plan", "cancel", "late").code == 0


def test_stale_plan(stage):
    """An object that the plan depends on changes after the approvals: start refuses and says what moved."""
    plan = create(stage, "stale", OUTDIAL)
    step = next(s for s in plan["steps"] if s["kind"] == "add" and "CN=UM IPGateway Container" in s["change"]["dn"])
    target = step["change"]["dn"]
    approve(stage, "stale")
    ldif = stage.home / "intruder.ldif"
    ldif.write_text(f"dn: {target}\nobjectClass: msExchUMIPGateway\nmsExchUMIPGatewayAddress: intruder.test\n")
    lab(stage.lab_dir, "load", step["forest"], ldif)
    try:
        assert target in refused(stage, CONTOSO, "UMX-1406", 1, "plan", "start", "stale").err
        assert {s["state"] for s in show(stage, "stale")["steps"]} == {"pending"}
    finally:
        ldif.write_text(f"dn: {target}\nchangetype: delete\n")
        lab(stage.lab_dir, "load", step["forest"], ldif)
        stage.umx(CONTOSO, "plan", "cancel", "stale")


def test_access_list_out_of_order(stage):
    before = dumps(stage)
    dn = dn_of("contoso.test", before, "CN=UM AutoAttendant Container")
    values = before["contoso.test"][dn]["nTSecurityDescriptor"]
    aces = descriptor_of(values).dacl.aces
    guests = security.descriptor.from_sddl("D:(D;;LO;;;BG)", security.dom_sid("S-1-5-21-0-0-0")).dacl.aces[0]
    write_dacl(stage, "contoso.test", dn, [*aces, guests], values)
    try:
        refused_create = refused(stage, CONTOSO, "UMX-1209", 1, "plan", "create", "order", "--phase", "exchucutil")
        assert dn in refused_create.err
        refused(stage, CONTOSO, "UMX-1306", 1, "plan", "show", "order")
        answer = stage.umx(CONTOSO, "check", "--phase", "exchucutil", "--pair", "contoso.test:lync.test")
        bad = [f for f in answer.json["findings"] if f["id"] == "exchucutil/dacl" and f["status"] == "fail"]
        assert answer.code == 1 and [f["target"] for f in bad] == [dn], bad
        other = create(stage, "order", OUTDIAL, arguments=["--pair", "fabrikam.test:lync.test"])
        assert other["steps"] and stage.umx(CONTOSO, "plan", "delete", "order").code == 0
    finally:
        write_dacl(stage, "contoso.test", dn, aces, values)
    assert changed(before, dumps(stage)) == {}
    assert create(stage, "order", OUTDIAL)["steps"]
    assert stage.umx(CONTOSO, "plan", "delete", "order").code == 0


# ---- runs that stop


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


def test_journal_chain(stage):
    answer = stage.umx(LYNC, "audit", "verify")
    assert answer.code == 0 and answer.json["intact"] is True and answer.json["entries"] > 500
    assert answer.json["first_bad"] is None


def test_a_journal_whose_end_was_cut_off_is_found(stage):
    """With its head row put right too: the mirror in state.db remembers."""
    stage.controller.stop()
    path = stage.data / "journal.db"
    kept = path.read_bytes()
    with contextlib.closing(sqlite3.connect(path)) as journal, journal:
        last = journal.execute("SELECT max(sequence) FROM entry").fetchone()[0]
        journal.execute("DELETE FROM entry WHERE sequence = ?", (last,))
        before = journal.execute("SELECT hash FROM entry WHERE sequence = ?", (last - 1,)).fetchone()[0]
        journal.execute("UPDATE head SET sequence = ?, hash = ?", (last - 1, before))
    try:
        stage.start_controller()
        answer = stage.umx(LYNC, "audit", "verify")
        assert answer.code == 1 and answer.json["intact"] is False, answer
        assert answer.json["first_bad"] == last
    finally:
        stage.controller.stop()
        for extra in ("-wal", "-shm"):
            (stage.data / f"journal.db{extra}").unlink(missing_ok=True)
        path.write_bytes(kept)
        stage.start_controller()
    assert stage.umx(LYNC, "audit", "verify").json["intact"] is True
