"""The controller is killed (SIGKILL) at every named point of a step, for each kind of step, in apply and in undo, and started
again: it goes on by itself, the end is the same as without a crash, nothing is done twice, and the chain is whole."""

import signal
import subprocess
import time

import pytest
from conftest import CONTOSO, LYNC
from plans import access_in, entries_of_dacl, finish, predicted, show

from stage.crash import doubled_and_lost, says, versions_in
from stage.programs import lab
from stage.stage import Stage, difference

FOREST = "contoso.test"
CREATE = ["--phase", "exchucutil", "--pair", "contoso.test:lync.test", "--set", "exchucutil.mode=faithful"]

DESCRIPTOR = 0x20119  # nTSecurityDescriptor, as the metadata name it
POINTS = [f"engine:{name}:{side}" for name in ("intent", "apply", "effect", "verified") for side in ("before", "after")]
BEGINNING, UNMADE, MADE, ENDING, END = POINTS[0], POINTS[1:3], POINTS[4:6], POINTS[6:], POINTS[7]
LOOKED_AT = ("gate", "wait")  # kinds that change nothing: they have no effect of their own


def points_of(kind):
    return [p for p in POINTS if kind not in LOOKED_AT or p.split(":")[1] in ("intent", "verified")]


def points_left(kind, point):
    """The points that a step passes after a crash at one of its points."""
    if point == END:
        return []
    if point == BEGINNING or (point in UNMADE and kind not in LOOKED_AT):
        return points_of(kind)  # nothing was made: from the beginning
    return ENDING


class Theatre(Stage):
    """A controller that is killed and started again, and the states of a run without any crash to compare with."""

    def look(self):
        """What is there, and how often each attribute of it was written."""
        text = lab(self.lab_dir, "ldapsearch", FOREST, "-b", self.lab["forests"][FOREST]["config_dn"], "(objectClass=*)",
                   "replPropertyMetaData").stdout
        return ({f: self.dump(f) for f in (FOREST, "lync.test")},
                {dn: versions for dn, _, versions in versions_in(text)})

    def make_plan(self, name):
        answer = self.umx(CONTOSO, "plan", "create", name, *CREATE)
        assert answer.code == 0, answer
        assert self.umx(CONTOSO, "plan", "submit", name).code == 0
        return show(self, name)["steps"]

    def make_undo(self, name):
        answer = self.umx(CONTOSO, "plan", "undo", name)
        assert answer.code == 0, answer
        assert answer.json["state"] == "approved"
        return answer.json["steps"]

    def play(self, name):
        assert self.umx(CONTOSO, "plan", "start", name).code == 0
        return self.end(name)

    def end(self, name):
        plan = finish(self, name, timeout=180)
        assert plan["state"] == "completed", [s for s in plan["steps"] if s["error"]]
        return plan


def written(plan, before, after):
    """How often each attribute of the plan's objects was written between two looks."""
    counts = {}
    for dn in {s["change"]["dn"] for s in plan if s["change"]["dn"]}:
        for attribute, version in after[1].get(dn, {}).items():
            if version != before[1].get(dn, {}).get(attribute, 0):
                counts[dn, attribute] = version - before[1].get(dn, {}).get(attribute, 0)
    return counts


def differences(one, other, recreated):
    return {f: d for f in one[0] if (d := difference(one[0][f], other[0][f], recreated))}


@pytest.fixture(scope="module")
def theatre(fleet):
    play = Theatre(fleet, name="crash").make(approval="none")
    play.start_controller()
    play.first = play.look()
    steps = play.make_plan("model")
    play.play("model")
    play.applied = play.look()
    back = play.make_undo("model")
    play.play("model-undo")
    play.undone = play.look()
    play.objects = {dn for dn, entry in difference(play.first[0][FOREST], play.applied[0][FOREST]).items() if None in entry}
    assert differences(play.first, play.undone, play.objects) == {}
    play.kinds = [s["kind"] for s in steps], [s["kind"] for s in back]
    play.writes = written(steps, play.first, play.applied), written(back, play.applied, play.undone)
    lists = {s["change"]["dn"] for s in steps if s["kind"] == "access"}
    assert len(lists) == 4 and all(play.writes[n][dn, DESCRIPTOR] == 2 for dn in lists for n in (0, 1))
    yield play
    play.stop()


