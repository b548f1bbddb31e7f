"""What tests of plans share: approving, running to the end, and comparing a preview with what happened."""

import base64
import time

from samba.dcerpc import security
from samba.ndr import ndr_unpack

from conftest import CONTOSO, FABRIKAM, LYNC

APPROVERS = (CONTOSO, FABRIKAM, LYNC)


def create(stage, name, *settings, who=CONTOSO, phase="exchucutil"):
    arguments = ["plan", "create", name, "--phase", phase]
    for setting in settings:
        arguments += ["--set", setting]
    answer = stage.umx(who, *arguments)
    assert answer.code == 0, answer
    return show(stage, name)


def show(stage, name):
    answer = stage.umx(LYNC, "plan", "show", name)
    assert answer.code == 0, answer
    return answer.json


def approve(stage, name, approvers=None):
    forests = show(stage, name)["forests"]
    answer = stage.umx(CONTOSO, "plan", "submit", name)
    assert answer.code == 0, answer
    for who in approvers or [a for a in APPROVERS if a[0] in forests]:
        answer = stage.umx(who, "plan", "approve", name, "--forest", who[0])
        assert answer.code == 0, answer
    assert show(stage, name)["state"] == "approved"


def start(stage, name):
    answer = stage.umx(CONTOSO, "plan", "start", name)
    assert answer.code == 0, answer


def finish(stage, name, timeout=120, until=("completed", "failed", "cancelled", "suspended")):
    """Confirms gates as they come until the plan is at rest; returns it."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        plan = show(stage, name)
        if plan["state"] in until:
            return plan
        for step in plan["steps"]:
            if step["kind"] == "gate" and step["state"] == "intended":
                who = next(a for a in APPROVERS if a[0] == step["forest"])
                stage.umx(who, "plan", "confirm", name, step["id"], "--comment", "done")
        time.sleep(0.1)
    raise AssertionError(f"plan {name} is {plan['state']} after {timeout} s")


def run(stage, name, *settings):
    """A plan from nothing to its end."""
    plan = create(stage, name, *settings)
    if not plan["steps"]:
        return plan
    approve(stage, name)
    start(stage, name)
    plan = finish(stage, name)
    assert plan["state"] == "completed", [s for s in plan["steps"] if s["error"]]
    assert {s["state"] for s in plan["steps"]} == {"verified"}
    return plan


def undo(stage, name):
    answer = stage.umx(CONTOSO, "plan", "undo", name)
    assert answer.code == 0, answer
    back = f"{name}-undo"
    if show(stage, back)["state"] == "draft":
        approve(stage, back)
    start(stage, back)
    plan = finish(stage, back)
    assert plan["state"] == "completed", [s for s in plan["steps"] if s["error"]]
    return plan


def entries_of_dacl(values):
    """The explicit entries of a dumped nTSecurityDescriptor in SDDL, sorted."""
    descriptor = ndr_unpack(security.descriptor, base64.b64decode(values[0].removeprefix("base64:")))
    domain = security.dom_sid("S-1-5-21-0-0-0")
    one = security.descriptor()
    texts = []
    for ace in descriptor.dacl.aces:
        if ace.flags & security.SEC_ACE_FLAG_INHERITED_ACE:
            continue
        one.dacl = security.acl()
        one.dacl.aces = [ace]
        one.dacl.num_aces = 1
        one.type = security.SEC_DESC_DACL_PRESENT
        texts.append(one.as_sddl(domain).removeprefix("D:"))
    return sorted(texts)


def predicted(plan):
    """{DN: {attribute: values}} of what the directory steps say will be there, gone, changed; access as added entries."""
    adds, deletes, changes, access = {}, set(), {}, {}
    for step in plan["steps"]:
        change = step["change"]
        kind = step["kind"]
        if kind == "add":
            adds[change["dn"]] = {a["name"]: sorted(a["value"]) for a in change["attribute"]}
        elif kind == "delete":
            deletes.add(change["dn"])
        elif kind == "modify":
            for modify in change["modify"]:
                changes.setdefault(change["dn"], {})[modify["name"]] = (modify["remove"], modify["add"])
        elif kind == "access":
            access.setdefault(change["dn"], []).append(change["access"])
    return adds, deletes, changes, access
