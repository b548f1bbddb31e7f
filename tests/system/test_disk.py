"""The disk below the journal is full or read-only: nothing begins, nothing acknowledged is lost, and it goes on after."""

import os
import signal
import time
from pathlib import Path

import pytest
from conftest import CONTOSO, LYNC
from plans import create, finish, show

from stage.programs import Failed, lab
from stage.stage import Stage, difference


@pytest.fixture(scope="module")
def small(fleet):
    """A deployment on a small disk of its own, without agents; what is on the disk goes when the module ends."""
    play = Stage(fleet, name="disk").make(approval="none")
    lab(fleet, "fault", "small-disk", play.data, "48")
    play.start_controller()
    yield play
    play.stop()
    lab(fleet, "heal", timeout=120)


def disk(stage, fault):
    lab(stage.lab_dir, "fault", fault, stage.data)


def entries(stage, name):
    return stage.umx(LYNC, "audit", "--plan", name).json["entries"]


def intact(stage):
    answer = stage.umx(LYNC, "audit", "verify")
    assert answer.code == 0 and answer.json["intact"] is True, answer
    return answer.json["entries"]


def undo(stage, name):
    answer = stage.umx(CONTOSO, "plan", "undo", name)
    assert answer.code == 0, answer
    assert show(stage, answer.json["name"])["state"] == "approved"  # policy none: the plan's approval covers it
    assert stage.umx(CONTOSO, "plan", "start", answer.json["name"]).code == 0
    assert finish(stage, answer.json["name"])["state"] == "completed"


def test_full_disk_refuses_the_start(small):
    before = small.dump("contoso.test")
    create(small, "full", pair="contoso.test:lync.test")
    assert small.umx(CONTOSO, "plan", "submit", "full").code == 0
    known = entries(small, "full")
    disk(small, "full-disk")
    answer = small.umx(CONTOSO, "plan", "start", "full")
    assert answer.code == 1 and answer.error == "UMX-1502", answer
    # What can be read is still read, and nothing was written anywhere.
    assert entries(small, "full") == known
    assert show(small, "full")["state"] == "approved"
    assert difference(before, small.dump("contoso.test")) == {}
    disk(small, "free-disk")
    assert small.umx(CONTOSO, "plan", "start", "full").code == 0
    assert finish(small, "full")["state"] == "completed"
    assert entries(small, "full")[:len(known)] == known
    intact(small)
    undo(small, "full")
    assert difference(before, small.dump("contoso.test")) == {}


def test_disk_fills_while_a_plan_runs(small):
    """Right after a change was made it cannot be recorded: the plan stops, and later finds that the change is its own."""
    before = small.dump("contoso.test")
    create(small, "filling", pair="contoso.test:lync.test")
    assert small.umx(CONTOSO, "plan", "submit", "filling").code == 0
    small.controller.stop()
    small.start_controller(environment={"UMX_STOP_POINT": "engine:apply:after:3"})
    assert small.umx(CONTOSO, "plan", "start", "filling").code == 0
    end = time.monotonic() + 30
    while Path(f"/proc/{small.controller.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        assert time.monotonic() < end
        time.sleep(0.02)
    disk(small, "full-disk")
    after = small.controller.log.stat().st_size
    os.kill(small.controller.pid, signal.SIGCONT)
    small.controller.wait_for("UMX-1502", timeout=30, after=after)
    known = entries(small, "filling")
    assert [e["kind"] for e in known].count("intent") == 3 and [e["kind"] for e in known].count("effect") == 2
    disk(small, "free-disk")
    small.controller.stop()
    small.start_controller()
    plan = show(small, "filling")
    if plan["state"] == "suspended":
        assert small.umx(CONTOSO, "plan", "resume", "filling").code == 0
    assert finish(small, "filling")["state"] == "completed"
    found = entries(small, "filling")
    assert found[:len(known)] == known
    last = next(e["step"] for e in reversed(known) if e["kind"] == "intent")
    story = [e for e in found if e["step"] == last]
    assert [e["kind"] for e in story if e["kind"] != "uncertain"] == ["intent", "settled", "verified"]
    assert next(e for e in story if e["kind"] == "settled")["outcome"] == "ours"
    intact(small)
    undo(small, "filling")
    assert difference(before, small.dump("contoso.test")) == {}


def test_read_only_disk_refuses_the_controller(small):
    count = intact(small)
    assert small.controller.stop() == 0
    disk(small, "read-only-disk")
    with pytest.raises(Failed) as said:
        small.start_controller()
    assert "UMX-15" in str(said.value) or "UMX-10" in str(said.value), said.value
    assert small.controller.wait(10) != 0
    disk(small, "free-disk")
    small.start_controller()
    assert intact(small) == count
