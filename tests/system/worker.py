"""Drives `umxd --worker` as the controller does: frames of WorkerRequest and WorkerReply over a socket."""

import functools
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from stage.programs import ROOT, inside

PROTO = ROOT / "proto"
SIDES = {"exchange": 1, "lync": 2, "both": 3}
ADD, DELETE, MODIFY, ACCESS = 1, 2, 3, 4
NOT_DONE, OURS, FOREIGN, UNCERTAIN = 1, 2, 3, 4


@functools.cache
def _pool():
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "schema.bin"
        subprocess.run(["protoc", "-I", PROTO, "-I", "/usr/include", "--include_imports", "-o", out,
                        *sorted((PROTO / "umx" / "v1").glob("*.proto"))], check=True, timeout=60)
        files = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return pool


def new(name, **fields):
    """A message of umx.v1."""
    kind = _pool().FindMessageTypeByName(f"umx.v1.{name}")
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(kind)(**fields)
    return message_factory.MessageFactory(_pool()).GetPrototype(kind)(**fields)


class Refused(Exception):
    """The worker answered with an error; `reply` is the whole last reply."""

    def __init__(self, reply):
        super().__init__(f"UMX-{reply.error.id} {reply.error.what}: {reply.error.why}")
        self.id = reply.error.id
        self.reply = reply


class Late(Exception):
    """No reply in time: what the controller answers by killing the worker."""


class Worker:
    """A worker of one forest; `who` names an operator's account instead of the reader or the writer."""

    def __init__(self, lab_dir, forest, role="reader", who=None, domain_controllers=None, **configure):
        facts = json.loads((Path(lab_dir) / "lab.json").read_text())["forests"][forest]
        account = facts["operators"][who] if who else facts[role]
        program = Path(os.environ.get("UMX_BUILD", ROOT / "build")) / "bin" / "umxd"
        self.socket, theirs = socket.socketpair()
        words, environment = inside(lab_dir, [program, "--worker"])
        self.process = subprocess.Popen(
            words, env=environment, close_fds=False,
            stdin=subprocess.DEVNULL, stdout=sys.stderr, preexec_fn=lambda: os.dup2(theirs.fileno(), 3))
        theirs.close()
        self.number = 0
        if domain_controllers is None:
            domain_controllers = [facts["domain_controllers"][0]["fqdn"]]
        request = new("WorkerRequest")
        for key, value in {"forest": forest, "side": SIDES[facts["side"]], "bind": 1, "account": account["principal"],
                           "keytab": account["keytab"], **configure}.items():
            if isinstance(value, list):
                getattr(request.configure, key).extend(value)
            else:
                setattr(request.configure, key, value)
        request.configure.domain_controller.extend(domain_controllers)
        self.call(request)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        try:
            code = self.process.wait(10)
            assert code in (0, -signal.SIGKILL), f"the worker ended with {code}"
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
            raise

    def _receive(self, count, end):
        data = b""
        while len(data) < count:
            self.socket.settimeout(max(end - time.monotonic(), 0.001))
            try:
                more = self.socket.recv(count - len(data))
            except socket.timeout:
                raise Late from None
            if not more:
                raise EOFError("the worker ended")
            data += more
        return data

    def call(self, request, deadline=30.0):
        """All replies; an error becomes Refused."""
        self.number += 1
        request.id = self.number
        request.deadline = int(deadline * 1000)
        packed = request.SerializeToString()
        end = time.monotonic() + deadline
        self.socket.sendall(struct.pack("<I", len(packed)) + packed)
        replies = []
        while not replies or not replies[-1].last:
            (length,) = struct.unpack("<I", self._receive(4, end))
            reply = new("WorkerReply")
            reply.ParseFromString(self._receive(length, end))
            assert reply.id == self.number
            replies.append(reply)
        if replies[-1].HasField("error"):
            raise Refused(replies[-1])
        return replies

    def read(self, *tables, **options):
        """The world that a read streams."""
        request = new("WorkerRequest")
        request.read.SetInParent()
        request.read.table.extend(tables)
        world = new("World")
        for reply in self.call(request, **options):
            assert len(reply.SerializeToString()) <= 256 * 1024
            world.MergeFrom(reply.part)
        return world

    def discover(self):
        """Host names of the forest's domain controllers."""
        request = new("WorkerRequest")
        request.discover.SetInParent()
        return list(self.call(request)[-1].discovered.domain_controller)

    def object(self, dn=None, **fields):
        request = new("WorkerRequest")
        if dn:
            request.read_object.dn = dn
        for key, value in fields.items():
            setattr(request.read_object, key, value)
        request.read_object.SetInParent()
        return self.call(request)[-1].object

    def intent(self, change, **fields):
        """What the journal would keep before this change."""
        state = self.object(change.dn, descriptor=change.kind == ACCESS)
        made = new("Intent", domain_controller=state.domain_controller, invocation_id=state.invocation_id, **fields)
        made.version.extend(state.version)
        if state.exists:
            made.object_guid = state.object_guid
        if state.HasField("descriptor"):
            made.descriptor = state.descriptor
        return made

    def apply(self, change, intent, **options):
        request = new("WorkerRequest")
        request.apply.change.CopyFrom(change)
        request.apply.intent.CopyFrom(intent)
        return self.call(request, **options)[-1]

    def probe(self, change, intent, **options):
        request = new("WorkerRequest")
        request.probe.change.CopyFrom(change)
        request.probe.intent.CopyFrom(intent)
        return self.call(request, **options)[-1]

    def preflight(self, *changes):
        request = new("WorkerRequest")
        request.preflight.SetInParent()
        request.preflight.change.extend(changes)
        return list(self.call(request)[-1].preflight.answer)

    def prove(self, target, *domain_controllers):
        request = new("WorkerRequest")
        request.prove_trust.target_forest = target
        request.prove_trust.domain_controller.extend(domain_controllers)
        return self.call(request)[-1].proof

    def membership(self, user_sid, group_sids):
        request = new("WorkerRequest")
        request.membership.user_sid = user_sid
        request.membership.group_sid.extend(group_sids)
        return self.call(request)[-1].membership


def add(dn, **attributes):
    change = new("Change", kind=ADD, dn=dn)
    for name, values in attributes.items():
        change.attribute.add(name=name).value.extend(values if isinstance(values, list) else [values])
    return change


def modify(dn, **attributes):
    """attribute=(old values, new values)"""
    change = new("Change", kind=MODIFY, dn=dn)
    for name, (old, values) in attributes.items():
        change.modify.add(name=name, remove=old, add=values)
    return change


def delete(dn):
    return new("Change", kind=DELETE, dn=dn)


def access(dn, sid, added=True, flags=2, mask=0x14):
    change = new("Change", kind=ACCESS, dn=dn)
    entry = change.access
    entry.add, entry.type, entry.flags, entry.mask, entry.trustee_sid = added, 0, flags, mask, sid
    return change


def values(state, name):
    return [value for attribute in state.attribute if attribute.name == name for value in attribute.value]


def version(state, name):
    return next((v.version for v in state.version if v.name == name), 0)
