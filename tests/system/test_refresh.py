"""A refreshed world is the world: after random changes what is merged equals what is read anew, record for record."""

import random
import re
import struct

import pytest

from conftest import LYNC
from stage.programs import lab
from stage.stage import Stage
from worker import Worker, new

BASE = "DC=lync,DC=test"
STAFF = f"OU=Staff,{BASE}"
HOME = "CN=LC Services,CN=Microsoft,CN=1:1,CN=Pools,CN=RTC Service,CN=Services,CN=Configuration,DC=lync,DC=test"
FOREIGN = {"collected_at", "highest_usn", "clock_offset"}
TABLES = ("forest", "voice_user", "mailbox_user", "contact", "organizational_unit", "lync_pool", "access_entry",
          "admin_group", "container", "domain", "trust")


@pytest.fixture(scope="module", autouse=True)
def forests_as_before(fleet, tmp_path_factory):
    """The forests are put back at the end."""
    before = tmp_path_factory.mktemp("before") / "lab.tar.zst"
    lab(fleet, "snapshot", before, timeout=120)
    yield
    lab(fleet, "restore", before, timeout=120)


@pytest.fixture(scope="module")
def alone(fleet, forests_as_before):
    """A controller of its own, without agents."""
    play = Stage(fleet, name="refresh").make()
    play.start_controller()
    yield play
    play.stop()


def records(world):
    """{table: sorted texts}, without what differs between two reads of the same."""
    found = {}
    for table in TABLES:
        texts = []
        for record in getattr(world, table):
            if record.forest != "lync.test":
                continue
            lines = []
            for field, value in record.ListFields():
                if field.name not in FOREIGN:
                    value = sorted(value) if field.label == field.LABEL_REPEATED else value
                    lines.append(f"{field.name}={value!r}")
            texts.append("\n".join(lines))
        found[table] = sorted(texts)
    return found


def snapshot(stage, name):
    path = stage.home / name
    stage.umx(LYNC, "snapshot", "save", path)
    data, world = path.read_bytes(), new("World")
    at = data.index(b"\n") + 1
    while at < len(data):
        (length,) = struct.unpack("<I", data[at:at + 4])
        world.MergeFromString(data[at + 4:at + 4 + length])
        at += 4 + length
    return world


