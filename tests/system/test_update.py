"""Updates of the agents: waves, the return to the version before, crashes, packages that nobody signed. The programs are
real; what installs them is a stand-in (stage/installation.py)."""

import hashlib
import shutil
import signal
import time

import pytest
from conftest import LYNC

from stage.installation import Installation, program, release_key, sign
from stage.programs import Failed
from stage.stage import Stage

COUNT = 4


class Fleet:
    """A controller, four installations, and the packages of a release key."""

    def __init__(self, play):
        self.stage = play
        self.folder = play.home
        self.key = release_key(play.home)
        servers = [s for s in play.lab["servers"] if s["forest"] != "lync.test"][:COUNT]
        self.servers = [Installation(play, server, self.key) for server in servers]

    def package(self, version, key=None, downgrade=False):
        made = program(self.stage.build, self.folder, version)
        sign(key or self.key, made, version, downgrade)
        return made

    def update(self, package, *options, trial=90):
        return self.stage.umx(LYNC, "agents", "update", "--package", package, "--trial", str(trial), *options)

    def status(self):
        return self.stage.umx(LYNC, "agents", "update", "status").json

    def verb(self, word):
        answer = self.stage.umx(LYNC, "agents", "update", word)
        assert answer.code == 0, answer

    def states(self):
        return {s["server"]: s["state"] for s in self.status()["servers"]}

    def versions(self):
        return {a["server"]: a["version"] for a in self.stage.umx(LYNC, "agents").json["agents"]
                if a["state"] == "connected"}

    def wait(self, what, timeout=150):
        """Until a picture of the update is as wanted; the picture."""
        end = time.monotonic() + timeout
        while True:
            status = self.status()
            if what(status):
                return status
            if time.monotonic() > end:
                raise Failed(f"{status}\n" + "\n".join((s.home / log).read_text()[-1500:] for s in self.servers
                                                       for log in ("service.log", "path.log")))
            time.sleep(0.1)

    def wait_state(self, state):
        return self.wait(lambda s: s["state"] == state)

    def wait_connected(self):
        end = time.monotonic() + 60
        while len(self.versions()) < COUNT:
            assert time.monotonic() < end, self.versions()
            time.sleep(0.1)


@pytest.fixture(scope="module")
def updates(fleet):
    play = Stage(fleet, name="updates").make()
    play.start_controller()
    made = Fleet(play)
    play.login(*LYNC)
    made.wait_connected()
    yield made
    for server in made.servers:
        server.stop()
    play.stop()


def test_controller_that_holds_no_package(updates, tmp_path):
    refused = updates.stage.umx(LYNC, "agents", "package", "--out", tmp_path / "umx-agent.deb")
    assert (refused.code, refused.error) == (1, "UMX-1814"), refused
    assert not any(tmp_path.iterdir())


def test_waves_bring_a_new_version(updates):
    package = updates.package("0.1.1")
    answer = updates.update(package, "--canary", "1", "--wave", "50")
    assert answer.code == 0, answer
    again = updates.update(package)
    assert again.error == "UMX-1810", again  # one at a time
    status = updates.wait_state("completed")
    assert {s["state"] for s in status["servers"]} == {"updated"}
    assert set(updates.versions().values()) == {"0.1.1"}
    assert [s["wave"] for s in status["servers"]] == [1, 2, 2, 3]
    entries = [e["fleet_update"] for e in updates.stage.umx(LYNC, "audit").json["entries"] if e["kind"] == "agent_update"]
    # No server of a wave was begun before all of the one before it were confirmed.
    order = [(e["server"], e["state"]) for e in entries if e["event"] == "server"]
    wave = {s["server"]: s["wave"] for s in status["servers"]}
    for at, (server, state) in enumerate(order):
        if state == "updating":
            before = {name for name, number in wave.items() if number < wave[server]}
            assert before == {name for name, end in order[:at] if end == "updated" and name in before}
    assert [e["event"] for e in entries if e["event"] != "server"] == ["begun", "wave", "wave", "completed"]
    for server in updates.servers:
        assert server.installed() == ["keep 0.1.0", "install 0.1.1"]
        assert not (server.home / "state/update/request").exists()
    assert updates.stage.umx(LYNC, "audit", "verify").code == 0


def test_package_that_the_controller_holds(updates, tmp_path):
    """What an operator gets is what the controller was given, whole and with its SHA-256, or nothing."""
    given = (updates.folder / "umx-agent-0.1.1.deb").read_bytes()
    digest = hashlib.sha256(given).hexdigest()
    out = tmp_path / "umx-agent.deb"

    answer = updates.stage.umx(LYNC, "agents", "package", "--out", out)
    assert answer.code == 0, answer
    assert out.read_bytes() == given
    told = answer.json
    assert (told["kind"], told["version"], told["sha256"], told["size"]) == ("deb", "0.1.1", digest, len(given))
    assert told["file"] == str(out) and told["release"] == (updates.folder / "umx-agent-0.1.1.deb.umxsig").read_text()

    out.write_text("as it was")
    held = updates.stage.data / "updates" / updates.status()["update"]
    aside = tmp_path / "aside"
    shutil.move(held, aside)
    try:
        for kept, error in ((None, "UMX-1814"), (given[:-1], "UMX-1815"), (given[:-1] + bytes([given[-1] ^ 1]), "UMX-1815")):
            if kept is not None:
                held.write_bytes(kept)
            refused = updates.stage.umx(LYNC, "agents", "package", "--out", out)
            assert (refused.code, refused.error) == (1, error), refused
            assert out.read_text() == "as it was"
            assert not out.with_name(out.name + ".part").exists()
    finally:
        shutil.move(aside, held)
    nowhere = updates.stage.umx(LYNC, "agents", "package", "--out", tmp_path / "none" / "umx-agent.deb")
    assert nowhere.error == "UMX-1009", nowhere


