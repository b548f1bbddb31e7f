"""The story that packaging/demo plays, act by act. Each act shows the commands an administrator would type."""

import argparse
import json
import os
import shlex
import shutil
import signal
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
sys.dont_write_bytecode = True

from stage.programs import LAB, Failed, lab  # noqa: E402
from stage.stage import OPERATORS, Stage, difference  # noqa: E402

PLAN = "voice-mail"
CONTOSO = ("contoso.test", "olga.orgadmin")
FABRIKAM = ("fabrikam.test", "olga.orgadmin")
LYNC = ("lync.test", "lars.lyncadmin")
NED = ("contoso.test", "ned.nobody")
EXCHANGE = ["contoso.test", "fabrikam.test"]
PHASE = ["--phase", "exchucutil"]
SETTINGS = ["--set", "exchucutil.outdial=pool1.lync.test"]


class Demo:
    def __init__(self, options):
        self.options = options
        self.started = float(options.started)
        self.acts = []
        self.stage = None

    # ---- telling

    def say(self, text):
        out = sys.stderr if self.options.output == "json" else sys.stdout
        print(text, file=out, flush=True)

    def act(self, title, play):
        began = time.time()
        self.say(f"\n=== {len(self.acts) + 1}. {title}")
        result = play() or {}
        self.acts.append({"act": title, "seconds": round(time.time() - began, 1), **result})

    def umx(self, who, *arguments, expect=0, show=None):
        """Shows and runs one command; `expect` is its exit code, `show` the number of lines to show (None: all)."""
        answer = self.stage.umx(who, *arguments, json=False, environment={"COLUMNS": "80"}, timeout=300)
        name = f"  ({who[1]}, {who[0]})" if isinstance(who, tuple) else ""
        self.say(f"$ umx {shlex.join(map(str, arguments))}{name}")
        lines = (answer.out + answer.err).rstrip().splitlines()
        for line in lines if show is None else lines[:show]:
            self.say("  " + line)
        if show is not None and len(lines) > show:
            self.say(f"  ... {len(lines) - show} more lines")
        if answer.code != expect:
            raise Failed(f"umx {shlex.join(map(str, arguments))}: expected exit {expect}: {answer}")
        return answer

    def data(self, who, *arguments, codes=(0,)):
        answer = self.stage.umx(who, *arguments, timeout=300)
        if answer.code not in codes:
            raise Failed(f"umx {shlex.join(map(str, arguments))}: {answer}")
        return answer.json

    # ---- acts

    def forests(self):
        lab(self.options.lab, "down", check=False)
        lab(self.options.lab, "up", "--topology", "fleet", timeout=600)
        self.stage = Stage(self.options.lab).make()
        self.before = {forest: self.stage.dump(forest) for forest in self.stage.lab["forests"]}
        self.say(f"  {len(self.before)} forests, {sum(map(len, self.before.values()))} objects, in {self.options.lab}")
        return {"objects": sum(map(len, self.before.values()))}

    def programs(self):
        self.stage.start_controller()
        for who in (CONTOSO, FABRIKAM, LYNC, NED):
            self.stage.login(*who)
        self.stage.start_agents()
        self.stage.wait_shells()
        self.umx(LYNC, "agents")
        agents = self.data(LYNC, "agents")["agents"]
        return {"agents": len(agents), "connected": sum(a["state"] == "connected" for a in agents)}

    def look(self):
        self.umx(LYNC, "check", "--phase", "forests", "--phase", "exchucutil", expect=1, show=40)
        self.umx(LYNC, "status")
        self.umx(LYNC, "query", "SELECT server, name, state, started_at FROM service WHERE name = 'RTCSRV'")
        counts = self.data(LYNC, "check", "--phase", "forests", "--phase", "exchucutil", codes=(1,))["counts"]
        return {"findings": counts}

    def plan(self):
        self.umx(CONTOSO, "plan", "create", PLAN, *PHASE, *SETTINGS, "--ticket", "CHG-1042", show=12)
        self.umx(CONTOSO, "plan", "show", PLAN, "--diff", show=60)
        self.umx(CONTOSO, "plan", "submit", PLAN, show=3)
        return {"steps": len(self.data(CONTOSO, "plan", "show", PLAN)["steps"])}

    def refused(self):
        lacks = self.umx(NED, "plan", "approve", PLAN, "--forest", "contoso.test", expect=3)
        foreign = self.umx(LYNC, "plan", "approve", PLAN, "--forest", "contoso.test", expect=3)
        early = self.umx(CONTOSO, "plan", "start", PLAN, expect=3)
        return {"refusals": [lacks.error, foreign.error, early.error]}

    def approve(self):
        for who in (CONTOSO, FABRIKAM, LYNC):
            self.umx(who, "plan", "approve", PLAN, "--forest", who[0], "--ticket", "CHG-1042", "--comment",
                     "agreed in the change board", show=3)
        return {"state": self.data(LYNC, "plan", "show", PLAN)["state"]}

    def run_plan(self, name):
        self.umx(CONTOSO, "plan", "start", name, show=3)
        end = time.monotonic() + 180
        while True:
            plan = self.data(LYNC, "plan", "show", name)
            if plan["state"] not in ("running",):
                break
            if time.monotonic() > end:
                raise Failed(f"plan {name} did not end: {plan['state']}")
            for step in plan["steps"]:
                if step["kind"] == "gate" and step["state"] == "intended":
                    who = LYNC if step["forest"] == LYNC[0] else (step["forest"], "olga.orgadmin")
                    self.umx(who, "plan", "confirm", name, step["id"], "--comment", "restarted", show=2)
            time.sleep(0.3)
        self.umx(LYNC, "plan", "show", name, show=30)
        if plan["state"] != "completed":
            for step in plan["steps"]:
                if step["error"]:
                    self.say(f"  {step['id']} {step['state']} {step['summary']}: {step['error']}")
            raise Failed(f"plan {name} ended {plan['state']}")
        return {"state": plan["state"], "verified": sum(s["state"] == "verified" for s in plan["steps"])}

    def start(self):
        return self.run_plan(PLAN)

    def verify(self):
        # The agents try again to read the dial plans with their servers' own accounts; that takes them some seconds.
        end = time.monotonic() + 90
        while True:
            # Exit 4: a forest did not answer in time, on a machine as busy as this one; what it did not say is no pass.
            answer = self.stage.umx(LYNC, "check", "--phase", "exchucutil", timeout=300)
            failed = [f for f in answer.json["findings"] if f["status"] == "fail"] if answer.code in (0, 1, 4) else []
            if answer.code in (0, 1) and not failed or answer.code not in (0, 1, 4) or time.monotonic() > end:
                break
            time.sleep(1)
        if answer.code not in (0, 1):
            raise Failed(f"umx check --phase exchucutil after the run: {answer}")
        for finding in failed:
            self.say(f"  {finding['id']} {finding['target']}: {finding['actual']}")
        self.umx(LYNC, "status")
        if failed:
            raise Failed("the checks of exchucutil do not pass after the run")
        self.umx(CONTOSO, "plan", "create", "again", *PHASE, *SETTINGS, show=12)
        steps = len(self.data(CONTOSO, "plan", "show", "again")["steps"])
        self.changed = {f: difference(self.before[f], self.stage.dump(f)) for f in self.before}
        self.say("  objects that differ now: " + ", ".join(f"{len(d)} in {f}" for f, d in self.changed.items()))
        if steps != 0:
            raise Failed(f"the second plan has {steps} steps")
        return {"failed_findings": 0, "second_plan_steps": steps,
                "objects_changed": {f: len(d) for f, d in self.changed.items()}}

    def undo(self):
        self.umx(CONTOSO, "plan", "undo", PLAN, show=12)
        name = f"{PLAN}-undo"
        plan = self.data(CONTOSO, "plan", "show", name)
        if plan["state"] == "draft":
            self.umx(CONTOSO, "plan", "submit", name, show=2)
        if plan["state"] != "approved":
            for who in (CONTOSO, FABRIKAM, LYNC):
                self.umx(who, "plan", "approve", name, "--forest", who[0], show=2)
        return self.run_plan(name)

    def proof(self):
        left = {f: difference(self.before[f], self.stage.dump(f)) for f in self.before}
        for forest, changes in left.items():
            self.say(f"  {forest}: {len(changes)} objects differ from the first state")
            for dn, attributes in list(changes.items())[:5]:
                self.say(f"    {dn}: {', '.join(name or 'the whole object' for name in attributes)}")
        self.umx(LYNC, "audit", "verify")
        if any(left.values()):
            raise Failed("the directory is not what it was")
        return {"objects_different": {f: len(d) for f, d in left.items()},
                "journal": self.data(LYNC, "audit", "verify")}

    def play(self):
        self.act("Three forests: Exchange in contoso.test and fabrikam.test, Lync in lync.test", self.forests)
        self.act("The controller, an agent on every server, and administrators with their forests' certificates",
                 self.programs)
        self.act("How things are", self.look)
        self.act("A plan for exchucutil, object by object", self.plan)
        self.act("What is refused", self.refused)
        self.act("Every forest approves", self.approve)
        self.act("The run", self.start)
        self.act("Verified, and a second plan has nothing to do", self.verify)
        self.act("Undo", self.undo)
        self.act("The directory is what it was", self.proof)

    def keep(self):
        identity = self.stage.login(*LYNC)
        self.say(f"""
Left running. In another shell:
  export LAB_DIR={self.options.lab}
  export UMX_CONTROLLER={OPERATORS} UMX_IDENTITY={identity}
  umx() {{ {LAB} exec {self.stage.build / 'umx'} "$@"; }}
  umx status
  {LAB} ldapsearch contoso.test -b CN=Configuration,DC=contoso,DC=test '(objectClass=msExchUMIPGateway)'
As another administrator: umx --identity FILE ..., with a FILE of {self.stage.home}/*.identity.pem, or log in:
  by a ticket:      {LAB} exec kinit -kt {self.options.lab}/keytabs/vera.voice.lync.test.keytab vera.voice@LYNC.TEST
                    umx login --service umx/controller.lab.test --ca {self.stage.data}/root.pem --out vera.pem
  by a certificate: umx login --forest lync.test --certificate {self.options.lab}/operators/vera.voice@lync.test.pem \\
                      --key {self.options.lab}/operators/vera.voice@lync.test.key --ca {self.stage.data}/root.pem --out vera.pem
Who is in which groups: {LAB.parent}/README.md. Configuration, logs and data: {self.stage.home}
End it with: {LAB} down""")

    def finish(self, ok, error=None):
        total = round(time.time() - self.started, 1)
        if self.stage is not None and not (ok and self.options.keep):
            self.stage.stop()
        if not (ok and self.options.keep):
            lab(self.options.lab, "down", check=False)
        elif ok:
            self.keep()
        self.say(f"\n{'All acts played' if ok else 'The demo failed'} in {total} s.")
        if self.options.output == "json":
            print(json.dumps({"ok": ok, "error": error, "seconds": total, "acts": self.acts}, indent=2))
        return 0 if ok else 1


def main():
    parser = argparse.ArgumentParser(prog="packaging/demo")
    parser.add_argument("--keep", action="store_true", help="leave everything running")
    parser.add_argument("-o", dest="output", choices=["text", "json"], default="text")
    parser.add_argument("--started", default=str(time.time()), help=argparse.SUPPRESS)
    options = parser.parse_args()
    room = shutil.disk_usage("/dev/shm").free if os.path.isdir("/dev/shm") else 0
    options.lab = Path("/dev/shm/umx-demo" if room > 1.5 * 2**30 else "/var/tmp/umx-demo")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    demo = Demo(options)
    try:
        demo.play()
    except Failed as failure:
        demo.say(f"\ndemo: {failure}")
        return demo.finish(False, str(failure))
    except BaseException:
        demo.finish(False, "interrupted")
        raise
    return demo.finish(True)


sys.exit(main())