# ---- where to crash


def schedules(steps):
    """Rounds of (place of a step, point): together each point once for each kind of step. A step whose change is not made
    yet is crashed again and again; what follows the effect needs a step, or a round, for each point."""
    rounds = [[], [], []]
    for kind in dict.fromkeys(s["kind"] for s in steps):
        places = [i for i, s in enumerate(steps) if s["kind"] == kind]
        again = [p for p in points_of(kind) if p not in MADE]
        rounds[0] += [(places[0], point) for point in again]
        for n, point in enumerate(p for p in points_of(kind) if p not in again):
            if len(places) > n + 1:
                rounds[0].append((places[n + 1], point))
            else:
                rounds[n + 1].append((places[0], point))
    for one in rounds:
        one.sort(key=lambda crash: crash[0])
    assert sorted((steps[i]["kind"], p) for one in rounds for i, p in one) == sorted(
        (kind, p) for kind in {s["kind"] for s in steps} for p in points_of(kind))
    return [one for one in rounds if one]


def turns(steps, schedule):
    """The number of the pass of each crash's point, counted from the start of the controller before it."""
    at, rest = 0, points_of(steps[0]["kind"])
    for place, point in schedule:
        between = [points_of(s["kind"]) for s in steps[at + 1:place + 1]]
        passes = [rest, *between] if place > at else [rest]
        assert point in passes[-1]
        yield point, sum(point in one for one in passes)
        at, rest = place, points_left(steps[place]["kind"], point)


def crash_all(play, name, steps, schedule):
    """Starts the plan, kills the controller at each of these points, and starts it again."""
    play.controller.stop()
    for number, ((place, point), (_, turn)) in enumerate(zip(schedule, turns(steps, schedule), strict=True)):
        confirms = steps[place]["kind"] == "gate" and point == ENDING[0]
        play.start_controller(wait=number == 0 or confirms, environment={"UMX_CRASH_POINT": f"{point}:{turn}"})
        if number == 0:
            play.umx(CONTOSO, "plan", "start", name)  # its answer may be lost with the controller
        if confirms:
            confirm(play, name, steps[place]["id"])
        assert play.controller.wait(60) == -signal.SIGKILL, (steps[place]["id"], point)
    play.start_controller()
    return play.end(name)


def confirm(play, name, step):
    end = time.monotonic() + 60
    while next(s for s in show(play, name)["steps"] if s["id"] == step)["state"] != "intended":
        assert time.monotonic() < end
        time.sleep(0.1)
    play.umx(LYNC, "plan", "confirm", name, step, "--comment", "done")


# ---- what the journal must say

# What is the last entry about the step before the crash, and what the next one is after it.
TRACES = {
    "engine:intent:before": ((None, "settled"), "intent"),
    "engine:intent:after": (("intent",), "settled not_done"),
    "engine:apply:before": (("intent",), "settled not_done"),
    "engine:apply:after": (("intent",), "settled ours"),
    "engine:effect:before": (("intent",), "settled ours"),
    "engine:effect:after": (("effect",), "verified"),
    "engine:verified:before": (("effect", "settled ours"), "verified"),
    "engine:verified:after": (("verified",), None),
}
TRACES_OF_LOOKS = {
    **TRACES,
    "engine:intent:after": (("intent",), ("verified", "confirmed")),
    "engine:verified:before": (("intent", "confirmed"), "verified"),
}


