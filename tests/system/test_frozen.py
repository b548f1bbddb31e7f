"""A frozen domain controller: every command returns by its deadline and names the forest; writes in flight are settled."""

import time

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


def test_a_write_in_flight_is_uncertain_and_settled_after_the_thaw(stage, fault):
    """The domain controller freezes while the plan writes: nothing is guessed, and after the thaw the plan ends well."""
    before = {f: stage.dump(f) for f in stage.lab["forests"]}
    create(stage, "cold-write")
    approve(stage, "cold-write")
    start(stage, "cold-write")
    fault("freeze-dc", dc(stage, "contoso.test"))
    plan = finish(stage, "cold-write", timeout=150, until=("suspended", "completed", "failed"))
    assert plan["state"] in ("suspended", "completed"), plan["state"]
    uncertain = [s for s in plan["steps"] if s["state"] == "uncertain"]
    lab(stage.lab_dir, "heal", timeout=120)
    if plan["state"] != "completed":
        assert uncertain or [s for s in plan["steps"] if s["state"] in ("pending", "intended")]
        end = time.monotonic() + 120
        while show(stage, "cold-write")["state"] == "suspended" and time.monotonic() < end:
            stage.umx(CONTOSO, "plan", "resume", "cold-write")
            time.sleep(2)
        plan = finish(stage, "cold-write")
    assert plan["state"] == "completed"
    entries = stage.umx(LYNC, "audit", "--plan", "cold-write").json["entries"]
    for step in uncertain:
        kinds = [e["kind"] for e in entries if e["step"] == step["id"]]
        assert "uncertain" in kinds and "settled" in kinds
    undo(stage, "cold-write")
    after = {f: stage.dump(f) for f in stage.lab["forests"]}
    assert {f: difference(before[f], after[f]) for f in before} == {f: {} for f in before}
