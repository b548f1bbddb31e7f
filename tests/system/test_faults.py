"""What breaks under a running plan: the connection to the domain controller in the middle of a write, the file system of the
journal, the controller's clock. Nothing is guessed, nothing is done twice, and what was not recorded was not begun."""

import os
import shutil
import signal
import struct
import time
from pathlib import Path

import pytest
from conftest import CONTOSO, LYNC
from plans import approve, create, finish, show, start, undo

from stage.crash import doubled_and_lost
from stage.programs import lab  # also knows where the lab's own modules are
from stage.stage import Stage, difference
from umxlab import faults
from umxlab.place import Place

PAIR = "contoso.test:lync.test"


@pytest.fixture
def whole(fleet):
    play = Stage(fleet, name="faults").make(approval="none")
    play.start_controller()
    yield play
    play.stop()


def entries(stage, name, step=None):
    return [e for e in stage.umx(LYNC, "audit", "--plan", name).json["entries"] if step is None or e["step"] == step]


def kinds(stage, name, step):
    return [e["kind"] for e in entries(stage, name, step)]


def intact(stage):
    answer = stage.umx(LYNC, "audit", "verify")
    assert answer.code == 0 and answer.json["intact"] is True, answer


def wait_for(found, what, timeout=60):
    end = time.monotonic() + timeout
    while not (value := found()):
        assert time.monotonic() < end, what
        time.sleep(0.02)
    return value


def state_of(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return None


def stopped_worker(stage):
    """The child of the controller that stopped itself at its stop point."""
    def found():
        for children in Path(f"/proc/{stage.controller.pid}/task").glob("*/children"):
            for pid in children.read_text().split():
                if state_of(pid) == "T":
                    return int(pid)
        return None

    return wait_for(found, "no worker came to its stop point")


def stopped_controller(stage):
    wait_for(lambda: state_of(stage.controller.pid) == "T", "the controller did not come to its stop point")


def submitted(stage, name):
    plan = create(stage, name, pair=PAIR)
    assert stage.umx(CONTOSO, "plan", "submit", name).code == 0
    return plan["steps"]


def restart(stage, **environment):
    """Another controller, of which one process only stops."""
    once = stage.home / "stopped"
    once.unlink(missing_ok=True)
    if stage.controller.running():
        assert stage.controller.stop() == 0
    stage.start_controller(environment={"UMX_CRASH_ONCE": str(once), **environment} if environment else None)


def end_of(stage, name, timeout=120):
    """Whatever its operator has to do until the plan is completed."""
    end = time.monotonic() + timeout
    while True:
        plan = finish(stage, name, until=("completed", "failed", "suspended"))
        if plan["state"] == "completed":
            return plan
        assert time.monotonic() < end, plan["state"]
        stage.umx(CONTOSO, "plan", "resume", name)  # refused as long as nobody knows about the step
        time.sleep(0.3)


# ---- the connection is cut in the middle of a write


def controller_of(stage):
    return stage.lab["forests"]["contoso.test"]["domain_controllers"][0]


def fault(stage, name, dc):
    """Without a process of its own: the worker has ten seconds for its write."""
    faults.make(Place(stage.lab_dir), name, [dc["fqdn"]])


def has_received(pid, address):
    """A domain controller's LDAP has bytes that it did not read yet."""
    wanted = f"{''.join(f'{int(part):02X}' for part in reversed(address.split('.')))}:0185"
    for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1] == wanted and fields[3] == "01" and int(fields[4].split(":")[1], 16) > 0:
            return True
    return False


def cut(stage, name, dc):
    """A plan whose first addition is on its way to a frozen domain controller; returns the step."""
    steps = submitted(stage, name)
    step = next(s for s in steps if s["kind"] == "add")
    restart(stage, UMX_STOP_POINT=f"directory:write:before@{step['change']['dn']}:1")
    start(stage, name)
    worker = stopped_worker(stage)
    fault(stage, "freeze-dc", dc)
    os.kill(worker, signal.SIGCONT)
    wait_for(lambda: has_received(worker, dc["address"]), "the write is not on its way")
    return step, steps