def test_version_that_never_comes_back_is_returned(updates):
    package = updates.folder / "broken.deb"
    package.write_text("#!/bin/sh\n# No agent at all.\nexit 1\n")
    sign(updates.key, package, "0.1.5")
    answer = updates.update(package, trial=3)
    assert answer.code == 0, answer
    status = updates.wait_state("halted")
    assert sorted(s["state"] for s in status["servers"]) == ["returned", "waiting", "waiting", "waiting"]
    returned = next(s for s in status["servers"] if s["state"] == "returned")
    assert "not confirmed within 3 s" in returned["reason"] and returned["server"] in status["reason"]
    updates.wait_connected()
    assert set(updates.versions().values()) == {"0.1.1"}
    hit = next(s for s in updates.servers if s.fqdn == returned["server"])
    assert hit.installed()[-3:] == ["keep 0.1.1", "install 0.1.5", "return 0.1.1"]
    assert all(s.installed()[-1] == "install 0.1.1" for s in updates.servers if s is not hit)
    updates.verb("stop")
    refused = updates.stage.umx(LYNC, "agents", "update", "resume")
    assert refused.error == "UMX-1811", refused


def test_release_of_another_key_is_refused_by_the_agent(updates):
    """The controller knows no release key: what it passes on is judged on the server."""
    answer = updates.update(updates.package("0.1.6", key=release_key(updates.folder, "stranger")))
    assert answer.code == 0, answer
    status = updates.wait_state("halted")
    refused = next(s for s in status["servers"] if s["state"] == "refused")
    assert refused["reason"].startswith("UMX-1016 ")
    assert set(updates.versions().values()) == {"0.1.1"}
    updates.verb("stop")


def test_packages_that_are_not_what_was_signed(updates):
    package = updates.package("0.1.7")
    whole = package.read_bytes()
    package.write_bytes(whole[:-1])
    assert updates.update(package).error == "UMX-1017"
    package.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert updates.update(package).error == "UMX-1017"
    package.write_bytes(whole)
    package.with_name(package.name + ".umxsig").write_text("umx-release 1\n")
    assert updates.update(package).error == "UMX-1015"
    assert updates.update(updates.folder / "nothing.deb").error == "UMX-1008"
    assert updates.status()["version"] == "0.1.6"  # none of them began


def test_older_version_is_skipped(updates):
    answer = updates.update(updates.package("0.0.9"), "--wave", "100", "--canary", "4")
    assert answer.code == 0, answer
    status = updates.wait_state("completed")
    assert {s["state"] for s in status["servers"]} == {"skipped"}
    assert all("--downgrade" in s["reason"] for s in status["servers"])


def test_controller_killed_in_the_middle(updates):
    """Once while the first wave is under way and once in the next: it goes on where it was."""
    answer = updates.update(updates.package("0.1.2"), "--canary", "1", "--wave", "75")
    assert answer.code == 0, answer
    for wave in (1, 2):
        updates.wait(lambda s, w=wave: s["wave"] == w and any(r["state"] == "updating" for r in s["servers"]))
        updates.stage.controller.stop(signal.SIGKILL)
        updates.stage.start_controller()
    status = updates.wait_state("completed")
    assert {s["state"] for s in status["servers"]} == {"updated"}
    assert set(updates.versions().values()) == {"0.1.2"}
    assert all(s.installed().count("install 0.1.2") == 1 for s in updates.servers)


def test_agent_and_updater_killed_in_the_middle(updates):
    canary = next(s for s in updates.servers if s.fqdn == updates.status()["servers"][0]["server"])
    answer = updates.update(updates.package("0.1.3"), "--canary", "1", "--wave", "100")
    assert answer.code == 0, answer
    updates.wait(lambda s: any(r["state"] == "updating" for r in s["servers"]))
    canary.kill()
    status = canary.home / "updater" / "status"
    end = time.monotonic() + 60
    while "version 0.1.3" not in status.read_text():
        assert time.monotonic() < end, status.read_text()
        time.sleep(0.02)
    canary.kill("updater.pid")
    done = updates.wait_state("completed")
    assert {s["state"] for s in done["servers"]} == {"updated"}
    assert set(updates.versions().values()) == {"0.1.3"}


def test_downgrade_that_was_signed_as_one(updates):
    answer = updates.update(updates.package("0.1.1", downgrade=True), "--downgrade", "--canary", "4")
    assert answer.code == 0, answer
    assert {s["state"] for s in updates.wait_state("completed")["servers"]} == {"updated"}
    assert set(updates.versions().values()) == {"0.1.1"}
