"""What comes to the two listeners from hands that should not: each refusal with its own outcome. Needs no lab.

Outcomes: `tls` the handshake is refused; `closed` the connection ends without a word; `UMX-N` the call ends with that
error; `status N` it ends with a status of gRPC itself; `open` it is taken.
"""

import datetime
import json
import os
import re
import select
import socket
import ssl
import struct
import subprocess
import time
from pathlib import Path

import pytest
from conftest import ROOT
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from stage.wire import field, hello, report_of_a_service

BUILD = Path(os.environ.get("UMX_BUILD", ROOT / "build")) / "bin"
HANDSHAKE, CONNECTIONS = 4, 60
ATTACH, RUN, ISSUE = "/umx.v1.Agents/Attach", "/umx.v1.Operators/Run", "/umx.v1.Operators/Issue"
UUID, SID, FOREST = "0a0b0c0d-0000-4000-8000-000000000001", "S-1-5-21-1-2-3-1105", "tls.test"
AGENT, OPERATOR = f"umx://tls/agent/{UUID}", f"umx://tls/operator/{SID}"
HOST = "server.tls.test"
DAY = datetime.timedelta(days=1)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def load_key(path):
    return serialization.load_pem_private_key(path.read_bytes(), None)


class Certificates:
    """Makes whatever certificate, by whichever issuer, the deployment's own included."""

    def __init__(self, data, place):
        self.place = place
        self.count = 0
        self.root = x509.load_pem_x509_certificate((data / "root.pem").read_bytes())
        self.root_key = load_key(data / "root/root.key")
        self.middle = x509.load_pem_x509_certificate((data / "ca/intermediate.pem").read_bytes())
        self.middle_key = load_key(data / "ca/intermediate.key")
        self.controller = data / "ca/controller.pem"

    def make(self, uri=AGENT, dns=(HOST,), issuer=None, chain=None, key=None, digest=hashes.SHA256, begin=-DAY, end=DAY,
             usage=ExtendedKeyUsageOID.CLIENT_AUTH, authority=False, unit=None, names=True, own=False):
        """A certificate and its key in a file; issuer: (certificate, key)."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        issuer = issuer or (self.middle, self.middle_key)
        now = datetime.datetime.utcnow()
        subject = [x509.NameAttribute(NameOID.COMMON_NAME, "made")]
        if unit:
            subject.append(x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit))
        builder = (x509.CertificateBuilder().subject_name(x509.Name(subject)).public_key(key.public_key())
                   .issuer_name(x509.Name(subject) if own else issuer[0].subject)
                   .serial_number(x509.random_serial_number()).not_valid_before(now + begin).not_valid_after(now + end)
                   .add_extension(x509.BasicConstraints(authority, None), True))
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), False)
        builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
            (key if own else issuer[1]).public_key()), False)
        san = [x509.UniformResourceIdentifier(u) for u in ([uri] if isinstance(uri, str) else uri)]
        san += [x509.DNSName(d) for d in dns]
        if names and san:
            builder = builder.add_extension(x509.SubjectAlternativeName(san), False)
        made = builder.sign(key if own else issuer[1], digest())
        path = self.write(key, [made, *([self.middle] if chain is None else chain)])
        return path, made, key

    def write(self, key, certificates):
        self.count += 1
        path = self.place / f"{self.count}.pem"
        path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                           serialization.NoEncryption()) +
                         b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certificates))
        path.chmod(0o600)
        return path

    def agent(self, **options):
        return self.make(**options)[0]

    def operator(self, uri=OPERATOR, unit=FOREST, **options):
        return self.make(uri=uri, dns=(), unit=unit, **options)[0]


class Target:
    """A controller on this machine, its forest out of reach."""

    def __init__(self, place):
        self.home = place
        self.data = place / "data"
        self.ports = {"agents": free_port(), "operators": free_port()}
        (place / "password").write_text("none\n")
        subprocess.run([BUILD / "umxd", "init", "--data", self.data, "--deployment", "tls", "--name", "localhost"],
                       check=True, capture_output=True)
        (place / "umxd.ini").write_text(
            f"[controller]\nagents = 127.0.0.1:{self.ports['agents']}\noperators = 127.0.0.1:{self.ports['operators']}\n"
            f"data = {self.data}\nrefresh = 0\nread_timeout = 2\nhandshake_timeout = {HANDSHAKE}\n"
            f"connections_per_address = {CONNECTIONS}\n[forest {FOREST}]\nside = exchange\nbind = simple\n"
            f"reader = reader@{FOREST}\nreader_password_file = {place}/password\ntls_ca = {self.data}/root.pem\n"
            f"operator_ca = {self.data}/root.pem\ndomain_controllers = 127.0.0.1\n")
        self.revoked = place / "revoked.pem"
        subprocess.run([BUILD / "umxd", "issue", "agent", HOST, "--data", self.data, "--out", self.revoked], check=True,
                       capture_output=True)
        issued = self.data / "ca/issued.tsv"
        fields = [line.split("\t") for line in issued.read_text().splitlines() if "\tagent\t" in line][-1]
        with issued.open("a") as lines:
            lines.write("\t".join([fields[0], "revoked", *fields[2:4], "-", *fields[5:7], "", ""]) + "\n")
        self.log = open(place / "log", "w")
        self.process = subprocess.Popen([BUILD / "umxd", "--config", place / "umxd.ini"], stderr=self.log)
        end = time.monotonic() + 30
        while "serves agents on" not in (place / "log").read_text():
            assert self.process.poll() is None and time.monotonic() < end, (place / "log").read_text()
            time.sleep(0.05)
        self.make = Certificates(self.data, place)
        self.make.revoked = self.revoked
        self.good_agent = self.make.agent()
        self.good_operator = self.make.operator(chain=[self.make.middle, self.make.root])

    def stop(self):
        self.process.terminate()
        assert self.process.wait(60) == 0, (self.home / "log").read_text()
        self.log.close()

    def umx(self, *arguments):
        done = subprocess.run([BUILD / "umx", "--controller", f"localhost:{self.ports['operators']}", "--identity",
                               self.good_operator, "-o", "json", *arguments], capture_output=True, text=True, timeout=60)
        assert done.stdout, done
        return json.loads(done.stdout)

    def memory(self):
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) * 1024

    def sockets(self):
        return sum("socket:" in os.readlink(p) for p in Path(f"/proc/{self.process.pid}/fd").iterdir() if p.is_symlink())

    # ---- one connection

    def connect(self, port):
        return socket.create_connection(("127.0.0.1", self.ports[port]), timeout=20)

    def wrap(self, connection, identity=None, alpn=("h2",), version=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        if version is not None:
            context.minimum_version = context.maximum_version = version
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if identity is not None:
            context.load_cert_chain(identity)
        return context.wrap_socket(connection)

    def outcome(self, port, identity=None, path=None, messages=(), raw=None, end=True, alpn=("h2",), version=None,
                content="application/grpc", patience=8):
        """What becomes of a call."""
        try:
            connection = self.wrap(self.connect(port), identity, alpn, version)
        except (ssl.SSLError, ConnectionError):
            return "tls"
        with connection:
            connection.settimeout(20)
            wire = Wire(connection)
            try:
                if raw is not None:
                    connection.sendall(raw)
                else:
                    connection.sendall(preface(path, content))
                    for number, message in enumerate(messages):
                        wire.send(message, end and number == len(messages) - 1)
            except OSError:
                pass  # what it said before it hung up is still to be read
            connection.settimeout(patience)
            return wire.listen()


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
WINDOW = 1 << 24


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def header(name, value):
    return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def preface(path, content):
    fields = [(":method", "POST"), (":scheme", "https"), (":path", path), (":authority", "localhost"),
              ("content-type", content), ("te", "trailers")]
    return (PREFACE + frame(4, 0, 0, struct.pack(">HI", 4, WINDOW)) +
            frame(1, 4, 1, b"".join(header(*f) for f in fields)))


def grpc(message, compressed=0, length=None):
    return bytes([compressed]) + struct.pack(">I", len(message) if length is None else length) + message


class Raw(bytes):
    """Bytes that are sent as they are, without the five bytes of a gRPC message before them."""


class Wire:
    """One stream of HTTP/2 over a connection: sends within the other side's windows, and says what became of it."""

    def __init__(self, connection):
        self.connection = connection
        self.data = b""
        self.window, self.stream = 65535, 65535
        self.greeted = False  # it has spoken HTTP/2: before that the end of the connection is TLS's
        self.outcome = None

    def send(self, message, last):
        data = message if isinstance(message, Raw) else grpc(message)
        at = 0
        while self.outcome is None and (at < len(data) or (last and not data)):
            room = min(self.window, self.stream, 16384)
            if room <= 0 and data:
                self.read()
                continue
            part = bytes(data[at:at + room])
            at += len(part)
            self.window, self.stream = self.window - len(part), self.stream - len(part)
            self.connection.sendall(frame(0, 1 if last and at >= len(data) else 0, 1, part))
            if not data:
                return

    def listen(self):
        try:
            while self.outcome is None:
                self.read()
        except TimeoutError:
            return "open"
        except OSError as error:
            if "timed out" in str(error):
                return "open"
            return "closed" if self.greeted else "tls"
        return self.outcome

    def read(self):
        more = self.connection.recv(65536)
        if not more:
            self.outcome = "closed" if self.greeted else "tls"
        self.data += more
        while self.outcome is None and len(self.data) >= 9:
            length = int.from_bytes(self.data[:3], "big")
            if len(self.data) < 9 + length:
                return
            kind, flags, stream = self.data[3], self.data[4], int.from_bytes(self.data[5:9], "big")
            payload, self.data = self.data[9:9 + length], self.data[9 + length:]
            self.take(kind, flags, stream, payload)

    def take(self, kind, flags, stream, payload):
        if kind == 1 and (said := re.search(rb"UMX-\d{4}", payload)):
            self.outcome = said[0].decode()
        elif kind == 1 and flags & 1:
            status = re.search(rb"grpc-status.(\d+)", payload, re.S)
            self.outcome = f"status {status[1].decode()}" if status else "closed"
        elif kind in (3, 7):
            self.outcome = "closed"
        elif kind == 4 and not flags & 1:
            self.greeted = True
            for at in range(0, len(payload), 6):
                name, value = struct.unpack(">HI", payload[at:at + 6])
                self.stream += value - 65535 if name == 4 else 0
            self.connection.sendall(frame(4, 1, 0))
        elif kind == 8:
            more = int.from_bytes(payload, "big")
            self.window += 0 if stream else more
            self.stream += more if stream else 0


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    place = Target(tmp_path_factory.mktemp("tls"))
    yield place
    place.stop()


