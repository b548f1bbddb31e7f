"""The Windows agent under Wine in the lab: its package enrols it with a token of the real controller, it enrols many times
without holding more, and it carries out a step that both sides have approved."""

import os
import signal
import subprocess

import plans
import pytest
from conftest import CONTOSO, LYNC, ROOT
from test_cycles import assert_steady, cycles

from stage.stage import AGENTS, OPERATORS, Stage
from stage.wine import (PROGRAMS, drive, in_lab, machine_name, need, service_state, until, windows_path, wine, words)

need("wixl", "msibuild", "msiinfo")

SERVER, SERVICE = "combx2.contoso.test", "MSExchangeUMCR"
DOMAIN = r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters"
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


def known(stage, server):
    return [agent for agent in stage.umx(CONTOSO, "agents").json["agents"] if agent["server"] == server]


def connected(stage, server):
    return any(agent["state"] == "connected" for agent in known(stage, server))


def token(stage, name, *options):
    path = stage.home / f"{name}.token"
    made = stage.umx(CONTOSO, "token", "create", "--forest", CONTOSO[0], "--out", path, *options)
    assert made.code == 0, made
    return path


def test_one_line_installs_enrols_and_connects(stage):
    name, package, data = machine_name(), stage.home / "agent.msi", drive() / "ProgramData" / "umx"
    secret = token(stage, "msi", "--fqdn", name)
    subprocess.run([ROOT / "packaging/windows/msi", package], check=True, capture_output=True, timeout=120)
    try:
        wine("msiexec", "/i", windows_path(package), "/qn", "/norestart", f"CONTROLLER={AGENTS}", f"OPERATORS={OPERATORS}",
             f"TOKENFILE={windows_path(secret)}")
        assert service_state() == "RUNNING"
        until((data / "umx-agent.log").read_text, lambda: connected(stage, name))
        assert known(stage, name)[0]["forest"] == CONTOSO[0]
        tokens = stage.umx(CONTOSO, "token", "list").json["tokens"]
        assert [t["state"] for t in tokens if t["server"] == name] == ["used_up"]
        identity = (data / "identity.pem").read_text()
        assert identity.count("BEGIN PRIVATE KEY") == 1 and not list(data.glob("*.enrolling"))
    finally:
        wine("msiexec", "/x", windows_path(package), "/qn", check=False)
    assert not data.exists() and service_state() is None


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
