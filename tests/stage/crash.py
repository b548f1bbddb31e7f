"""The crash matrix: programs killed (SIGKILL) at every named point, for every kind of step, in every phase's plan, apply and
undo. After each kill the program is started again, and the end must be the one of a run without kills: the same directories
and Lync store, each attribute written as often, each change made once in a journal that is whole.

A cell is (direction, phase, kind of step, point). A run of a plan kills at many of its cells, one after the other; what a run
did not come to is left for the next one.
"""

import base64
import json
import random
import signal
import subprocess
import time
import uuid
from collections import Counter, namedtuple

from samba.dcerpc import drsblobs
from samba.ndr import ndr_unpack

from . import authority
from .programs import Failed, lab
from .stage import Stage, difference, ldif_value

WHO = ("contoso.test", "olga.orgadmin")
APPROVERS = {"contoso.test": WHO, "fabrikam.test": ("fabrikam.test", "olga.orgadmin"), "lync.test": ("lync.test", "vera.voice")}
AGENTS = {"combx1.contoso.test", "lyfe1.lync.test"}
DIRECTIONS = ("apply", "undo")
DIRECTORY = ("add", "delete", "modify", "access")
KINDS = (*DIRECTORY, "action", "gate", "wait")
QUIET = 120  # seconds without anything new before a run is given up
ROUNDS = 9   # of one plan: no chain below is longer than that
THUMBPRINT = "msExchUMCertificateThumbprint"

Cell = namedtuple("Cell", "direction phase kind point")


def _engine(*names):
    return [f"engine:{name}:{side}" for name in names for side in ("before", "after")]


# What can follow on each other at one and the same step: up to its effect it can be killed again and again, after that only
# what comes later. Each chain takes a step, or a run, of its own.
CHAINS = {
    "directory": [_engine("intent", "apply", "settled", "verified"), ["directory:write:before", "engine:effect:before"],
                  ["engine:effect:after"], ["directory:write:after"]],
    "action": [_engine("intent", "act", "settled", "collect", "verified"), ["engine:effect:before"], ["engine:effect:after"],
               ["agent:intent:before", "agent:act:before", "agent:act:after"], ["agent:answer:before"], ["agent:answer:after"]],
    "gate": [_engine("intent", "confirmed", "collect", "verified")],
    "wait": [_engine("intent", "collect", "verified")],
}


def chains_of(kind):
    return CHAINS["directory" if kind in DIRECTORY else kind]


def _with_cause(chain, left):
    """Something is settled only where something died before it was done: that kill is added, when none is left."""
    if not any(p.startswith("engine:settled:") for p in left):
        return left
    cause = chain.index("engine:intent:after")
    return left if set(chain[cause:cause + 2]) & set(left) else [p for p in chain if p in left or p == chain[cause]]


def _promises(step):
    """Whether something is collected to see what the step has promised; replication is looked at object by object, and a world
    without records promises nothing."""
    if step["kind"] == "wait" and step["change"]["wait"]["what"] == "replication":
        return False
    return any(isinstance(records, list) and records for part in ("predicted", "removed")
               for records in (step.get(part) or {}).values())


def points_of(step):
    """The points that doing this step passes."""
    points = [p for chain in chains_of(step["kind"]) for p in chain]
    return [p for p in points if not p.startswith("engine:collect:") or _promises(step)]


def server_of(step):
    """The server whose agent does the step, or None."""
    return step["change"]["action"]["server"] if step["kind"] == "action" else None


def written_name(step):
    """What the request to the domain controller names: a deletion goes by GUID."""
    if step["kind"] == "delete" and step["change"]["object_guid"]:
        return f"<GUID={uuid.UUID(bytes_le=bytes.fromhex(step['change']['object_guid']))}>"
    return step["change"]["dn"]


