"""Enrolment: tokens, renewal, revocation and re-enrolment, with real agents."""

import os
import re
import stat
import subprocess
import time
from pathlib import Path

import pytest
from conftest import CONTOSO, LYNC

from stage.programs import Daemon, inside
from stage.stage import AGENTS, OPERATORS, Stage

NED = ("contoso.test", "ned.nobody")


@pytest.fixture(scope="module")
def stage(fleet):
    """A controller without agents: they come by themselves here."""
    play = Stage(fleet, name="enrol").make()
    play.start_controller()
    yield play
    play.stop()


class Server:
    """One recorded server of contoso and the agent on it."""

    def __init__(self, stage, number, name=""):
        self.stage = stage
        self.record = [s for s in stage.lab["servers"] if s["forest"] == "contoso.test"][number]
        self.fqdn = self.record["fqdn"]
        self.home = stage.home / f"{self.fqdn}{name}"
        self.home.mkdir(exist_ok=True)
        self.identity = self.home / "identity.pem"
        self.config = self.home / "agent.ini"
        self.config.write_text(f"[agent]\ncontroller = {AGENTS}\nidentity = {self.identity}\n"
                               f"host = recorded:{self.record['host_dir']}\nstate = {self.home}\nstart_jitter = 0\n"
                               "refused_wait = 1\n")
        self.daemon = None

    def words(self, token, *more):
        return [self.stage.build / "umx-agent", "enroll", "--controller", OPERATORS, "--token-file", token, "--config",
                self.config, *more]

    def enroll(self, token, *more, environment=None):
        return self.stage.run(*self.words(token, *more), environment=environment, timeout=60)

    def start(self, environment=None):
        self.daemon = Daemon(f"umx-agent {self.fqdn}", self.stage.lab_dir, self.home / "agent.log",
                             [self.stage.build / "umx-agent", "--config", self.config], environment).start()
        self.stage.agents[str(self.home)] = self.daemon
        return self.daemon

    def log_size(self):
        return self.daemon.log.stat().st_size if self.daemon else 0

    def known(self, state=None):
        """Its rows in `umx agents`."""
        rows = [a for a in self.stage.umx(CONTOSO, "agents").json["agents"] if a["server"] == self.fqdn]
        return [a for a in rows if state is None or a["state"] == state]

    def wait_for(self, state, timeout=30):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            rows = self.known(state)
            if rows:
                return rows[0]
            time.sleep(0.1)
        raise AssertionError(self.known())


def token(stage, *arguments, name="token"):
    path = stage.home / f"{name}-{time.monotonic_ns()}"
    answer = stage.umx(CONTOSO, "token", "create", "--forest", "contoso.test", "--out", path, *arguments)
    assert answer.code == 0, answer
    created = answer.json["tokens"][0]
    assert created["token"] is None and created["state"] == "active"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    return path, created


def entries(stage, *kinds):
    return [e for e in stage.umx(CONTOSO, "audit", "--limit", "5000").json["entries"] if e["kind"] in kinds]


def listed(stage, token_id):
    return next(t for t in stage.umx(CONTOSO, "token", "list").json["tokens"] if t["id"] == token_id)


def test_from_a_token_to_a_running_agent(stage):
    server = Server(stage, 0)
    path, created = token(stage, "--fqdn", server.fqdn)
    assert (created["uses"], created["used"], created["server"]) == (1, 0, server.fqdn)
    answer = server.enroll(path)
    assert answer.code == 0, answer
    assert stat.S_IMODE(server.identity.stat().st_mode) == 0o600
    assert not (server.home / "identity.pem.enrolling").exists()
    key = re.search(r"key: ([0-9a-f]{64})", answer.out).group(1)
    server.start()
    agent = server.wait_for("connected")
    assert agent["key"] == key and agent["agent"] in answer.out and agent["forest"] == "contoso.test"
    assert listed(stage, created["id"])["state"] == "used_up"
    made, used = entries(stage, "token_created", "enrolled")
    assert made["actor"].startswith("umx://lab/operator/S-1-5-21-")
    assert (used["actor"], used["enrolment"]["key"]) == (agent["agent"], key)
    assert used["enrolment"]["server"] == server.fqdn and used["enrolment"]["token"] == created["id"]
    # The secret is in the token's file alone, the key in the identity's.
    secret = path.read_text().split("-")[2]
    private = server.identity.read_text().split("-----")[2].strip()[10:60]
    for directory, _, files in os.walk(stage.home):
        for file in (Path(directory) / name for name in files):
            content = file.read_bytes() if file.is_file() else b""  # the controller's socket is none
            assert (secret.encode() in content) == (file == path), file
            assert (private.encode() in content) == (file == server.identity), file
    assert stage.umx(CONTOSO, "audit", "verify").json["intact"]