# ---- certificates, as an agent shows them

def other_authority(make):
    _, certificate, key = make.make(own=True, authority=True, uri=(), dns=(), chain=[])
    return make.agent(issuer=(certificate, key), chain=[certificate])


def below_the_intermediate(make):
    _, certificate, key = make.make(authority=True, uri=(), dns=())
    return make.agent(issuer=(certificate, key), chain=[certificate, make.middle])


def below_an_agent(make):
    _, certificate, key = make.make()
    return make.agent(issuer=(certificate, key), chain=[certificate, make.middle])


CERTIFICATES = {
    "none": (lambda make: None, "tls"),
    "revoked": (lambda make: make.revoked, "UMX-1127"),
    "self-signed": (lambda make: make.agent(own=True, chain=[]), "tls"),
    "other authority": (other_authority, "tls"),
    "expired": (lambda make: make.agent(begin=-3 * DAY, end=-DAY), "tls"),
    "not yet valid": (lambda make: make.agent(begin=DAY, end=3 * DAY), "tls"),
    "wrong usage": (lambda make: make.agent(usage=ExtendedKeyUsageOID.SERVER_AUTH), "tls"),
    "code signing": (lambda make: make.agent(usage=ExtendedKeyUsageOID.CODE_SIGNING), "tls"),
    "RSA of 1024 bits": (lambda make: make.agent(key=rsa.generate_private_key(65537, 1024)), "tls"),
    "signed with SHA-1": (lambda make: make.agent(digest=hashes.SHA1), "tls"),
    "without the intermediate": (lambda make: make.agent(chain=[]), "tls"),
    "an authority below the intermediate": (below_the_intermediate, "tls"),
    "issued by an agent": (below_an_agent, "tls"),
    "issued by the root itself": (lambda make: make.agent(issuer=(make.root, make.root_key), chain=[]), "UMX-1181"),
    "the intermediate itself": (lambda make: make.write(make.middle_key, [make.middle]), "tls"),
    "an operator's": (lambda make: make.operator(), "UMX-1106"),
    "the controller's": (lambda make: make.controller, "UMX-1106"),
    "another deployment's name": (lambda make: make.agent(uri=f"umx://other/agent/{UUID}"), "UMX-1106"),
    "two names": (lambda make: make.agent(uri=(AGENT, OPERATOR)), "UMX-1104"),
    "no name": (lambda make: make.agent(names=False), "UMX-1104"),
    "a name of the web": (lambda make: make.agent(uri="https://tls/agent/1"), "UMX-1104"),
    "a role that is none": (lambda make: make.agent(uri=f"umx://tls/king/{UUID}"), "UMX-1104"),
    "a name with a path behind": (lambda make: make.agent(uri=AGENT + "/more"), "UMX-1104"),
    "an empty name": (lambda make: make.agent(uri="umx://tls/agent/"), "UMX-1104"),
    "no host": (lambda make: make.agent(dns=()), "UMX-1104"),
    "two hosts": (lambda make: make.agent(dns=(HOST, "other.tls.test")), "UMX-1104"),
}


