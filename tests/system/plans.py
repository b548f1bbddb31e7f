"""What tests of plans share: approving, running to the end, and comparing a preview with what happened."""

import base64
import re
import time
from collections import Counter

from samba.dcerpc import security
from samba.ndr import ndr_pack, ndr_unpack

from conftest import CONTOSO, FABRIKAM, LYNC

from stage.stage import OF_AN_OBJECT, difference

APPROVERS = (CONTOSO, FABRIKAM, LYNC)


def create(stage, name, *settings, who=CONTOSO, phase="exchucutil", pair=None, arguments=()):
    arguments = ["plan", "create", name, "--phase", phase, *(["--pair", pair] if pair else []), *arguments]
    for setting in settings:
        arguments += ["--set", setting]
    answer = stage.umx(who, *arguments)
    assert answer.code == 0, answer
    return show(stage, name)


def show(stage, name):
    answer = stage.umx(LYNC, "plan", "show", name)
    assert answer.code == 0, answer
    return answer.json


def approve(stage, name, approvers=None, whole=True):
    forests = show(stage, name)["forests"]
    answer = stage.umx(CONTOSO, "plan", "submit", name)
    assert answer.code == 0, answer
    for who in approvers or [a for a in APPROVERS if a[0] in forests]:
        answer = stage.umx(who, "plan", "approve", name, "--forest", who[0])
        assert answer.code == 0, answer
    assert show(stage, name)["state"] == ("approved" if whole else "submitted")


def start(stage, name):
    answer = stage.umx(CONTOSO, "plan", "start", name)
    assert answer.code == 0, answer


def finish(stage, name, timeout=400, until=("completed", "failed", "cancelled", "suspended")):
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


# ---- access-control lists


def descriptor_of(values):
    """A dumped nTSecurityDescriptor; a copy that may be changed."""
    return ndr_unpack(security.descriptor, base64.b64decode(values[0].removeprefix("base64:")))


def sid_of(values):
    """A dumped objectSid as text."""
    return str(ndr_unpack(security.dom_sid, base64.b64decode(values[0].removeprefix("base64:"))))


def text_of(ace):
    one = security.descriptor()
    one.dacl = security.acl()
    one.dacl.aces = [ace]
    one.dacl.num_aces = 1
    one.type = security.SEC_DESC_DACL_PRESENT
    return one.as_sddl(security.dom_sid("S-1-5-21-0-0-0")).removeprefix("D:")


def entries_of_dacl(values):
    """The entries of a dumped nTSecurityDescriptor, inherited ones too, in SDDL, sorted."""
    return sorted(text_of(ace) for ace in descriptor_of(values).dacl.aces)


def _is_protected(entry):
    return bool(descriptor_of(entry["nTSecurityDescriptor"]).type & security.SEC_DESC_DACL_PROTECTED)


def access_in(entries, access):
    """{DN: entries in SDDL} that adding `access` ({DN: changes}) means for a forest: at its objects and, where a change
    is inheritable and nothing below keeps it off, at everything below them."""
    expected = {}
    for target, changes in access.items():
        if target not in entries:
            continue
        for change in changes:
            ace = security.descriptor.from_sddl("D:" + change["sddl"], security.dom_sid("S-1-5-21-0-0-0")).dacl.aces[0]
            assert str(ace.trustee) == change["trustee_sid"] and ace.access_mask == change["mask"]
            expected.setdefault(target, Counter())[text_of(ace)] += 1
            if not ace.flags & security.SEC_ACE_FLAG_CONTAINER_INHERIT:
                continue
            ace.flags |= security.SEC_ACE_FLAG_INHERITED_ACE
            for dn in entries:
                if dn.endswith("," + target) and not any(_is_protected(entries[up]) for up in _path(dn, target)):
                    expected.setdefault(dn, Counter())[text_of(ace)] += 1
    return expected


def _path(dn, end):
    """The object and those above it, up to and without `end`."""
    while dn != end:
        yield dn
        dn = re.split(r"(?<!\\),", dn, maxsplit=1)[1]


