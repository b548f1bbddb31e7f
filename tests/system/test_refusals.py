"""Plans that are refused, each with its id: names, options, approvals, windows, what moved, lists out of order."""

import time

import pytest
from conftest import CONTOSO, FABRIKAM, LYNC
from plans import MODES, OUTDIAL, approve, changed, create, descriptor_of, dn_of, dumps, refused, show, write_dacl
from samba.dcerpc import security

from stage.programs import lab


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
