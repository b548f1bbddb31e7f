"""A stage: a controller, agents and operators on a running lab. The demo and the system tests play on it."""

import base64
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

from .programs import ROOT, Answer, Daemon, Failed, inside, lab

AGENTS = "127.77.3.1:7443"
OPERATORS = "127.77.3.1:7444"


class Stage:
    """Everything lives in one directory below the lab's, and goes with it."""

    def __init__(self, lab_dir, build=None, name="stage"):
        self.lab_dir = Path(lab_dir)
        self.build = Path(build or os.environ.get("UMX_BUILD", ROOT / "build")) / "bin"
        self.lab = json.loads((self.lab_dir / "lab.json").read_text())
        self.home = self.lab_dir / name
        self.data = self.home / "data"
        self.config = self.home / "umxd.ini"
        self.controller = None
        self.agents = {}
        self.identities = {}
        self.agent_settings = ""  # lines for every agent's configuration

    # ---- making

    def make(self, **options):
        """A deployment and its configuration; options are lines of [controller], or of a forest as FOREST.KEY."""
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True)
        self.write_config(**options)
        self.umxd("init", "--data", self.data, "--deployment", "lab", "--name", "controller.lab.test",
                  "--name", OPERATORS.split(":")[0])
        return self

    def write_config(self, **options):
        lines = ["[controller]", f"agents = {AGENTS}", f"operators = {OPERATORS}", f"data = {self.data}"]
        lines += [f"{key} = {value}" for key, value in {"refresh": 0, "report_interval": 300, **options}.items()
                  if "." not in key]
        for name, forest in self.lab["forests"].items():
            values = {
                "side": forest["side"],
                "bind": "gssapi",
                "reader": forest["reader"]["principal"],
                "reader_keytab": forest["reader"]["keytab"],
                "writer": forest["writer"]["principal"],
                "writer_keytab": forest["writer"]["keytab"],
                "operator_ca": forest["operator_ca"]["certificate"],
                "service": forest["login"]["service"],
                "service_keytab": forest["login"]["keytab"],
                "domain_controllers": ", ".join(dc["fqdn"] for dc in forest["domain_controllers"]),
            }
            for key, value in options.items():
                if key.startswith(name + "."):
                    values[key[len(name) + 1:]] = value
            lines += [f"[forest {name}]"] + [f"{key} = {value}" for key, value in values.items() if value is not None]
        self.config.write_text("\n".join(lines) + "\n")

    # ---- programs

    def run(self, *argv, timeout=300, environment=None):
        """Runs a program inside the lab."""
        started = time.monotonic()
        words, variables = inside(self.lab_dir, argv, environment)
        done = subprocess.run(words, text=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout,
                              env=variables)
        return Answer(done, time.monotonic() - started)

    def umxd(self, *arguments):
        answer = self.run(self.build / "umxd", *arguments)
        if answer.code != 0:
            raise Failed(f"umxd {' '.join(map(str, arguments))}: {answer}")
        return answer

    def start_controller(self, wait=True, environment=None):
        self.controller = Daemon("umxd", self.lab_dir, self.home / "umxd.log",
                                 [self.build / "umxd", "--config", self.config], environment)
        after = self.controller.log.stat().st_size if self.controller.log.exists() else 0
        self.controller.start()
        if wait:
            self.controller.wait_for("serves agents on", after=after)
        return self.controller

    def start_agents(self, servers=None):
        """Issues and starts an agent for every recorded server (or those named), and waits until all have reported."""
        for server in self.lab["servers"]:
            if servers is None or server["fqdn"] in servers:
                self.start_agent(server)
        self.wait_agents(len(self.agents))

    def start_agent(self, server, identity=None, config=None):
        fqdn = server["fqdn"]
        identity = identity or self.home / f"{fqdn}.pem"
        if not identity.exists():
            self.umxd("issue", "agent", fqdn, "--data", self.data, "--out", identity)
        state = self.home / f"{fqdn}.state"  # the agents share a machine here, not what they keep
        state.mkdir(mode=0o700, exist_ok=True)
        config = config or self.home / f"{fqdn}.ini"
        config.write_text(f"[agent]\ncontroller = {AGENTS}\nidentity = {identity}\nhost = recorded:{server['host_dir']}\n"
                          f"state = {state}\nstart_jitter = 0\n{self.agent_settings}")
        agent = Daemon(f"umx-agent {fqdn}", self.lab_dir, self.home / f"{fqdn}.log",
                       [self.build / "umx-agent", "--config", config])
        self.agents[fqdn] = agent.start()
        return agent

    def wait_agents(self, count, timeout=60):
        """Until that many agents are connected and have reported their services."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            answer = self.umx_any("query", "-o", "json", "SELECT count(DISTINCT server) AS n FROM service")
            if answer.code == 0 and answer.json["rows"][0]["n"] >= count:
                return
            time.sleep(0.2)
        raise Failed(f"not all {count} agents reported within {timeout} s: {answer}")

    def wait_shells(self, timeout=300):
        """Until every Lync server has told the topology as its management shell knows it: a shell takes its time to
        start, and a plan made before has gates and open questions in place of restarts."""
        wanted = {s["fqdn"] for s in self.lab["servers"] if self.lab["forests"][s["forest"]]["side"] == "lync"}
        end = time.monotonic() + timeout
        while True:
            answer = self.umx_any("query", "-o", "json", "SELECT DISTINCT server FROM lync_pool_member")
            told = {row["server"] for row in answer.json["rows"]} if answer.code == 0 else set()
            if wanted <= told:
                return
            if time.monotonic() > end:
                raise Failed(f"the shells of {sorted(wanted - told)} told no topology within {timeout} s: {answer}")
            time.sleep(0.5)

    # ---- operators

    def login(self, forest, user):
        """An operator's identity file, by the forest-CA proof."""
        key = (forest, user)
        if key not in self.identities:
            operator = self.lab["forests"][forest]["operators"][user]
            path = self.home / f"{user}@{forest}.identity.pem"
            answer = self.run(self.build / "umx", "--controller", OPERATORS, "login", "--forest", forest, "--certificate",
                              operator["certificate"], "--key", operator["key"], "--ca", self.data / "root.pem", "--out",
                              path)
            if answer.code != 0:
                raise Failed(f"umx login of {user}@{forest}: {answer}")
            self.identities[key] = path
        return self.identities[key]

    def umx(self, who, *arguments, timeout=120, json=True, environment=None):
        """Runs umx as (forest, user); who may also be an identity file or None."""
        identity = self.login(*who) if isinstance(who, tuple) else who
        argv = [self.build / "umx", "--controller", OPERATORS]
        if identity is not None:
            argv += ["--identity", identity]
        if json:
            argv += ["-o", "json"]
        return self.run(*argv, *arguments, timeout=timeout, environment=environment)

    def umx_any(self, *arguments):
        forest = next(iter(self.lab["forests"]))
        user = next(iter(self.lab["forests"][forest]["operators"]))
        return self.run(self.build / "umx", "--controller", OPERATORS, "--identity", self.login(forest, user), *arguments)

    # ---- proof

    def dump(self, forest):
        """The forest's configuration and domain as {DN: {attribute: sorted values}}, what changes by itself left out."""
        return {dn: entry for base in ("config_dn", "base_dn") for dn, entry in self._dump(forest, base).items()}

    def _dump(self, forest, base):
        text = lab(self.lab_dir, "ldapsearch", forest, "-E", "1.2.840.113556.1.4.801=::MAMCAQQ=", "-b",
                   self.lab["forests"][forest][base], "(objectClass=*)", "*", "nTSecurityDescriptor").stdout
        return parse_ldif(text)

    # ---- ending

    def stop(self):
        """Ends all; whichever did not end by itself is reported when none is left."""
        for agent in self.agents.values():
            agent.ask_to_end()
        late = []
        for daemon in [*self.agents.values(), self.controller]:
            try:
                if daemon is not None:
                    daemon.stop()
            except Failed as failed:
                late.append(str(failed))
        if late:
            raise Failed("; ".join(late))