def write_dacl(stage, forest, dn, aces, values):
    """Writes the entries in this order as the forest's administrator; the rest is as in the dumped descriptor."""
    descriptor = descriptor_of(values)
    dacl = security.acl()
    dacl.revision = descriptor.dacl.revision
    dacl.aces = aces
    dacl.num_aces = len(aces)
    descriptor.dacl = dacl
    lab = stage.lab["forests"][forest]
    answer = stage.run("/usr/bin/python3", "-c", WRITE, lab["domain_controllers"][0]["fqdn"], lab["admin"]["user"],
                       lab["admin"]["password_file"], dn, base64.b64encode(ndr_pack(descriptor)).decode())
    assert answer.code == 0, answer


# Runs inside the lab. ldapmodify cannot send the control that keeps owner and group.
WRITE = """
import base64, sys
import ldb
from samba.credentials import Credentials
from samba.param import LoadParm
from samba.samdb import SamDB
host, user, password, dn, value = sys.argv[1:]
parameters = LoadParm()
parameters.load_default()
administrator = Credentials()
administrator.guess(parameters)
administrator.set_username(user.split("@")[0])
administrator.set_domain(user.split("@")[1])
administrator.set_password(open(password).read().strip())
directory = SamDB(url="ldap://" + host, credentials=administrator, lp=parameters)
message = ldb.Message(ldb.Dn(directory, dn))
message["nTSecurityDescriptor"] = ldb.MessageElement(base64.b64decode(value), ldb.FLAG_MOD_REPLACE, "nTSecurityDescriptor")
directory.modify(message, controls=["sd_flags:1:4"])
"""


# ---- previews


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


# ---- a plan and what it did

OUTDIAL = "exchucutil.outdial=pool1.lync.test"
MODES = {
    "safe-mesh": [OUTDIAL],
    "faithful": ["exchucutil.mode=faithful"],
}
# What a domain controller adds to an object by itself.
SYSTEM = {"cn", "name", "distinguishedName", "instanceType", "objectCategory", "nTSecurityDescriptor",
          "showInAdvancedViewOnly", *OF_AN_OBJECT}


def dumps(stage):
    return {forest: stage.dump(forest) for forest in stage.lab["forests"]}


def changed(before, after, recreated=()):
    return {dn: entry for forest in before
            for dn, entry in difference(before[forest], after[forest], recreated).items()}


def dn_of(forest, dump, rdn):
    return next(dn for dn in dump[forest] if dn.startswith(rdn + ","))


def assert_effect_is_preview(plan, before, after):
    adds, deletes, changes, access = predicted(plan)
    seen = changed(before, after)
    gone = {dn for dn, entry in seen.items() if None in entry and entry[None][1] is None}
    new = {dn: entry[None][1] for dn, entry in seen.items() if None in entry and entry[None][0] is None}
    touched = {dn: entry for dn, entry in seen.items() if None not in entry}
    assert gone == deletes - set(adds)
    assert set(new) == set(adds)
    for dn, attributes in new.items():
        got = {name: values for name, values in attributes.items() if name not in SYSTEM or name in adds[dn]}
        assert got == {name: sorted(values) for name, values in adds[dn].items()}, dn
    expected = {dn: entries for forest in before for dn, entries in access_in(before[forest], access).items()
                if dn not in gone}
    lists = {dn: entry.pop("nTSecurityDescriptor") for dn, entry in touched.items() if "nTSecurityDescriptor" in entry}
    assert {dn: Counter(entries_of_dacl(now)) - Counter(entries_of_dacl(old)) for dn, (old, now) in lists.items()} == expected
    assert all(not Counter(entries_of_dacl(old)) - Counter(entries_of_dacl(now)) for old, now in lists.values())
    for dn, modified in changes.items():
        assert set(modified) <= set(touched[dn]), dn
    for dn, entry in touched.items():
        for name, (old, now) in entry.items():
            if name in changes.get(dn, {}):
                removed, added = changes[dn][name]
                assert (sorted(old or []), sorted(now or [])) == (sorted(removed), sorted(added)), (dn, name)
            else:
                # Back links follow the objects that were added or deleted with their forward links.
                assert name.endswith("BL") and set(old or []) ^ set(now or []) <= set(new) | gone, (dn, name)


def refused(stage, who, error, code, *arguments):
    answer = stage.umx(who, *arguments)
    assert (answer.error, answer.code) == (error, code), answer
    return answer
