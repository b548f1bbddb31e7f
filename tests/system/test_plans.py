"""Plans: preview equals effect in every mode, a second plan is empty, undo restores, and the journal is whole."""

import contextlib
import re
import sqlite3
import time

import pytest
from conftest import CONTOSO, LYNC, ROOT
from plans import MODES, OUTDIAL, assert_effect_is_preview, changed, create, dumps, predicted, run, undo

from stage.stage import OF_AN_OBJECT, VOLATILE

MAP = "exchucutil.hunt-map="


@pytest.fixture(scope="module", autouse=True)
def topology(stage):
    """A plan made before the Lync shells have told their pools is a smaller one than the next."""
    stage.wait_shells()


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
    stage.umx(LYNC, "check", "--phase", "exchucutil")  # queries are answered from what was read last
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


def test_journal_chain(stage):
    answer = stage.umx(LYNC, "audit", "verify")
    assert answer.code == 0 and answer.json["intact"] is True and answer.json["entries"] > 500
    assert answer.json["first_bad"] is None


def cut_off(stage, mirror):
    """Takes the last entry away and puts the head row right; with `mirror` its copy in state.db goes too. The number of
    the entry."""
    with contextlib.closing(sqlite3.connect(stage.data / "journal.db")) as journal, journal:
        last = journal.execute("SELECT max(sequence) FROM entry").fetchone()[0]
        journal.execute("DELETE FROM entry WHERE sequence = ?", (last,))
        before = journal.execute("SELECT hash FROM entry WHERE sequence = ?", (last - 1,)).fetchone()[0]
        journal.execute("UPDATE head SET sequence = ?, hash = ?", (last - 1, before))
    if mirror:
        with contextlib.closing(sqlite3.connect(stage.data / "state.db")) as state, state:
            state.execute("DELETE FROM _setting WHERE name = 'journal.head'")
    return last


@contextlib.contextmanager
def kept_journal(stage):
    """The controller is stopped inside; the journal comes back afterwards."""
    stage.controller.stop()
    path = stage.data / "journal.db"
    kept = path.read_bytes()
    try:
        yield
    finally:
        stage.controller.stop()
        for extra in ("-wal", "-shm"):
            (stage.data / f"journal.db{extra}").unlink(missing_ok=True)
        path.write_bytes(kept)
        stage.start_controller()
    assert stage.umx(LYNC, "audit", "verify").json["intact"] is True


def test_a_journal_whose_end_was_cut_off_is_found(stage):
    """With its head row put right too: the mirror in state.db remembers."""
    with kept_journal(stage):
        last = cut_off(stage, mirror=False)
        stage.start_controller()
        answer = stage.umx(LYNC, "audit", "verify")
        assert answer.code == 1 and answer.json["intact"] is False, answer
        assert answer.json["first_bad"] == last


def wait_told(stage, last, timeout=60):
    """Until every agent has kept the number of the journal's last entry."""
    end = time.monotonic() + timeout
    kept = {s["fqdn"]: stage.home / f"{s['fqdn']}.state" / "journal-head" for s in stage.lab["servers"]}
    while True:
        told = {name: path.read_text().split()[0] if path.exists() else None for name, path in kept.items()}
        if set(told.values()) == {str(last)}:
            return
        assert time.monotonic() < end, told
        time.sleep(0.2)


def test_agents_remember_the_end_of_the_journal(stage):
    """Nothing on the controller's host knows of the last entry any more: the agents were told of it."""
    create(stage, "witnessed", pair="contoso.test:lync.test")
    assert stage.umx(CONTOSO, "plan", "submit", "witnessed").code == 0
    wait_told(stage, stage.umx(LYNC, "audit", "verify").json["entries"])
    with kept_journal(stage):
        last = cut_off(stage, mirror=True)
        stage.start_controller()
        servers = {s["fqdn"] for s in stage.lab["servers"]}
        end = time.monotonic() + 180
        while True:
            answer = stage.umx(LYNC, "audit", "verify")
            if len(answer.json["witnesses"]) == len(servers) or time.monotonic() > end:
                break
            time.sleep(1)
        assert answer.code == 1 and answer.json["intact"] is False, answer
        assert answer.json["first_bad"] == last
        assert {line.split()[0] for line in answer.json["witnesses"]} == servers
        assert all(f"was told of entry {last}" in line for line in answer.json["witnesses"])
