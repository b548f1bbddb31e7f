"""Plans: preview equals effect in every mode, a second plan is empty, undo restores; and every refusal with its id."""

import pytest
from conftest import CONTOSO, LYNC
from plans import approve, create, entries_of_dacl, finish, predicted, run, show, start, undo

from stage.programs import lab
from stage.stage import difference

MAP = "exchucutil.hunt-map="
MODES = {
    "safe-mesh": ["exchucutil.outdial=pool1.lync.test"],
    "faithful": ["exchucutil.mode=faithful"],
}
# What a domain controller adds to an object by itself.
SYSTEM = {"cn", "name", "distinguishedName", "instanceType", "objectCategory", "nTSecurityDescriptor",
          "showInAdvancedViewOnly"}


def dumps(stage):
    return {forest: stage.dump(forest) for forest in stage.lab["forests"]}


def changed(before, after):
    return {dn: entry for forest in before for dn, entry in difference(before[forest], after[forest]).items()}


def assert_effect_is_preview(plan, before, after):
    adds, deletes, changes, access = predicted(plan)
    seen = changed(before, after)
    gone = {dn for dn, entry in seen.items() if None in entry and entry[None][1] is None}
    new = {dn: entry[None][1] for dn, entry in seen.items() if None in entry and entry[None][0] is None}
    touched = {dn: entry for dn, entry in seen.items() if None not in entry}
    assert gone == deletes - set(adds)
    assert set(new) == set(adds) - deletes | (set(adds) & set(new))
    for dn, attributes in new.items():
        got = {name: values for name, values in attributes.items() if name not in SYSTEM or name in adds[dn]}
        want = {name: sorted(values) for name, values in adds[dn].items()}
        assert {n: sorted(v) for n, v in got.items()} == want, dn
    for dn, entry in touched.items():
        for name, (old, now) in entry.items():
            if name == "nTSecurityDescriptor":
                was, is_now = entries_of_dacl(old), entries_of_dacl(now)
                for sddl in was:
                    is_now.remove(sddl)
                added = access.get(dn, [])  # below it, inherited entries follow
                assert len(is_now) == len(added), (dn, is_now)
                sids = sorted(a["trustee_sid"] for a in added)
                assert sorted(s.rstrip(")").rsplit(";", 1)[1] for s in is_now) == sids
            elif name in changes.get(dn, {}):
                removed, added = changes[dn][name]
                assert (sorted(old or []), sorted(now or [])) == (sorted(removed), sorted(added)), (dn, name)
            else:
                # Back links follow the objects that were added or deleted with their forward links.
                assert name.endswith("BL"), (dn, name)
    assert set(access) <= set(touched)
    assert set(changes) <= set(touched) | set(adds)


@pytest.mark.parametrize("mode", ["safe-mesh", "safe-map", "faithful"])
def test_preview_equals_effect_and_undo_restores(stage, mode):
    settings = MODES.get(mode) or safe_map(stage)
    before = dumps(stage)
    plan = run(stage, f"apply-{mode}", *settings)
    assert plan["steps"]
    after = dumps(stage)
    assert_effect_is_preview(plan, before, after)
    assert create(stage, f"again-{mode}", *settings)["steps"] == []
    undo(stage, f"apply-{mode}")
    assert changed(before, dumps(stage)) == {}


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
    return ["exchucutil.mode=safe-map", "exchucutil.outdial=pool1.lync.test", MAP + ",".join(pairs)]


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


def test_approvals_that_are_refused(stage):
    create(stage, "refusals")
    assert stage.umx(CONTOSO, "plan", "submit", "refusals").code == 0
    ned = stage.umx(("contoso.test", "ned.nobody"), "plan", "approve", "refusals", "--forest", "contoso.test")
    assert (ned.code, ned.error) == (3, "UMX-1404"), ned
    lars = stage.umx(LYNC, "plan", "approve", "refusals", "--forest", "contoso.test")
    assert (lars.code, lars.error) == (3, "UMX-1403"), lars
    assert stage.umx(CONTOSO, "plan", "approve", "refusals", "--forest", "contoso.test").code == 0
    early = stage.umx(CONTOSO, "plan", "start", "refusals")
    assert early.error in ("UMX-1401", "UMX-1402"), early
    assert stage.umx(CONTOSO, "plan", "withdraw", "refusals", "--forest", "contoso.test").code == 0
    assert stage.umx(CONTOSO, "plan", "cancel", "refusals").code == 0


def test_stale_plan(stage):
    """An object that the plan depends on changes after the approvals: start refuses and says what moved."""
    plan = create(stage, "stale")
    target = next(s["change"]["dn"] for s in plan["steps"] if s["kind"] == "add" and "Container" in s["change"]["dn"])
    approve(stage, "stale")
    forest = next(s["forest"] for s in plan["steps"] if s["change"]["dn"] == target)
    ldif = stage.home / "intruder.ldif"
    ldif.write_text(f"dn: {target}\nobjectClass: msExchUMIPGateway\nmsExchUMIPGatewayAddress: intruder.test\n")
    lab(stage.lab_dir, "load", forest, ldif)
    try:
        answer = stage.umx(CONTOSO, "plan", "start", "stale")
        assert (answer.code, answer.error) == (1, "UMX-1406"), answer
        assert target in answer.err
    finally:
        ldif.write_text(f"dn: {target}\nchangetype: delete\n")
        lab(stage.lab_dir, "load", forest, ldif)
        stage.umx(CONTOSO, "plan", "cancel", "stale")


def test_journal_chain(stage):
    answer = stage.umx(LYNC, "audit", "verify")
    assert answer.code == 0 and answer.json["intact"] is True and answer.json["entries"] > 0
    assert answer.json["first_bad"] is None


def test_suspend_resume_cancel(stage):
    create(stage, "pause")
    approve(stage, "pause")
    start(stage, "pause")
    assert stage.umx(CONTOSO, "plan", "suspend", "pause").code == 0
    plan = finish(stage, "pause", until=("suspended", "completed"))
    assert plan["state"] == "suspended", plan["state"]
    assert stage.umx(CONTOSO, "plan", "resume", "pause").code == 0
    plan = finish(stage, "pause")
    assert plan["state"] == "completed", plan["state"]
    undo(stage, "pause")
    assert show(stage, "pause")["state"] == "completed"