@pytest.mark.parametrize("row", CERTIFICATES)
def test_certificates(target, row):
    make, expected = CERTIFICATES[row]
    assert target.outcome("agents", make(target.make), ATTACH, [hello(HOST)], end=False, patience=3) == expected


def test_the_same_with_a_good_one(target):
    """What is refused in this module is refused for what its row says."""
    assert target.outcome("agents", target.good_agent, ATTACH, [hello(HOST)], end=False, patience=1) == "open"


# ---- operators

OPERATORS = {
    "no certificate": (lambda t: None, RUN, field(1, "status"), "UMX-1103"),
    "an agent's": (lambda t: t.good_agent, RUN, field(1, "status"), "UMX-1106"),
    "the controller's": (lambda t: t.make.controller, RUN, field(1, "status"), "UMX-1106"),
    "another deployment's": (lambda t: t.make.operator(uri=f"umx://other/operator/{SID}"), RUN, field(1, "status"),
                             "UMX-1106"),
    "of a forest that is not configured": (lambda t: t.make.operator(unit="nowhere.test"), RUN, field(1, "status"),
                                           "UMX-1106"),
    "of no forest": (lambda t: t.make.operator(unit=None), RUN, field(1, "status"), "UMX-1104"),
    "expired": (lambda t: t.make.operator(begin=-3 * DAY, end=-DAY), RUN, field(1, "status"), "tls"),
    "unknown operation": (lambda t: t.good_operator, RUN, field(1, "nonsense"), "UMX-1603"),
    "no operation": (lambda t: t.good_operator, RUN, b"", "UMX-1603"),
    "not a message": (lambda t: t.good_operator, RUN, b"\xff" * 40, "UMX-1004"),
    "not JSON": (lambda t: t.good_operator, RUN, field(1, "query") + field(2, "{{{"), "UMX-1005"),
    "deep JSON": (lambda t: t.good_operator, RUN, field(1, "query") + field(2, '{"sql":' * 5000), "UMX-1005"),
    "a login without proof": (lambda t: None, ISSUE, field(1, b"x") + field(4, b"y"), "UMX-1803"),
    "a login with two proofs": (lambda t: None, ISSUE, field(1, b"x") + field(2, FOREST) + field(3, b"y") +
                                field(5, b"z"), "UMX-1111"),
    "a ticket that is garbage": (lambda t: None, ISSUE, field(1, b"x") + field(2, FOREST) + field(5, b"y") +
                                 field(6, b"z"), "UMX-1110"),
    "a login of 65 KB": (lambda t: None, ISSUE, field(1, bytes(65 * 1024)), "UMX-1010"),
    "the agents' method": (lambda t: t.good_operator, ATTACH, hello(HOST), "UMX-1603"),
    "an unknown method": (lambda t: None, "/umx.v1.Operators/Rule", b"", "UMX-1603"),
}