class Directory:
    """Random changes, remembered as far as the next ones need it."""

    def __init__(self, fleet, folder, seed):
        self.fleet, self.file, self.random = fleet, folder / "changes.ldif", random.Random(seed)
        self.number, self.ldif, self.units = seed * 1000, [], [STAFF]
        with Worker(fleet, "lync.test") as worker:
            world = worker.read()
        plain = re.compile(r"^[\x21-\x7e ]+$")
        self.users = [u.dn for u in world.voice_user if plain.match(u.dn) and "\\" not in u.dn]
        self.contacts = [c.dn for c in world.contact]

    def change(self, dn, *lines):
        self.ldif.append("\n".join((f"dn: {dn}", *lines)) + "\n")

    def name(self, kind):
        self.number += 1
        return f"{kind} {self.number}"

    def take(self, of):
        return of.pop(self.random.randrange(len(of)))

    def add_user(self):
        dn = f"CN={self.name('Refresh')},{self.random.choice(self.units)}"
        self.change(dn, "changetype: add", "objectClass: user", f"sAMAccountName: refresh{self.number}",
                    "msRTCSIP-UserEnabled: TRUE", f"msRTCSIP-PrimaryUserAddress: sip:r{self.number}@lync.test",
                    f"msRTCSIP-OptionFlags: {self.random.choice((256, 384))}", f"msRTCSIP-PrimaryHomeServer: {HOME}")
        self.users.append(dn)

    def add_contact(self):
        dn = f"CN={self.name('Contact')},{self.random.choice(self.units)}"
        self.change(dn, "changetype: add", "objectClass: contact", "msRTCSIP-SourceObjectType: -1879048192",
                    f"otherIpPhone: sip:c{self.number}@lync.test;opaque=app:exum:P.contoso.test")
        self.contacts.append(dn)

    def delete(self):
        of = self.random.choice([of for of in (self.users, self.contacts) if of])
        self.change(self.take(of), "changetype: delete")

    def move(self):
        of = self.random.choice([of for of in (self.users, self.contacts) if of])
        dn, unit = self.take(of), self.random.choice(self.units)
        new_name = f"CN={self.name('Moved')}"
        self.change(dn, "changetype: modrdn", f"newrdn: {new_name}", "deleteoldrdn: 1", f"newsuperior: {unit}")
        of.append(f"{new_name},{unit}")

    def write(self):
        name, value = self.random.choice((("msRTCSIP-Line", f"tel:+{self.number}"), ("displayName", "Wörd"),
                                          ("proxyAddresses", f"sip:x{self.number}@lync.test"), ("mail", "a@b.test")))
        self.number += 1
        self.change(self.random.choice(self.users), "changetype: modify", f"replace: {name}", f"{name}: {value}")

    def disable(self):
        self.change(self.random.choice(self.users), "changetype: modify", "replace: msRTCSIP-UserEnabled",
                    "msRTCSIP-UserEnabled: FALSE")

    def leave_lync(self):
        self.change(self.take(self.users), "changetype: modify", "delete: msRTCSIP-UserEnabled")

    def add_unit(self):
        dn = f"OU={self.name('Unit')},{self.random.choice(self.units[1:] or [BASE])}"
        self.change(dn, "changetype: add", "objectClass: organizationalUnit")
        self.units.append(dn)

    def rename_unit(self):
        if len(self.units) < 2:
            return self.add_unit()
        old = self.random.choice(self.units[1:])
        relative, parent = f"OU={self.name('Renamed')}", old.split(",", 1)[1]
        self.change(old, "changetype: modrdn", f"newrdn: {relative}", "deleteoldrdn: 1")
        for of in (self.units, self.users, self.contacts):
            of[:] = [re.sub(rf"(^|,){re.escape(old)}$", rf"\1{relative},{parent}", dn) for dn in of]

    def some(self, count):
        actions = [self.add_user, self.add_user, self.add_contact, self.delete, self.move, self.move, self.write,
                   self.write, self.disable, self.leave_lync, self.add_unit, self.rename_unit]
        for _ in range(count):
            self.random.choice(actions)()
        self.file.write_text("\n".join(self.ldif))
        self.ldif.clear()
        lab(self.fleet, "load", "lync.test", self.file)


def refreshes(stage):
    return len(re.findall(r"lync\.test: refreshed in", stage.controller.log.read_text(errors="replace")))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_refreshed_world_equals_a_new_one(fleet, alone, tmp_path, seed):
    print("seed", seed)
    directory = Directory(fleet, tmp_path, seed)
    snapshot(alone, "first")
    for step in range(4):
        directory.some(12)
        before = refreshes(alone)
        merged = records(snapshot(alone, f"world-{seed}-{step}"))
        with Worker(fleet, "lync.test") as worker:
            anew = records(worker.read())
        for table in TABLES:
            assert merged[table] == anew[table], f"seed {seed}, step {step}, {table}"
        assert refreshes(alone) == before + 1, "it was not read whole"


def test_with_the_right_to_replicate_nothing_is_listed(fleet, tmp_path):
    """DirSync tells deletions to those who may replicate; others list what is still there."""
    request = new("WorkerRequest")

    def ask(worker, since):
        request.Clear()
        request.read.SetInParent()
        request.read.since.extend(since)
        return worker.call(request)[-1]

    directory = Directory(fleet, tmp_path, 9)
    with Worker(fleet, "lync.test") as reader, Worker(fleet, "lync.test", who="ella.enterprise") as admin:
        starts = [ask(worker, []).sync for worker in (reader, admin)]
        assert len(starts[0]) == 1 and starts[0][0].naming_context == BASE
        directory.change(directory.users[0], "changetype: delete")
        directory.some(0)
        ordinary, right = ask(reader, starts[0]), ask(admin, starts[1])
        assert ordinary.lists_present and len(ordinary.present) > 190 and not ordinary.full
        assert not right.lists_present and not right.present and len(right.gone) == 1 and not right.full
        assert right.gone[0] not in list(ordinary.present)
        nothing = ask(admin, right.sync)
        assert not nothing.gone and not nothing.full
        start = new("SyncState", naming_context=BASE, cookie=b"nonsense")
        assert ask(reader, [start]).full, "a cookie that is refused"
        assert ask(reader, [new("SyncState", naming_context="DC=other", cookie=starts[0][0].cookie)]).full