# What a domain controller writes by itself, and what a re-created object cannot have again; docs/undo.md names each.
VOLATILE = {"uSNChanged", "whenChanged", "lastLogon", "lastLogonTimestamp", "logonCount", "replUpToDateVector", "repsFrom",
            "repsTo"}
OF_AN_OBJECT = {"objectGUID", "uSNCreated", "whenCreated"}


def ldif_value(text):
    """The value behind `name:`; text where it is UTF-8, else base64 with a prefix that says so."""
    if not text.startswith(":"):
        return text.strip()
    raw = base64.b64decode(text[1:])
    try:
        decoded = raw.decode()
    except UnicodeDecodeError:
        return "base64:" + text[1:].strip()
    return decoded if decoded.isprintable() else "base64:" + text[1:].strip()


def parse_ldif(text):
    entries = {}
    for block in text.split("\n\n"):
        entry = {}
        dn = None
        for line in block.splitlines():
            if line.startswith("#") or ":" not in line:
                continue
            name, _, value = line.partition(":")
            if name == "dn":
                dn = ldif_value(value)
            elif name not in VOLATILE:
                entry.setdefault(name, []).append(ldif_value(value))
        # Domain controllers make and remove the connections of their replication by themselves.
        if dn is not None and "nTDSConnection" not in entry.get("objectClass", []):
            entries[dn] = {name: sorted(values) for name, values in entry.items()}
    return entries


def difference(before, after, recreated=()):
    """What changed between two dumps: {DN: {attribute: (old values, new values)}}; a whole entry has attribute None.

    Objects named in `recreated` may be others than before with the same contents."""
    changes = {}
    for dn in before.keys() | after.keys():
        old, new = before.get(dn), after.get(dn)
        if old is None or new is None:
            changes[dn] = {None: (old, new)}
            continue
        attributes = {name: (old.get(name), new.get(name)) for name in old.keys() | new.keys()
                      if old.get(name) != new.get(name) and not (dn in recreated and name in OF_AN_OBJECT)}
        if attributes:
            changes[dn] = attributes
    return changes