def assert_table_is_known(listed):
    """Every point that the program says a kind of step passes is in a chain of that kind, and the other way round."""
    for line in listed.splitlines():
        point, _, kinds = line.split(maxsplit=2)
        for kind in KINDS:
            known = point in [p for chain in chains_of(kind) for p in chain]
            if kind in kinds.split() and not known:
                raise Failed(f"no chain of {kind} steps has the crash point {point}")
    names = {line.split()[0] for line in listed.splitlines()}
    unknown = {p for chains in CHAINS.values() for chain in chains for p in chain} - names
    if unknown:
        raise Failed(f"the program does not know the points {sorted(unknown)}")


def rows_of(proposed):
    """Rows for the phases that need some, made from what the template proposes for each (phase: rows of contoso.test): enough
    of them that one run comes to many points."""
    voice = [{**u, "line": f"tel:+493012399{n}", "voice_policy": "Staff"}
             for n, u in enumerate(proposed["enterprise-voice"]["user"], 71)]
    mailboxes = [{**u, "extension": f"399{n}", "policy": f"Berlin-SIP {'Extra' if n % 2 else 'Default Policy'}"}
                 for n, u in enumerate(proposed["um-mailboxes"]["user"][:4], 81)]
    # Munich's contact is misspelt and has the number that the new one gets; the last of the new ones goes into another unit
    # where nobody may create contacts yet.
    contacts = proposed["ocsumutil"]["contact"]
    contacts[-1]["ou"] = "OU=Staff,DC=lync,DC=test"
    contacts += [{"action": "remove", "sip_address": "sip:ova.munich@contoso.test"},
                 {"action": "edit", "sip_address": "sip:ova.berlin@contoso.test", "name": "Outlook Voice Access"}]
    rows = {
        "dial-plans": {
            "dial_plan": [{"forest": "contoso.test", "name": "Hamburg", "digits": 5, "country_code": "49",
                           "access_number": ["+494012345600"]}],
            "auto_attendant": [{"forest": "contoso.test", "name": "Hamburg-Reception", "dial_plan": "Hamburg",
                                "number": ["+494012345610"]}]},
        "enterprise-voice": {"user": voice},
        "um-mailboxes": {"user": mailboxes},
        "ocsumutil": {"contact": contacts},
    }
    return {phase: {table: [{**row, "row": n} for n, row in enumerate(some, 1)] for table, some in tables.items()}
            for phase, tables in rows.items()}


PAIR = ("--pair", "contoso.test:lync.test")
BOTH = (*PAIR, "--pair", "fabrikam.test:lync.test")
# What makes each phase's plan; the forests of phase 1 trust each other already, so that it has nothing to do. Certificates that
# are good get a name more and so are requested anew. Names of Lync dial plans have to match for fabrikam's old servers; for
# contoso's Munich it is asked for.
SETTINGS = {
    "certificates": (*PAIR, "--set", "certificates.names=um.contoso.test"), "dial-plans": PAIR, "dial-plan-security": PAIR, "um-servers": PAIR, "sip-addresses": PAIR,
    "exchucutil": (*PAIR, "--set", "exchucutil.mode=faithful"),
    "lync-dial-plans": (*BOTH, "--set", "lync-dial-plans.prefix=+4930123", "--set",
                        "lync-dial-plans.use=Munich-SIP:Tag:Munich"),
    "ocsumutil": PAIR, "enterprise-voice": PAIR, "um-mailboxes": (*PAIR, "--set", "um-mailboxes.sync=umx"),
}
PROPOSED = ("ocsumutil", "enterprise-voice", "um-mailboxes")


def versions_in(text):
    """(DN, its lines, {attribute id: version}) of each object of a search that asked for replPropertyMetaData."""
    for block in text.split("\n\n"):
        lines = dict(line.split(":", 1) for line in block.splitlines() if ":" in line)
        if "replPropertyMetaData" in lines:
            blob = ndr_unpack(drsblobs.replPropertyMetaDataBlob, base64.b64decode(lines["replPropertyMetaData"][1:]))
            yield ldif_value(lines["dn"]), lines, {entry.attid: entry.version for entry in blob.ctr.array}


