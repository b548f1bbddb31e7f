"""The controller, its workers and the agents are killed (SIGKILL) at each named point, once for each kind of step, and at a
sample of the matrix's other cells; tests/crash-matrix does all of them. UMX_SEED=N repeats a run."""

import os
import random

import pytest
from plans import access_in, entries_of_dacl, predicted

from stage.crash import KINDS, Theatre, doubled_and_lost, once_each, table

FOREST = "contoso.test"
PHASES = ("exchucutil", "dial-plans")  # together they have every kind of step
SAMPLE = 6


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
    assert {c.kind for c in wanted} == set(KINDS) and {(c.kind, c.point) for c in wanted} >= theatre.listed
    rest = sorted(set(cells) - wanted)
    wanted |= set(random.Random(seed).sample(rest, SAMPLE))
    missed = [c for phase in PHASES for c in theatre.matrix(phase, [w for w in wanted if w.phase == phase])]
    print(table(theatre.killed))
    print(f"{theatre.killed.total()} kills, {len(theatre.lost)} lost, {len(theatre.doubled)} doubled")
    assert (theatre.lost, theatre.doubled, theatre.wrong, missed) == ([], [], [], [])
    assert theatre.killed.total() >= len(wanted)


def test_comparison_sees_access_entries(theatre):
    """The comparisons above are not blind to access entries."""
    model = theatre.model("exchucutil")
    first, applied = theatre.first[0][FOREST], model["apply"]["state"][0][FOREST]
    dn = next(dn for dn in first if dn.startswith("CN=UM DialPlan Container,"))
    before, after = entries_of_dacl(first[dn]["nTSecurityDescriptor"]), entries_of_dacl(applied[dn]["nTSecurityDescriptor"])
    assert len(after) == len(before) + 2
    assert access_in(first, predicted({"steps": model["apply"]["steps"]})[3])[dn].total() == 2


def test_comparison_sees_what_is_done_twice_or_never():
    step = {"id": "s1", "kind": "modify"}
    good = [{"step": "s1", "kind": k} for k in ("intent", "effect", "verified")]
    assert doubled_and_lost(good, [step]) == (set(), set())
    assert doubled_and_lost(good[:2] + good, [step]) == ({"s1"}, set())
    assert doubled_and_lost([good[0], *good[1:2], good[0], good[2]], [step]) == ({"s1"}, set())
    assert doubled_and_lost(good[:2], [step]) == (set(), {"s1"})
    assert doubled_and_lost([good[0], good[2]], [step]) == (set(), {"s1"})