def test_who_may_and_what_is_refused(stage):
    server = Server(stage, 1, "-refused")
    answer = stage.umx(NED, "token", "create", "--fqdn", server.fqdn, "--forest", "contoso.test")
    assert (answer.code, answer.error) == (3, "UMX-1106"), answer
    answer = stage.umx(LYNC, "token", "create", "--fqdn", server.fqdn, "--forest", "contoso.test")
    assert (answer.code, answer.error) == (3, "UMX-1813"), answer
    path, created = token(stage, "--fqdn", "other." + server.fqdn.split(".", 1)[1])
    assert server.enroll(path).error == "UMX-1120"
    assert stage.umx(CONTOSO, "token", "revoke", created["id"]).code == 0
    assert server.enroll(path).error == "UMX-1119"
    assert listed(stage, created["id"])["state"] == "revoked"
    assert stage.umx(CONTOSO, "token", "revoke", "000000000000").error == "UMX-1806"
    # A token of another secret, one that is none, and one that pins another root: that one is not even sent.
    path, created = token(stage, "--pattern", "*." + server.fqdn.split(".", 1)[1], "--uses", "2")
    good = path.read_text()
    parts = good.split("-")
    path.write_text("-".join([parts[0], parts[1], "0" * 64, parts[3]]))
    assert server.enroll(path).error == "UMX-1116"
    path.write_text(good[:-9])
    assert server.enroll(path).error == "UMX-1129"
    path.write_text("-".join([*parts[:3], "0" * 64]))
    assert server.enroll(path).error == "UMX-1130"
    assert not server.identity.exists()
    path.write_text(good)
    assert server.enroll(path).code == 0
    assert listed(stage, created["id"])["used"] == 1


def test_one_of_many_processes_wins(stage):
    """The hundred are a unit test (real RPCs); these are real programs."""
    racers = [Server(stage, 2, f"-race{i}") for i in range(8)]
    path, created = token(stage, "--fqdn", racers[0].fqdn)
    running = []
    for racer in racers:
        words, variables = inside(stage.lab_dir, racer.words(path))
        running.append(subprocess.Popen(words, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True))
    said = [process.communicate(timeout=90) for process in running]
    winners = [r for r, process in zip(racers, running) if process.returncode == 0]
    assert len(winners) == 1, said
    assert sum("UMX-1118" in err for _, err in said) == len(racers) - 1, said
    assert [r.identity.exists() for r in racers].count(True) == 1
    assert listed(stage, created["id"])["used"] == 1
    assert stage.umx(CONTOSO, "agents", "forget", racers[0].fqdn).code == 0


@pytest.mark.parametrize("point", ["key", "ask", "answer", "kept"])
def test_killed_while_enrolling(stage, point):
    server = Server(stage, 2, f"-{point}")
    path, _ = token(stage, "--fqdn", server.fqdn)
    assert server.enroll(path, environment={"UMX_CRASH_POINT": f"enroll:{point}:1"}).code not in {0, 1, 2, 3, 4}
    assert server.identity.exists() == (point == "kept")
    answer = server.enroll(path)  # the one use is not lost: the key is the same
    assert answer.code == 0, answer
    assert len(server.known()) == 1 and server.known()[0]["agent"] in answer.out
    assert not (server.home / "identity.pem.enrolling").exists()
    assert stage.umx(CONTOSO, "agents", "forget", server.fqdn).code == 0
    assert server.known() == []


def issue_in_the_past(server, days):
    """A certificate of a year that began so many days ago."""
    stage = server.stage
    server.identity.unlink(missing_ok=True)
    answer = stage.run("faketime", "-f", f"-{days}d", stage.build / "umxd", "issue", "agent", server.fqdn, "--data", stage.data,
                       "--out", server.identity)
    assert answer.code == 0, answer


@pytest.mark.parametrize("point", [None, "before", "after"])
def test_renewal_on_the_stream(stage, point):
    server = Server(stage, 3, f"-renewal-{point}")
    issue_in_the_past(server, 300)
    old = server.identity.read_text()
    daemon = server.start({"UMX_CRASH_POINT": f"renew:{point}:1"} if point else None)
    if point:
        daemon.wait(30)
        assert (server.identity.read_text() == old) == (point == "before")
        daemon = server.start()
    if point != "after":
        daemon.wait_for("the certificate was renewed", after=0)
    agent = server.wait_for("connected")
    end = time.monotonic() + 20
    while time.monotonic() < end:
        agent = server.wait_for("connected")
        left = time.mktime(time.strptime(agent["certificate_expires_at"][:19], "%Y-%m-%dT%H:%M:%S")) - time.time()
        if 28 * 86400 < left < 32 * 86400 and agent["state"] == "connected":
            break
        time.sleep(0.1)
    assert 28 * 86400 < left < 32 * 86400, agent
    assert server.identity.read_text() != old
    assert stat.S_IMODE(server.identity.stat().st_mode) == 0o600
    assert len(server.known()) == 1  # the same identity, with another key
    assert daemon.running()
    daemon.stop()


