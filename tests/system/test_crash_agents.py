"""The controller, its workers and an agent are killed (SIGKILL) at each named point, once for each kind of step of a plan with
actions, and at a sample of the matrix's other cells; tests/crash-matrix does all phases. UMX_SEED=N repeats a run."""

import json
import os
import random

import pytest

from stage.crash import Theatre, doubled_and_lost, once_each, table

PHASES = ("dial-plan-security",)
KINDS = {"modify", "action", "gate", "wait"}  # the others are in test_crash.py
SAMPLE = 4


@pytest.fixture(scope="module")
def theatre(fleet):
    play = Theatre(fleet, name="crash").make(approval="none")
    if not play.lab["engine"]:
        pytest.skip("no .NET SDK here: no cmdlet can be run, and the agents have nothing to do")
    play.open()
    yield play
    play.stop()


def test_every_point_for_every_kind(theatre):
    seed = int(os.environ.get("UMX_SEED", random.SystemRandom().randrange(10**6)))
    print(f"seed {seed}")
    cells = [c for phase in PHASES for c in theatre.cells(phase)]
    wanted = once_each(cells, seed)
    assert {(c.kind, c.point) for c in wanted} >= {(k, p) for k, p in theatre.listed if k in KINDS}
    rest = sorted(set(cells) - wanted)
    wanted |= set(random.Random(seed).sample(rest, SAMPLE))
    missed = [c for phase in PHASES for c in theatre.matrix(phase, [w for w in wanted if w.phase == phase])]
    print(table(theatre.killed))
    print(f"{theatre.killed.total()} kills, {len(theatre.lost)} lost, {len(theatre.doubled)} doubled")
    assert (theatre.lost, theatre.doubled, theatre.wrong, missed) == ([], [], [], [])
    assert theatre.killed.total() >= len(wanted)


def test_comparison_sees_what_is_done_twice_or_never():
    step = {"id": "s1", "kind": "modify"}
    good = [{"step": "s1", "kind": k} for k in ("intent", "effect", "verified")]
    assert doubled_and_lost(good, [step]) == (set(), set())
    assert doubled_and_lost(good[:2] + good, [step]) == ({"s1"}, set())
    assert doubled_and_lost([good[0], *good[1:2], good[0], good[2]], [step]) == ({"s1"}, set())
    assert doubled_and_lost(good[:2], [step]) == (set(), {"s1"})
    assert doubled_and_lost([good[0], good[2]], [step]) == (set(), {"s1"})


def test_comparison_counts_the_items_of_an_action():
    def effect(*items):
        return {"step": "s1", "kind": "effect", "detail": json.dumps([{"item": n, "ok": ok} for n, ok in items])}

    step = {"id": "s1", "kind": "action", "change": {"action": {"item": ["{}", "{}"]}}}
    intent, verified = ({"step": "s1", "kind": kind} for kind in ("intent", "verified"))
    assert doubled_and_lost([intent, effect((0, True)), intent, effect((1, True)), verified], [step]) == (set(), set())
    assert doubled_and_lost([intent, effect((0, True), (1, False)), intent, effect((1, True)), verified], [step]) == (set(), set())
    assert doubled_and_lost([intent, effect((0, True)), intent, effect((0, True), (1, True)), verified], [step])[0] == {"s1"}
    assert doubled_and_lost([intent, effect((0, True), (1, True)), intent, verified], [step])[0] == {"s1"}
    assert doubled_and_lost([intent, effect((0, True)), verified], [step]) == (set(), {"s1"})