class Theatre(Stage):
    """A controller and two agents that are killed and started again, and the states of runs without kills."""

    def open(self, say=print):
        self.say = say
        self.killed = Counter()     # cells
        self.lost, self.doubled, self.wrong = [], [], []
        self.known = {}             # forest: {DN: (GUID, {attribute id: version})}
        self.numbers = Counter()
        self.armed = {}             # server: (cell, file) of an agent that is to be killed
        self.models = {}
        self.recreated = set()      # objects that some phase's model deletes or adds: others each time, with the same contents
        self.gone = Counter()       # cells that a run did not come to although it was meant to
        self.passed = set()         # steps of the running plan of which nothing is left to do
        listed = subprocess.run([self.build / "umxd", "crash-points"], capture_output=True, text=True, check=True).stdout
        assert_table_is_known(listed)
        self.listed = {(kind, point) for point, _, kinds in (line.split(maxsplit=2) for line in listed.splitlines())
                       for kind in kinds.split() if kind in KINDS}
        self.agent_settings = "longest_wait = 1\n"  # the controller comes back at once, again and again
        self.start_controller()
        self.start_agents(AGENTS)
        self.wait_told("SELECT 1 FROM lync_pool_member")
        self.inputs = {}
        proposed = {p: self.umx(WHO, "plan", "template", "--phase", p, *PAIR).json for p in PROPOSED}
        for phase, rows in rows_of(proposed).items():
            self.inputs[phase] = self.home / f"rows-{phase}.json"
            self.inputs[phase].write_text(json.dumps(rows))
        self.first = self.look()[0]
        return self

    def wait_told(self, query, timeout=120):
        end = time.monotonic() + timeout
        while not self.umx_any("query", "-o", "json", query).json["rows"]:
            if time.monotonic() > end:
                raise Failed(f"nothing answers {query!r}")
            time.sleep(0.3)

    # ---- looking

    def look(self):
        """(what is there, how often each attribute of each object was written since the last look)"""
        writes = {}
        for forest, told in self.lab["forests"].items():
            if forest not in ("contoso.test", "lync.test"):
                continue
            known = self.known.setdefault(forest, {})
            since = max((usn for _, _, usn in known.values()), default=0) + 1
            for base in (told["config_dn"], told["base_dn"]):
                text = lab(self.lab_dir, "ldapsearch", forest, "-b", base, f"(uSNChanged>={since})", "replPropertyMetaData",
                           "objectGUID", "uSNChanged").stdout
                for dn, lines, now in versions_in(text):
                    guid, old, _ = known.get(dn, (None, {}, 0))
                    old = old if guid == lines["objectGUID"] else {}
                    writes[dn] = {a: v - old.get(a, 0) for a, v in now.items() if v != old.get(a, 0)}
                    known[dn] = (lines["objectGUID"], now, int(lines["uSNChanged"]))
        store = json.loads((self.lab_dir / "stores" / "lync.test.json").read_text())
        return ({f: self.dump(f) for f in ("contoso.test", "lync.test")}, store, authority.stores(self.lab_dir)), writes

    def show(self, name):
        answer = self.umx(WHO, "plan", "show", name)
        return answer.json if answer.code == 0 else None

    # ---- plans

    def make_plan(self, phase):
        self.numbers[phase] += 1
        name = f"{phase}-{self.numbers[phase]}"
        words = ["--input", self.inputs[phase]] if phase in self.inputs else []
        answer = self.umx(WHO, "plan", "create", name, "--phase", phase, *SETTINGS[phase], *words)
        if answer.code != 0 or self.umx(WHO, "plan", "submit", name).code != 0:
            raise Failed(f"no plan of {phase}: {answer}")
        return name

    def make_undo(self, name):
        answer = self.umx(WHO, "plan", "undo", name)
        if answer.code != 0:
            raise Failed(f"no undo of {name}: {answer}")
        return answer.json["name"]

    def confirm(self, plan, step):
        values = authority.values(self.lab_dir, self.home, plan, step) if authority.is_asked(plan, step) else []
        self.umx(APPROVERS[step["forest"]], "plan", "confirm", plan["name"], step["id"], "--comment", "done", *values)

    def drive(self, name, until=lambda: False):
        """What an operator does until the plan is completed; True when it is, False when `until` or the controller ends it."""
        told, last, resumed = None, time.monotonic(), 0
        while True:
            if until() or not self.controller.running():
                return False
            self.revive()
            plan = self.show(name)
            if plan is not None:
                if plan["state"] == "completed":
                    return True
                if plan["state"] in ("suspended", "failed") and time.monotonic() - resumed > 1:
                    self.umx(WHO, "plan", "resume", name)  # refused as long as nobody knows about a step
                    resumed = time.monotonic()
                elif plan["state"] == "approved":
                    self.umx(WHO, "plan", "start", name)
                self.passed = {s["id"] for s in plan["steps"] if s["state"] in ("verified", "skipped")}
                for step in plan["steps"]:
                    if step["kind"] == "gate" and step["state"] == "intended":
                        self.confirm(plan, step)
                now = [plan["state"], *(s["state"] for s in plan["steps"])]
                if now != told:
                    told, last = now, time.monotonic()
            if time.monotonic() - last > QUIET:
                open_steps = [(s["id"], s["state"], s["summary"], s["error"]) for s in (plan or {"steps": []})["steps"]
                              if s["state"] != "verified"]
                raise Failed(f"{name} does not go on: {told and told[0]}, {open_steps[:5]}")
            time.sleep(0.05)

    # ---- killing

    def kill_at(self, cell, step, name):
        """The controller, or a worker of it, is killed at the point; False when the plan came to its end before."""
        mark = self.home / "killed"
        mark.unlink(missing_ok=True)
        subject = written_name(step) if cell.point.startswith("directory:") else step["id"]
        environment = {"UMX_CRASH_POINT": f"{cell.point}@{subject}:1", "UMX_CRASH_ONCE": str(mark)}
        self.start_controller(wait=False, environment=environment)
        ended = self.drive(name, until=mark.exists)
        if cell.point.startswith("engine:") and mark.exists():
            code = self.controller.wait(20)
            if code != -signal.SIGKILL:
                raise Failed(f"the controller ended with {code} at {cell}")
        self.controller.stop()
        if mark.exists():
            self.killed[cell] += 1
        return mark.exists() or not ended

    def arm(self, server, cell, step):
        """The agent of a server is started again, to be killed when it comes to the point."""
        mark = self.home / f"killed-{server}"
        mark.unlink(missing_ok=True)
        self.agents[server].stop()
        self.agents[server].environment = {"UMX_CRASH_POINT": f"{cell.point}@{step['id']}:1", "UMX_CRASH_ONCE": str(mark)}
        self.agents[server].start()
        self.armed[server] = (cell, mark)

    def revive(self):
        """Starts agents again that were killed, the next of their kills armed."""
        for server, (cell, mark) in list(self.armed.items()):
            if not mark.exists() or self.agents[server].running():
                continue
            code = self.agents[server].process.returncode
            if code != -signal.SIGKILL:
                raise Failed(f"the agent of {server} ended with {code} at {cell}")
            self.killed[cell] += 1
            del self.armed[server]
            if self.agent_queue:
                self.arm_next()
            else:
                self.agents[server].environment = {}
                self.agents[server].start()

    def arm_next(self):
        cell, step = self.agent_queue.pop(0)
        self.arm(server_of(step), cell, step)

    def disarm(self):
        for server in list(self.armed):
            self.agents[server].stop()
            self.agents[server].environment = {}
            self.agents[server].start()
        self.armed.clear()
        self.agent_queue = []

    # ---- runs

    def model(self, phase):
        """A run without kills, and back: what the others are compared with."""
        if phase in self.models:
            return self.models[phase]
        begun = time.monotonic()
        name = self.make_plan(phase)
        model = self.models[phase] = {}
        for direction in DIRECTIONS:
            name = name if direction == "apply" else self.make_undo(name)
            if not self.show(name)["steps"]:
                self.models[phase] = None
                return None
            if not self.drive(name):
                raise Failed("the controller ended by itself")
            state, writes = self.look()
            begun_at = [e["step"] for e in self.umx(WHO, "audit", "--plan", name).json["entries"] if e["kind"] == "intent"]
            model[direction] = {"steps": self.show(name)["steps"], "state": state, "writes": writes,
                                "order": {step: n for n, step in enumerate(dict.fromkeys(begun_at))}}
        self.recreated |= {dn for f in self.first[0] for dn, entry in
                            difference(self.first[0][f], model["apply"]["state"][0][f]).items() if None in entry}
        self.say(f"{phase}: {len(model['apply']['steps'])} steps, {len(model['undo']['steps'])} back, "
                 f"{time.monotonic() - begun:.0f} s without kills")
        return model

    def cells(self, phase):
        """All cells of a phase, in the order of its plans."""
        model = self.model(phase)
        if model is None:
            return []
        found = {}
        for direction in DIRECTIONS:
            for step in model[direction]["steps"]:
                for point in points_of(step):
                    if not point.startswith("agent:") or server_of(step) in AGENTS:
                        found[Cell(direction, phase, step["kind"], point)] = True
        return list(found)

    def schedule(self, phase, direction, steps, wanted):
        """[(cell, step)] for the controller and for agents: each chain that is left gets a step of its kind."""
        queue, agent_queue = [], []
        for kind in KINDS:
            places = [s for s in steps if s["kind"] == kind]
            for chain in chains_of(kind):
                left = _with_cause(chain, [p for p in chain if Cell(direction, phase, kind, p) in wanted])
                able = [s for s in places if set(left) & set(points_of(s))]
                if not left or not able:
                    continue
                places.remove(able[0])
                into = agent_queue if left[0].startswith("agent:") else queue
                into += [(Cell(direction, phase, kind, p), able[0]) for p in left if p in points_of(able[0])]
        order = self.models[phase][direction]["order"]  # forests are worked on side by side
        return sorted(queue, key=lambda pair: order.get(pair[1]["id"], 0)), sorted(agent_queue, key=lambda pair: order.get(pair[1]["id"], 0))

    def play(self, phase, direction, name, wanted):
        """One plan with as many of the wanted kills as it comes to."""
        steps = self.show(name)["steps"]
        queue, self.agent_queue = self.schedule(phase, direction, steps, wanted)
        if self.agent_queue:
            self.arm_next()
        if queue:  # it is started by one that is to be killed
            self.controller.stop()
        self.passed = set()
        for cell, step in queue:
            if step["id"] in self.passed:
                continue
            if not self.kill_at(cell, step, name):
                self.gone[cell] += 1
                break
        if not self.controller.running():
            self.start_controller()
        if not self.drive(name):
            raise Failed("the controller ended by itself")
        self.disarm()
        self.compare(phase, direction, name, steps)

    def compare(self, phase, direction, name, steps):
        model = self.models[phase]
        state, writes = self.look()
        entries = self.umx(WHO, "audit", "--plan", name).json["entries"]
        twice, never = doubled_and_lost(entries, steps)
        self.doubled += [(name, step) for step in twice]
        self.lost += [(name, step) for step in never]
        wanted = model["apply"]["state"] if direction == "apply" else self.first
        for forest in state[0]:
            for dn, changes in difference(wanted[0][forest], state[0][forest], self.recreated).items():
                if direction == "apply":  # the key is another one in each run
                    changes.pop(THUMBPRINT, None)
                if changes:
                    self.wrong.append((name, dn, changes))
        if state[1] != wanted[1]:
            self.wrong.append((name, "the Lync store", None))
        if folders(state[2]) != folders(wanted[2]) or (direction == "undo" and state[2] != wanted[2]):
            self.wrong.append((name, "the servers' certificates", sorted(state[2].keys() ^ wanted[2].keys())))
        for step in steps:  # the directory counts no write more or less than without a kill
            dn = step["change"]["dn"]
            if dn and writes.get(dn, {}) != model[direction]["writes"].get(dn, {}):
                self.doubled.append((name, dn, writes.get(dn), model[direction]["writes"].get(dn)))
        verified = self.umx(WHO, "audit", "verify")
        if verified.code != 0 or not verified.json["intact"]:
            self.wrong.append((name, "the journal", verified.out))

    def matrix(self, phase, wanted):
        """Kills at the wanted cells of a phase; returns those that no run came to."""
        wanted = set(wanted)
        for _ in range(ROUNDS):
            left = {c for c in wanted if not self.killed[c] and self.gone[c] < 2}
            if not left:
                break
            begun, before = time.monotonic(), self.killed.total()
            name = self.make_plan(phase)
            self.play(phase, "apply", name, left)
            self.play(phase, "undo", self.make_undo(name), left)
            self.say(f"{phase}: {self.killed.total() - before} kills in {time.monotonic() - begun:.0f} s")
        return sorted(c for c in wanted if not self.killed[c])