def test_expired_while_nobody_looked(stage):
    server = Server(stage, 3, "-expired")
    issue_in_the_past(server, 400)
    before = server.known()[0]["agent"]
    daemon = server.start()
    assert daemon.wait(30) == 3
    said = daemon.log.read_text()
    assert "UMX-1128" in said and "umx token create" in said and "umx-agent enroll" in said
    path, _ = token(stage, "--fqdn", server.fqdn)
    answer = server.enroll(path)
    assert answer.code == 0, answer
    assert before in answer.out  # the key is the same: so is the agent, and nobody has to decide
    server.start()
    assert server.wait_for("connected")["agent"] == before
    server.daemon.stop()


def test_reinstalled_server_waits_for_a_decision(stage):
    old = Server(stage, 0)
    agent = old.wait_for("connected")
    new = Server(stage, 0, "-new")
    path, _ = token(stage, "--fqdn", new.fqdn)
    answer = new.enroll(path)
    assert answer.error == "UMX-1125", answer
    held = stage.umx(CONTOSO, "agents", "held").json["held"]
    assert len(held) == 1 and held[0]["known_key"] == agent["key"] and held[0]["known_state"] == "connected"
    assert held[0]["key"] in answer.err and held[0]["key"] != agent["key"] and held[0]["server"] == new.fqdn
    shown = stage.umx(CONTOSO, "agents", "held", json=False).out
    assert held[0]["key"] in shown and agent["key"] in shown
    assert old.known("connected")  # the old one stays until somebody has decided
    refused = stage.umx(NED, "agents", "accept", new.fqdn, "--key", held[0]["key"])
    assert refused.error == "UMX-1106", refused
    refused = stage.umx(LYNC, "agents", "accept", new.fqdn, "--key", held[0]["key"])
    assert refused.error == "UMX-1813", refused
    assert stage.umx(CONTOSO, "agents", "accept", new.fqdn, "--key", agent["key"]).error == "UMX-1807"
    waiting = subprocess.Popen(inside(stage.lab_dir, new.words(path, "--wait", "60"))[0],
                               env=inside(stage.lab_dir, [])[1], stdout=subprocess.PIPE, text=True)
    assert "umx agents accept" in waiting.stdout.readline()
    assert stage.umx(CONTOSO, "agents", "accept", new.fqdn, "--key", held[0]["key"][:16]).code == 0
    assert waiting.wait(60) == 0
    stage.agents[str(old.home)].wait_for("UMX-1127")
    new.start()
    assert new.wait_for("connected")["key"] == held[0]["key"]
    assert len(new.known()) == 1
    stage.agents[str(old.home)].stop()
    decided = entries(stage, "enrolment_accepted")[-1]
    assert decided["enrolment"]["previous"] == agent["agent"] and decided["enrolment"]["previous_key"] == agent["key"]


def test_revoked_at_once_and_for_good(stage):
    server = Server(stage, 0, "-new")
    agent = server.wait_for("connected")
    daemon = stage.agents[str(server.home)]
    assert stage.umx(CONTOSO, "agents", "forget", server.fqdn).error == "UMX-1808"
    assert stage.umx(NED, "agents", "revoke", server.fqdn).error == "UMX-1106"
    after = daemon.log.stat().st_size
    started = time.monotonic()
    assert stage.umx(CONTOSO, "agents", "revoke", server.fqdn).code == 0
    daemon.wait_for("UMX-1127", after=after)
    assert time.monotonic() - started < 15
    after = daemon.log.stat().st_size
    daemon.wait_for("UMX-1127", after=after)  # it tried again, and was refused again
    assert server.known()[0]["state"] == "revoked"
    assert stage.controller.stop() == 0
    stage.start_controller()
    after = daemon.log.stat().st_size
    daemon.wait_for("UMX-1127", after=after)
    assert server.known()[0]["state"] == "revoked"
    ended = entries(stage, "agent_revoked")[-1]
    assert ended["enrolment"]["agent"] == agent["agent"] and ended["actor"].startswith("umx://lab/operator/")
    # With its old key it does not come back by a token either, without somebody's decision.
    path, _ = token(stage, "--fqdn", server.fqdn)
    assert server.enroll(path).error == "UMX-1125"
    assert stage.umx(CONTOSO, "agents", "forget", server.fqdn).code == 0
    assert server.known() == []
    rows = stage.umx(CONTOSO, "query", f"SELECT count(*) AS n FROM service WHERE server = '{server.fqdn}'")
    assert rows.json["rows"] == [{"n": 0}]
    path, _ = token(stage, "--fqdn", server.fqdn)
    answer = server.enroll(path, "--new-key")
    assert answer.code == 0, answer
    assert server.wait_for("connected")["agent"] in answer.out  # the agent that runs has taken it
    assert daemon.running()
    assert stage.umx(CONTOSO, "audit", "verify").json["intact"]
