"""The agent's life as a service of Wine's service manager: registered, started, stopped in time whatever it is doing, killed,
started again. What Wine's manager does not keep (recovery actions) test_windows_service.c sees on its way there."""

import contextlib
import os
import re
import signal
import time
from pathlib import Path

import pytest

from stage.wine import (PROGRAMS, end_wine, forget_agent, need, prefix_is_busy, processes, service_state, until,
                        windows_path, wine)

need()

KEY = r"HKLM\SYSTEM\CurrentControlSet\Services\umx-agent"
STOP_SECONDS = 5  # after that Windows takes a service that stops for one that hangs


def connected(target):
    agents = target.umx("agents")["agents"]
    return bool(agents) and agents[0]["state"] == "connected"


def service():
    """The process of the service; None: there is none. While one begins Wine has two of that name for a moment."""
    found = []

    def is_clear():
        found[:] = processes("umx-agent.exe", "--service")
        return len(found) < 2

    until(lambda: f"two services: {found}", is_clear)
    return found[0] if found else None


def start():
    """Seconds to a service that is started, the start of net.exe among them."""
    begin = time.monotonic()
    wine("net", "start", "umx-agent")
    seconds = time.monotonic() - begin
    assert service_state() == "RUNNING"
    return seconds


def stop():
    """Seconds until the process is gone, the start of sc.exe among them."""
    pid, begin = service(), time.monotonic()
    assert pid is not None
    wine("sc", "stop", "umx-agent")
    until("its process does not end", lambda: not Path(f"/proc/{pid}").exists())
    seconds = time.monotonic() - begin
    assert service_state() == "STOPPED"
    return seconds


@contextlib.contextmanager
def frozen(target):
    target.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        target.process.send_signal(signal.SIGCONT)


@pytest.fixture
def registered(config):
    forget_agent()
    wine(PROGRAMS / "umx-agent.exe", "--install", "--config", windows_path(config))
    yield config
    forget_agent()
    assert service_state() is None and service() is None


def test_what_is_registered(registered):
    said = wine("reg", "query", KEY).stdout
    values = dict(re.findall(r"^ +(\w+) +REG_\w+ +(.*?)\r?$", said, re.MULTILINE))
    program, folder = windows_path(PROGRAMS / "umx-agent.exe"), windows_path(registered)
    told = f'"{program}" --service --config "{folder}"'.encode("ascii", "replace").decode()  # as reg.exe tells it
    assert values["ImagePath"] == told, said
    assert int(values["Start"], 16) == 2 and int(values["Type"], 16) == 16, said
    assert values["ObjectName"] == r"NT SERVICE\umx-agent" and values["DisplayName"] == "umx agent", said
    assert values["Description"].startswith("Reports this server"), said
    assert service_state() == "STOPPED"


def test_started_stopped_and_started_again(target, registered, record_property):
    figures = {"start": start()}
    begin = time.monotonic()
    until("the service never connected", lambda: connected(target))
    figures["connected"] = time.monotonic() - begin
    status = Path(f"/proc/{service()}/status").read_text()
    figures["working_set_mib"] = int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024
    figures["stop"] = stop()
    assert figures["stop"] < STOP_SECONDS, figures
    until("the controller did not see it go", lambda: not connected(target))
    start()
    until("it did not come back", lambda: connected(target))
    assert (registered.parent / "umx-agent.log").read_text().count("speaks for") == 2
    print({name: round(value, 2) for name, value in figures.items()})


def test_stopped_in_time_while_the_controller_does_not_answer(target, registered):
    start()
    until("the service never connected", lambda: connected(target))
    with frozen(target):
        assert stop() < STOP_SECONDS
        start()  # which nobody answers: it is stopped in its handshake
        assert stop() < STOP_SECONDS
    start()
    until("it did not come back", lambda: connected(target))


def test_removed_while_it_runs(registered):
    start()
    wine(PROGRAMS / "umx-agent.exe", "--uninstall")
    assert service_state() is None and service() is None


def test_killed_with_all_of_windows_it_comes_back_with_it(target, registered):
    """The machine fails and starts again. Of a service that is killed alone Wine's manager hears nothing: it neither starts it
    again, as Windows does after 5 s, nor lets it be stopped."""
    start()
    until("the service never connected", lambda: connected(target))
    identity = (registered.parent / "identity.pem").read_bytes()
    os.kill(service(), signal.SIGKILL)
    until("the controller did not see it go", lambda: not connected(target))
    end_wine()
    with prefix_is_busy():
        until("it did not come back", lambda: connected(target))
        assert service_state() == "RUNNING"
        assert (registered.parent / "identity.pem").read_bytes() == identity
        forget_agent()