def assert_once(stage, name, step, steps, outcome):
    assert {s["state"] for s in show(stage, name)["steps"]} == {"verified"}
    story = entries(stage, name, step["id"])
    assert "uncertain" in [e["kind"] for e in story]
    assert [e["outcome"] for e in story if e["kind"] == "settled"] == [outcome]
    assert doubled_and_lost(entries(stage, name), steps) == (set(), set())
    intact(stage)


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_connection_cut_in_the_middle_of_a_write(whole, lost):
    """The domain controller dies with the request unread; or does what it was asked, and its answer finds no way back."""
    stage, dc = whole, controller_of(whole)
    before = stage.dump("contoso.test")
    name = f"lost-{lost}"
    try:
        step, steps = cut(stage, name, dc)
        if lost == "request":
            fault(stage, "kill-dc", dc)
        else:
            fault(stage, "unreachable", dc)
            fault(stage, "thaw-dc", dc)
        wait_for(lambda: "uncertain" in kinds(stage, name, step["id"]), "the step is not uncertain")
        now = show(stage, name)
        assert next(s for s in now["steps"] if s["id"] == step["id"])["state"] == "uncertain"
        # What depends on it does not begin while nobody knows.
        assert not [s for s in now["steps"] if step["id"] in s["depends"] and s["state"] != "pending"]
    finally:
        lab(stage.lab_dir, "heal", timeout=180)
    end_of(stage, name)
    assert_once(stage, name, step, steps, "not_done" if lost == "request" else "ours")
    undo(stage, name)
    assert difference(before, stage.dump("contoso.test")) == {}


# ---- the disk of the journal


@pytest.fixture
def disk(fleet):
    """A deployment on a file system of its own that can fail as one does below which the disk fails: read-only at once,
    whoever has files open."""
    play = Stage(fleet, name="failing").make(approval="none")
    image = play.home / "disk.img"

    def inside(*argv, check=True):
        answer = play.run(*argv)
        assert answer.code == 0 or not check, answer
        return answer.code == 0

    image.write_bytes(b"")
    os.truncate(image, 48 << 20)
    shutil.copytree(play.data, play.home / "held")
    if shutil.which("mkfs.ext4", path="/usr/sbin:/sbin") is None or not inside("mkfs.ext4", "-q", "-F", image, check=False) \
            or not inside("mount", "-o", "loop", image, play.data, check=False):
        pytest.skip("no file system in a file can be mounted here")
    inside("cp", "-a", f"{play.home}/held/.", play.data)
    inside("sync", "-f", play.data)  # what was not written yet goes when it fails
    play.break_disk = lambda: inside("mount", "-o", "remount,abort", play.data)

    def mend():
        inside("umount", play.data)
        inside("fsck.ext4", "-p", image, check=False)  # its exit code says that it mended something
        inside("mount", "-o", "loop", image, play.data)

    play.mend_disk = mend
    play.start_controller()
    yield play
    play.stop()
    inside("umount", "--lazy", play.data, check=False)


def test_disk_becomes_read_only_before_an_effect(disk):
    """The third step's intent cannot be recorded: it is not begun, the log says why, and after the disk is mended the plan goes
    on from there."""
    before = disk.dump("contoso.test")
    steps = submitted(disk, "read-only")
    restart(disk, UMX_STOP_POINT="engine:intent:before:3")
    start(disk, "read-only")
    stopped_controller(disk)
    so_far = disk.dump("contoso.test")
    disk.break_disk()
    after = disk.controller.log.stat().st_size
    os.kill(disk.controller.pid, signal.SIGCONT)
    disk.controller.wait_for("UMX-15", after=after)
    # What is recorded can be read; nothing more was done.
    known = entries(disk, "read-only")
    assert [e["kind"] for e in known].count("intent") == 2
    assert difference(so_far, disk.dump("contoso.test")) == {}
    assert disk.umx(CONTOSO, "plan", "resume", "read-only").code != 0
    assert difference(so_far, disk.dump("contoso.test")) == {}
    disk.controller.stop()
    disk.mend_disk()
    restart(disk)
    assert entries(disk, "read-only")[:len(known)] == known
    end_of(disk, "read-only")
    assert doubled_and_lost(entries(disk, "read-only"), steps) == (set(), set())
    intact(disk)
    undo(disk, "read-only")
    assert difference(before, disk.dump("contoso.test")) == {}


