"""The Windows agent under Wine in the lab: its package enrols it with a token of the real controller, which brings it a later
one; it enrols many times without holding more, and carries out a step that both sides have approved."""

import os
import shutil
import signal
import subprocess

import plans
import pytest
from conftest import CONTOSO, LYNC
from test_cycles import assert_steady, cycles

from stage.installation import release_key
from stage.stage import AGENTS, OPERATORS, Stage
from stage.wine import (OWN, PROGRAMS, agent_package, drive, in_lab, machine_name, need, service_state, until, windows_path, wine,
                        words)

need("wixl", "msibuild", "msiinfo", "openssl")

SERVER, SERVICE = "combx2.contoso.test", "MSExchangeUMCR"
DOMAIN = r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters"
LATER = "0.1.1"
ENROLMENTS = int(os.environ.get("UMX_ENROLMENTS", 40))


@pytest.fixture(scope="module")
def stage(fleet):
    """The controller, Linux agents of one pair's servers but one, and Wine in their network."""
    play = Stage(fleet, name="wine").make()
    with in_lab(fleet):
        wine("reg", "add", DOMAIN, "/v", "Domain", "/d", CONTOSO[0], "/f")  # a machine is called in full by whoever enrols it
        play.start_controller()
        play.start_agents([s["fqdn"] for s in play.lab["servers"]
                           if s["forest"] in (CONTOSO[0], LYNC[0]) and s["fqdn"] != SERVER])
        yield play
    play.stop()


def data():
    return drive() / "ProgramData" / "umx"


def program():
    return drive() / "Program Files" / "umx" / "umx-agent.exe"


def known(stage, server):
    return [agent for agent in stage.umx(CONTOSO, "agents").json["agents"] if agent["server"] == server]


def connected(stage, server):
    return any(agent["state"] == "connected" for agent in known(stage, server))


def token(stage, name, *options):
    path = stage.home / f"{name}.token"
    made = stage.umx(CONTOSO, "token", "create", "--forest", CONTOSO[0], "--out", path, *options)
    assert made.code == 0, made
    return path


@pytest.fixture(scope="module")
def packages(stage):
    """Of two versions, and the key of their releases."""
    key = release_key(stage.home)
    return {version: agent_package(stage.home, version, key) for version in (OWN, LATER)}


@pytest.fixture(scope="module")
def installed(stage, packages):
    """The server's agent as one line makes it; its name."""
    name = machine_name()
    secret = token(stage, "msi", "--fqdn", name)
    try:
        wine("msiexec", "/i", windows_path(packages[OWN]), "/qn", "/norestart", f"CONTROLLER={AGENTS}",
             f"OPERATORS={OPERATORS}", f"TOKENFILE={windows_path(secret)}")
        yield name
    finally:
        for package in packages.values():
            wine("msiexec", "/x", windows_path(package), "/qn", check=False)
    assert not data().exists() and service_state() is None


def test_one_line_installs_enrols_and_connects(stage, installed):
    assert service_state() == "RUNNING"
    until((data() / "umx-agent.log").read_text, lambda: connected(stage, installed))
    assert known(stage, installed)[0]["forest"] == CONTOSO[0]
    tokens = stage.umx(CONTOSO, "token", "list").json["tokens"]
    assert [t["state"] for t in tokens if t["server"] == installed] == ["used_up"]
    identity = (data() / "identity.pem").read_text()
    assert identity.count("BEGIN PRIVATE KEY") == 1 and not list(data().glob("*.enrolling"))