def assert_crashed_where_planned(entries, steps, schedule):
    ends = [i for i, e in enumerate(entries) if e["kind"] == "recovered"]
    assert len(ends) == len(schedule)
    for i, (place, point) in zip(ends, schedule, strict=True):
        step = steps[place]
        before = [says(e) for e in entries[:i] if e["step"] == step["id"]]
        after = [says(e) for e in entries[i:] if e["step"] == step["id"]]
        last, following = (TRACES_OF_LOOKS if step["kind"] in LOOKED_AT else TRACES)[point]
        assert (before[-1] if before else None) in last, (step["id"], point, before, after)
        assert (after[0] if after else None) in (following if isinstance(following, tuple) else (following,)), (
            step["id"], point, before, after)


# ---- tests


def test_points_are_those_of_the_program(theatre):
    listed = subprocess.run([theatre.build / "umxd", "crash-points"], capture_output=True, text=True, check=True).stdout
    table = [line.split(maxsplit=2) for line in listed.splitlines()]
    for kind in ("add", "delete", "modify", "access", "wait"):
        assert {p for p, program, kinds in table if program == "controller" and kind in kinds.split()} == set(points_of(kind))


def test_every_point_for_every_kind(theatre):
    crashes, doubled, lost, number = set(), set(), set(), 0
    steps, back = theatre.make_plan("draft"), None
    assert theatre.umx(CONTOSO, "plan", "cancel", "draft").code == 0
    kinds, kinds_back = theatre.kinds
    assert [s["kind"] for s in steps] == kinds and set(kinds) == {"access", "add", "delete", "modify", "wait", "gate"}
    rounds = schedules(steps)
    rounds_back = schedules([{"kind": kind} for kind in kinds_back])
    while number < max(len(rounds), len(rounds_back)):
        name = f"crash-{number}"
        before = theatre.look()
        steps = theatre.make_plan(name)
        for direction, plan, all_rounds, writes in (("apply", name, rounds, theatre.writes[0]),
                                                    ("undo", f"{name}-undo", rounds_back, theatre.writes[1])):
            if direction == "undo":
                steps = back = theatre.make_undo(name)
            schedule = all_rounds[number] if number < len(all_rounds) else []
            crash_all(theatre, plan, steps, schedule) if schedule else theatre.play(plan)
            after = theatre.look()
            entries = theatre.umx(LYNC, "audit", "--plan", plan).json["entries"]
            assert_crashed_where_planned(entries, steps, schedule)
            twice, never = doubled_and_lost(entries, steps)
            crashes |= {(direction, steps[place]["kind"], point) for place, point in schedule}
            doubled |= {(plan, step) for step in twice}
            lost |= {(plan, step) for step in never}
            assert written(steps, before, after) == writes, (plan, "the directory counts other writes than without a crash")
            wanted = theatre.applied if direction == "apply" else theatre.first
            assert differences(wanted, after, theatre.objects) == {}, plan
            before = after
        verified = theatre.umx(LYNC, "audit", "verify")
        assert verified.code == 0 and verified.json["intact"], verified
        number += 1
    print(f"{len(POINTS)} points, {len(crashes)} crashes in {2 * number} runs, {len(lost)} lost, {len(doubled)} doubled")
    assert (lost, doubled) == (set(), set())
    wanted = {(d, kind, p) for d, ks in (("apply", kinds), ("undo", kinds_back)) for kind in ks for p in points_of(kind)}
    assert crashes == wanted and back


def test_comparison_sees_access_entries(theatre):
    """The comparisons above are not blind to access entries."""
    dn = next(dn for dn in theatre.first[0][FOREST] if dn.startswith("CN=UM DialPlan Container,"))
    before = entries_of_dacl(theatre.first[0][FOREST][dn]["nTSecurityDescriptor"])
    after = entries_of_dacl(theatre.applied[0][FOREST][dn]["nTSecurityDescriptor"])
    access = predicted(show(theatre, "model"))[3]
    assert len(after) == len(before) + 2
    assert access_in(theatre.first[0][FOREST], access)[dn].total() == 2