@pytest.mark.parametrize("row", OPERATORS)
def test_operators(target, row):
    identity, path, message, expected = OPERATORS[row]
    assert target.outcome("operators", identity(target), path, [message]) == expected


# ---- messages of an agent

LARGE = 300 * 1024

MESSAGES = {
    "two Hellos": ([hello(HOST), hello(HOST)], "UMX-1112"),
    "a Hello with a foreign name": ([hello("victim.tls.test")], "UMX-1109"),
    "a Hello with no name": ([field(1, field(3, 1))], "UMX-1109"),
    "another protocol": ([field(1, field(1, HOST) + field(2, "0") + field(3, 99))], "UMX-1112"),
    "a report before Hello": ([report_of_a_service(HOST, "x")], "UMX-1112"),
    "rows of another server": ([hello(HOST), report_of_a_service("victim.tls.test", "x")], "UMX-1109"),
    "not a message": ([b"\xff" * 64], "UMX-1004"),
    "nothing at all": ([b""], "UMX-1112"),
    "a field cut off": ([hello(HOST)[:-3]], "UMX-1004"),
    "a length beyond the end": ([b"\x0a\xff\xff\xff\xff\x07"], "UMX-1004"),
    "deep groups": ([b"\x0b" * 20000], "UMX-1004"),
    "deep messages": ([hello(HOST), field(2, field(6, b"")) * 1], "UMX-1112"),
    "300 KB": ([hello(HOST), field(2, bytes(LARGE))], "UMX-1010"),
    "600 KB": ([hello(HOST), field(2, bytes(2 * LARGE))], "status 8"),
    "250 KB of empty sub-messages": ([hello(HOST), field(2, field(1, "service") + field(3, bytes(32)) +
                                                         field(6, b"\x6a\x00" * 125000))], "UMX-1003"),
    # Nothing is unpacked: what says that it is compressed is taken as the bytes that it is.
    "compressed": ([Raw(grpc(b"\x1f\x8b" + bytes(20), compressed=1))], "UMX-1004"),
    # The half is thrown away, and the stream ends.
    "a message that ends early": ([Raw(grpc(b"abc", length=500))], "status 0"),
}