def test_the_controller_brings_it_a_later_version(stage, installed, packages):
    """As docs/windows.md says: the key of releases once, then one command, and the controller confirms what comes back."""
    def status():
        return stage.umx(LYNC, "agents", "update", "status").json

    def version():
        return [agent["version"] for agent in known(stage, installed) if agent["state"] == "connected"]

    identity = (data() / "identity.pem").read_bytes()
    shutil.copy(stage.home / "release.pub", program().parent)
    with (data() / "agent.ini").open("a") as config:
        config.write("release_key = C:\\Program Files\\umx\\release.pub\n")
    wine("sc", "stop", "umx-agent")
    until("it did not stop", lambda: service_state() == "STOPPED")
    wine("sc", "start", "umx-agent")
    until((data() / "umx-agent.log").read_text, lambda: version() == [OWN])

    begun = stage.umx(LYNC, "agents", "update", "--package", packages[LATER], "--server", installed, "--trial", "300")
    assert begun.code == 0, begun
    until(lambda: f"{status()}\n{(data() / 'umx-agent.log').read_text()}",
          lambda: status()["state"] in ("completed", "halted"), 240)
    assert [(s["server"], s["state"]) for s in status()["servers"]] == [(installed, "updated")], status()
    assert version() == [LATER] and service_state() == "RUNNING"
    assert wine(program(), "--version").stdout.split() == ["umx-agent", LATER]
    assert (data() / "identity.pem").read_bytes() == identity
    # Whose agent is new may be given the same package that the controller was.
    handed = stage.home / "handed.msi"
    told = stage.umx(LYNC, "agents", "package", "--out", handed)
    assert (told.json["kind"], told.json["version"]) == ("msi", LATER), told
    assert handed.read_bytes() == packages[LATER].read_bytes()


def test_many_enrolments_hold_nothing(stage):
    """With one key, ten times with each token: it may ask so often, as one whose answer was lost."""
    name, home = "many.contoso.test", stage.home / "enrolments"
    home.mkdir()
    (home / "host.ini").write_text(f"[host]\nfqdn = {name}\n")
    config = home / "agent.ini"
    config.write_text(f"[agent]\ncontroller = {AGENTS}\nidentity = {windows_path(home / 'identity.pem')}\n"
                      f"host = recorded:{windows_path(home)}\n")
    for number in range(ENROLMENTS // 10):
        token(stage, "many", "--fqdn", name).rename(stage.home / f"many.{number}")
    assert_steady(cycles("enroll", windows_path(config), ENROLMENTS, OPERATORS, windows_path(stage.home / "many")), ENROLMENTS)


@pytest.fixture
def agent(stage):
    """The server's agent, of Windows; what it says of the server is recorded, as with all servers of the lab."""
    server = next(s for s in stage.lab["servers"] if s["fqdn"] == SERVER)
    identity, home = stage.home / "windows.pem", stage.home / "windows"
    home.mkdir()
    stage.umxd("issue", "agent", SERVER, "--data", stage.data, "--out", identity)
    config = home / "agent.ini"
    config.write_text(f"[agent]\ncontroller = {AGENTS}\nidentity = {windows_path(identity)}\n"
                      f"host = recorded:{windows_path(server['host_dir'])}\nstate = {windows_path(home)}\nstart_jitter = 0\n")
    # No ticket: Wine's LDAP would die of a bind with one.
    line, environment = words(PROGRAMS / "umx-agent.exe", "--console", "--config", windows_path(config),
                              environment={"KRB5CCNAME": "FILE:/nonexistent"})
    with open(home / "log", "w") as said:
        process = subprocess.Popen(line, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                                   start_new_session=True)
    try:
        until((home / "log").read_text, lambda: connected(stage, SERVER))
        yield home
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)


def test_it_carries_out_an_approved_step(stage, agent):
    def started():
        return stage.umx(CONTOSO, "query", "SELECT started_at FROM service "
                         f"WHERE server = '{SERVER}' AND name = '{SERVICE}'").json["rows"]

    until("it reports no service", started)
    before = started()
    stage.wait_shells()
    plan = plans.create(stage, "windows", who=LYNC, phase="um-servers", pair="contoso.test:lync.test")
    mine = [s for s in plan["steps"] if s["kind"] == "action" and f"{SERVICE} on {SERVER}" in s["summary"]]
    assert len(mine) == 1, [s["summary"] for s in plan["steps"]]
    plans.approve(stage, "windows")
    plans.start(stage, "windows")
    done = plans.finish(stage, "windows")
    step = next(s for s in done["steps"] if s["id"] == mine[0]["id"])
    assert step["state"] == "verified", (step, (agent / "log").read_text())
    assert (agent / "actions.journal").stat().st_size > 0
    assert started()[0]["started_at"] > before[0]["started_at"]