def folders(files):
    """How many files each folder has."""
    return Counter(name.rpartition("/")[0] for name in files)


def says(entry):
    return entry["kind"] + (" " + entry["outcome"] if entry["kind"] == "settled" else "")


def items_done_twice(entries, step):
    """(some item was done more than once, or begun after all were; all were done) of an action, whose batches go on with what
    an agent that died had not done."""
    done, again, items = Counter(), False, len(step["change"]["action"]["item"])
    for entry in entries:
        if entry["kind"] == "effect":
            done.update(result["item"] for result in json.loads(entry["detail"] or "[]") if result["ok"])
        elif entry["kind"] == "intent" and len(done) == items:
            again = True
    return again or any(n > 1 for n in done.values()), len(done) == items


def doubled_and_lost(entries, steps):
    """Steps whose change the journal says was made more than once, or that were begun again after it; steps not ended."""
    doubled, lost = set(), set()
    for step in steps:
        own = [e for e in entries if e["step"] == step["id"]]
        said = [says(e) for e in own]
        if step["kind"] == "action":
            twice, made = items_done_twice(own, step)
        else:
            at = [i for i, word in enumerate(said) if word in ("effect", "settled ours")]
            twice, made = len(at) > 1 or (at and "intent" in said[at[0]:]), at or step["kind"] in ("gate", "wait")
        if twice:
            doubled.add(step["id"])
        if said.count("verified") != 1 or not made:
            lost.add(step["id"])
    return doubled, lost


def table(killed):
    """points x phases, each with the kinds of steps that were killed there: numbers are kills in apply + undo."""
    phases = [p for p in SETTINGS if any(c.phase == p for c in killed)]
    lines = []
    for kind in KINDS:
        points = [p for chain in chains_of(kind) for p in chain]
        if not any(c.kind == kind for c in killed):
            continue
        lines.append(f"{kind:<26}" + "".join(f"{p[:12]:>14}" for p in phases))
        for point in points:
            cells = []
            for phase in phases:
                n = [killed[Cell(d, phase, kind, point)] for d in DIRECTIONS]
                cells.append(f"{n[0]}+{n[1]}" if sum(n) else "-")
            lines.append(f"  {point:<24}" + "".join(f"{c:>14}" for c in cells))
    return "\n".join(lines)


def once_each(cells, seed):
    """Each point once for each kind of step, from the phases of these cells: which phase and direction the seed says."""
    chosen = {}
    shuffled = sorted(cells)
    random.Random(seed).shuffle(shuffled)
    for cell in shuffled:
        chosen.setdefault((cell.kind, cell.point), cell)
    return set(chosen.values())
