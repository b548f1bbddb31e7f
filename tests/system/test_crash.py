"""The controller is killed (SIGKILL) at every named point, once for each kind of step, in apply and in undo, and started
again: the end is the same as without the crash, nothing is done twice, and the chain is whole."""

import itertools
import signal
import subprocess

import pytest
from conftest import CONTOSO, LYNC
from plans import approve, create, entries_of_dacl, finish, show

from stage.programs import Failed
from stage.stage import Stage, difference

SETTINGS = ["exchucutil.mode=faithful"]
PAIR = ["--pair", "contoso.test:lync.test"]


@pytest.fixture(scope="module")
def theatre(fleet):
    """A controller that is killed and started again, with the end states of a run without any crash to compare with."""
    play = Stage(fleet, name="crash").make(approval="none")
    play.start_controller()
    play.first = dump(play)
    make(play, "model", CONTOSO)
    order = [s["kind"] for s in go(play, "model", "start")["steps"] if s["kind"] != "gate"]
    play.applied = dump(play)
    back = undo(play, "model")
    play.undone = dump(play)
    assert differences(play.first, play.undone) == {}
    play.order = order
    play.back = [s["kind"] for s in back["steps"] if s["kind"] != "gate"]
    yield play
    play.stop()


def dump(play):
    return {f: play.dump(f) for f in ("contoso.test", "lync.test")}


def differences(one, other):
    return {f: d for f in one if (d := difference(one[f], other[f]))}


def make(play, name, who):
    answer = play.umx(who, "plan", "create", name, "--phase", "exchucutil", *PAIR,
                      *itertools.chain(*(["--set", s] for s in SETTINGS)))
    assert answer.code == 0, answer
    assert play.umx(who, "plan", "submit", name).code == 0


def go(play, name, verb):
    answer = play.umx(CONTOSO, "plan", verb, name)
    assert answer.code == 0, answer
    plan = finish(play, name)
    assert plan["state"] == "completed", [s for s in plan["steps"] if s["error"]]
    return plan


def undo(play, name):
    answer = play.umx(CONTOSO, "plan", "undo", name)
    assert answer.code == 0, answer
    back = answer.json["name"]
    if show(play, back)["state"] == "draft":
        assert play.umx(CONTOSO, "plan", "submit", back).code == 0
    return go(play, back, "start")


def points(build):
    return subprocess.run([build / "umxd", "crash-points"], capture_output=True, text=True, check=True).stdout.split()


def crash_and_recover(play, name, point, turn):
    """Starts the plan in a controller that dies at the point, then finishes it in one that does not."""
    play.controller.stop()
    play.start_controller(environment={"UMX_CRASH_POINT": f"{point}:{turn}"})
    died = False
    try:
        play.umx(CONTOSO, "plan", "start", name)
        finish(play, name, timeout=60)
    except (AssertionError, Failed):
        pass
    try:
        died = play.controller.wait(10) == -signal.SIGKILL
    except Exception:
        play.controller.stop()
    play.start_controller()
    plan = show(play, name)
    if plan["state"] == "approved":
        assert play.umx(CONTOSO, "plan", "start", name).code == 0
    elif plan["state"] in ("suspended", "failed"):
        assert play.umx(CONTOSO, "plan", "resume", name).code == 0
    plan = finish(play, name)
    assert plan["state"] == "completed", (point, turn, [s for s in plan["steps"] if s["error"]])
    return died


def assert_nothing_twice(play, name):
    entries = play.umx(LYNC, "audit", "--plan", name).json["entries"]
    effects = [e["step"] for e in entries if e["kind"] == "effect"]
    assert len(effects) == len(set(effects)), f"{name}: a step has two effects"
    verified = [e["step"] for e in entries if e["kind"] == "verified"]
    assert sorted(verified) == sorted(s["id"] for s in show(play, name)["steps"])


def test_every_point_for_every_kind(theatre):
    died = tried = 0
    runs = points(theatre.build)
    assert len(runs) >= 6
    for point in runs:
        for kind in dict.fromkeys(theatre.order):
            tried += 1
            name = f"crash-{tried}"
            make(theatre, name, CONTOSO)
            died += crash_and_recover(theatre, name, point, 1 + theatre.order.index(kind))
            assert differences(theatre.applied, dump(theatre)) == {}, (point, kind)
            assert_nothing_twice(theatre, name)
            answer = theatre.umx(CONTOSO, "plan", "undo", name)
            assert answer.code == 0, answer
            back = answer.json["name"]
            if show(theatre, back)["state"] == "draft":
                assert theatre.umx(CONTOSO, "plan", "submit", back).code == 0
            place = theatre.back.index(kind) if kind in theatre.back else 0
            died += crash_and_recover(theatre, back, point, 1 + place)
            assert differences(theatre.first, dump(theatre)) == {}, (point, kind, "undo")
            assert_nothing_twice(theatre, back)
            verified = theatre.umx(LYNC, "audit", "verify")
            assert verified.code == 0 and verified.json["intact"], (point, kind)
    print(f"{len(runs)} points, {2 * tried} runs, {died} crashes, 0 lost, 0 doubled")
    assert died >= tried, f"only {died} of {2 * tried} runs met their crash point"


def test_dacl_helper_sees_entries(theatre):
    """The comparison above is not blind to access entries."""
    dn = next(dn for dn in theatre.first["contoso.test"] if dn.startswith("CN=UM DialPlan Container,"))
    before = entries_of_dacl(theatre.first["contoso.test"][dn]["nTSecurityDescriptor"])
    after = entries_of_dacl(theatre.applied["contoso.test"][dn]["nTSecurityDescriptor"])
    assert len(after) == len(before) + 2