# ---- the clock is set back


class Clocked(Stage):
    """All of umx's programs go by a wall clock that the test moves, but for the workers: theirs is the domain controllers'."""

    def __init__(self, *where, **more):
        super().__init__(*where, **more)
        self.shift = self.lab_dir / "clock-shift"

    def make(self, **options):
        self.move(0)
        super().make(**options)
        return self

    def move(self, seconds):
        if not self.shift.exists():
            self.shift.write_bytes(bytes(8))
        with open(self.shift, "r+b") as file:
            file.write(struct.pack("=q", seconds))

    @property
    def moved(self):
        return {"LD_PRELOAD": str(self.build.parent / "tests" / "shifted-clock.so"), "UMX_CLOCK_SHIFT": str(self.shift)}

    def run(self, *argv, environment=None, **more):
        return super().run(*argv, environment={**self.moved, **(environment or {})}, **more)

    def start_controller(self, wait=True, environment=None):
        return super().start_controller(wait, {**self.moved, **(environment or {})})


@pytest.fixture
def clocked(fleet):
    play = Clocked(fleet, name="clocked")
    if not Path(play.moved["LD_PRELOAD"]).exists():
        pytest.skip("this build has no clock to move: a sanitizer wants to be a program's first library itself")
    play.make(refresh=3600)
    play.start_controller()
    yield play
    play.stop()


def ages(stage):
    rows = stage.umx(LYNC, "query", "SELECT age, stale FROM dial_plan UNION ALL SELECT age, stale FROM contact")
    assert rows.code == 0 and rows.json["rows"], rows
    return rows.json["rows"]


def test_clock_set_back_an_hour(clocked):
    """In the middle of a plan. The plan goes on, the journal's times do not go back, what has ended does not begin again, and
    nothing is younger than now."""
    stage = clocked
    before = stage.dump("contoso.test")
    for who in (CONTOSO, LYNC):  # certificates of now: they are valid on both sides of the step
        stage.login(*who)
    stage.move(3600)
    create(stage, "brief", pair=PAIR)
    approve(stage, "brief", approvers=[CONTOSO], whole=False)
    assert stage.umx(LYNC, "plan", "approve", "brief", "--forest", "lync.test", "--expires", "5s").code == 0
    create(stage, "closed", pair=PAIR, arguments=["--not-after", "25s"])
    begun = time.monotonic()
    approve(stage, "closed")
    wait_for(lambda: show(stage, "brief")["state"] == "submitted", "the approval did not end")
    time.sleep(max(0.0, begun + 26 - time.monotonic()))
    assert stage.umx(CONTOSO, "plan", "start", "closed").error == "UMX-1410"
    steps = create(stage, "moved", pair=PAIR)["steps"]
    approve(stage, "moved")
    restart(stage, UMX_STOP_POINT="engine:intent:before:3")
    start(stage, "moved")
    stopped_controller(stage)
    ahead = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 3000))
    stage.move(0)
    os.kill(stage.controller.pid, signal.SIGCONT)
    end_of(stage, "moved")
    assert {s["state"] for s in show(stage, "moved")["steps"]} == {"verified"}
    assert doubled_and_lost(entries(stage, "moved"), steps) == (set(), set())
    times = [e["written_at"] for e in stage.umx(LYNC, "audit").json["entries"]]
    assert len(times) > len(steps) and times == sorted(times) and times[-1] > ahead
    intact(stage)
    # What was over stays over, in a controller that begins now too.
    for again in (False, True):
        if again:
            restart(stage)
        assert show(stage, "brief")["state"] == "submitted"
        assert stage.umx(CONTOSO, "plan", "start", "brief").error == "UMX-1402"
        assert stage.umx(CONTOSO, "plan", "start", "closed").error == "UMX-1410"
        assert all(row["age"] >= 0 for row in ages(stage)), ages(stage)
    undo(stage, "moved")
    assert difference(before, stage.dump("contoso.test")) == {}