@pytest.mark.parametrize("row", MESSAGES)
def test_messages(target, row):
    messages, expected = MESSAGES[row]
    assert target.outcome("agents", target.good_agent, ATTACH, messages, end="early" in row, patience=5) == expected


def test_4_mb_of_empty_sub_messages(target):
    """Two million fields of nothing become no more than the arena holds."""
    before = target.memory()
    for message in (b"\xaa\x06\x00" * 1_400_000, field(1, "query") + field(2, '{"sql":[' + "{}," * 1_400_000 + "{}]}")):
        assert target.outcome("operators", target.good_operator, RUN, [message], patience=15).startswith("UMX-")
    assert target.memory() - before < 160 * 1024 * 1024


# ---- below and beside TLS

CONNECTIONS_OF = {
    "TLS 1.1": (dict(version=ssl.TLSVersion.TLSv1_1), "tls"),
    "no ALPN": (dict(alpn=(), raw=PREFACE), "tls"),
    "ALPN of HTTP/1.1": (dict(alpn=("http/1.1",), raw=b"GET / HTTP/1.1\r\n\r\n"), "tls"),
    "garbage after the handshake": (dict(raw=b"\x00\xff" * 4000), "closed"),
    "HTTP/1.1 after the handshake": (dict(raw=b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "closed"),
    "a frame of 16 MB": (dict(raw=PREFACE + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01"), "closed"),
    # gRPC does not look at it; what counts is what is in it.
    "wrong content type": (dict(path=ATTACH, messages=[hello("victim.tls.test")], content="text/html", end=False),
                           "UMX-1109"),
    "silence after the handshake": (dict(raw=b"", patience=4 * HANDSHAKE), "closed"),
}


@pytest.mark.parametrize("row", CONNECTIONS_OF)
def test_connections(target, row):
    how, expected = CONNECTIONS_OF[row]
    assert target.outcome("agents", target.good_agent, **how) == expected


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"SSH-2.0-x\r\n", bytes(range(256)) * 20],
                         ids=["plain HTTP", "SSH", "garbage"])
def test_no_tls(target, said):
    with target.connect("operators") as connection:
        connection.sendall(said)
        connection.settimeout(HANDSHAKE + 10)
        try:
            while connection.recv(4096):
                pass
        except ConnectionError:
            pass  # closed all the same


def test_slow_handshakes_hold_no_descriptor(target):
    """Twenty that say nothing, and one that says a byte a second of a ClientHello: all gone at the time limit."""
    before = target.sockets()
    silent = [target.connect("agents") for _ in range(20)]
    slow = target.connect("operators")
    hello_bytes = bytes.fromhex("160301020001000100") + bytes(500)
    end = time.monotonic() + HANDSHAKE + 15
    try:
        for at in range(HANDSHAKE + 10):
            slow.sendall(hello_bytes[at:at + 1])
            time.sleep(1)
            if target.sockets() <= before:
                break
    except OSError:
        pass  # that is what it is about
    while target.sockets() > before:
        assert time.monotonic() < end, (before, target.sockets())
        time.sleep(0.2)
    for connection in [*silent, slow]:
        connection.close()


def test_connections_of_one_address(target):
    """Those above the limit are closed at once; when others end, there is room again."""
    refused = target.umx("status")["refused"]["connections"]
    held = [target.connect("agents") for _ in range(2 * CONNECTIONS)]
    end = time.monotonic() + 20
    while (open_ones := len(held) - len(select.select(held, [], [], 0)[0])) > CONNECTIONS:
        assert time.monotonic() < end, open_ones
        time.sleep(0.02)  # the others' time for a handshake is not over yet
    assert open_ones > 0
    for connection in held:
        connection.close()
    end = time.monotonic() + 20
    while target.outcome("agents", target.good_agent, ATTACH, [hello(HOST)], end=False, patience=1) != "open":
        assert time.monotonic() < end
        time.sleep(0.3)
    assert target.umx("status")["refused"]["connections"] > refused


# ---- what is told of it

def test_refusals_are_counted_and_journaled(target):
    before = target.umx("status")["refused"]
    assert target.outcome("agents", None, ATTACH, [hello(HOST)]) == "tls"
    entry_of = target.make.operator(uri=f"umx://tls/operator/{SID}9")
    assert target.outcome("agents", entry_of, ATTACH, [hello(HOST)]) == "UMX-1106"
    end = time.monotonic() + 20
    while True:
        after = target.umx("status")["refused"]
        found = [e for e in target.umx("audit")["entries"] if e["kind"] == "refused" and
                 e["actor"] == f"umx://tls/operator/{SID}9"]
        if after["handshakes"] > before["handshakes"] and after["requests"] > before["requests"] and found:
            break
        assert time.monotonic() < end, (before, after)
        time.sleep(0.2)
    assert found[0]["error"] == "UMX-1106" and found[0]["peer"].startswith("127.0.0.1:") and found[0]["count"] == 1
    assert ATTACH in found[0]["detail"]


def test_a_flood_of_refusals_stays_small(target):
    """Hundreds of one kind are one entry, and all kinds together have a budget."""
    size = sum(p.stat().st_size for p in target.data.glob("journal.db*"))
    entries = len(target.umx("audit")["entries"])
    connection = target.wrap(target.connect("operators"))
    connection.sendall(PREFACE + frame(4, 0, 0))
    block = b"".join(header(*f) for f in [(":method", "POST"), (":scheme", "https"), (":path", RUN), (":authority", "x"),
                                          ("content-type", "application/grpc"), ("te", "trailers")])
    for number in range(300):
        connection.sendall(frame(1, 5, 2 * number + 1, block))
    connection.close()
    for number in range(70):
        identity = target.make.operator(uri=f"umx://tls/operator/{SID}{number + 100}")
        assert target.outcome("agents", identity, ATTACH, [hello(HOST)]) == "UMX-1106"
    time.sleep(1)
    assert len(target.umx("audit")["entries"]) - entries <= 66
    assert sum(p.stat().st_size for p in target.data.glob("journal.db*")) - size < 1024 * 1024
    assert target.umx("audit", "verify")["intact"]
