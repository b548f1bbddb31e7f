"""The updater's service under Wine: a signed package takes the place of the agent, stays when it was confirmed, and goes
again by itself when not; what cannot be installed, or somebody else signed, changes nothing. The test stages the packages as
the agent does, and confirms as the controller does; test_lab.py has both do it."""

import shutil
import subprocess

import pytest
from test_tls import Target

from stage.installation import release_key
from stage.wine import (OWN, agent_package, drive, forget_agent, machine_name, need, prefix_is_busy, processes,
                        service_state, until, windows_path, wine)

need("wixl", "msibuild", "msiinfo", "openssl")

FOLDER = drive() / "Program Files" / "umx"
DATA = drive() / "ProgramData" / "umx"
UPDATER = drive() / "ProgramData" / "umx-update"
LONG = 300  # seconds; a confirmation comes long before


class Server:
    """A Windows with the agent's package, its controller, and packages of later versions."""

    def __init__(self, home):
        self.target = Target(home)
        self.key = release_key(home)
        self.stranger = release_key(home, "stranger")
        self.count = 0
        self.first = self.package(OWN)

    def package(self, version, key=None, broken=False):
        return agent_package(self.target.home, version, key or self.key, broken)

    def install(self):
        DATA.mkdir()
        shutil.copy(self.target.make.agent(dns=(machine_name(),), chain=[self.target.make.middle, self.target.make.root]),
                    DATA / "identity.pem")
        shutil.copy(self.key.with_name("release.pub"), DATA / "release.pub")
        (DATA / "agent.ini").write_text(
            f"[agent]\ncontroller = localhost:{self.target.ports['agents']}\nhost = local\n"
            "identity = C:\\ProgramData\\umx\\identity.pem\nstate = C:\\ProgramData\\umx\nstart_jitter = 0\n"
            "longest_wait = 2\nrelease_key = C:\\ProgramData\\umx\\release.pub\n")
        wine("msiexec", "/i", windows_path(self.first), "/qn", timeout=300)

    def clean(self):
        for package in self.target.home.glob("agent-*.msi"):
            wine("msiexec", "/x", windows_path(package), "/qn", check=False, timeout=300)
        forget_agent()
        for folder in (DATA, UPDATER, FOLDER):
            shutil.rmtree(folder, ignore_errors=True)

    def update(self, package, trial=LONG):
        """As the agent stages an offer, and wakes the updater."""
        self.count += 1
        place, id_ = DATA / "update", f"{self.count:032x}"
        place.mkdir(exist_ok=True)
        shutil.copy(package, place / "package")
        shutil.copy(package.with_name(package.name + ".umxsig"), place / "release")
        (place / "request").write_text(f"id {id_}\ntrial {trial}\ndowngrade no\n")
        wine("sc", "start", "umx-agent-update")
        return id_

    def status(self):
        path = UPDATER / "status"
        return dict(line.partition(" ")[::2] for line in path.read_text().splitlines()) if path.exists() else {}

    def wait(self, id_, *states):
        until(self.story, lambda: self.status().get("id") == id_ and self.status()["state"] in states, 240)
        return self.status()

    def story(self):
        logs = [UPDATER / "update.log", DATA / "umx-agent.log"]
        return "\n".join([str(self.status())] + [log.read_text()[-2000:] for log in logs if log.exists()])

    def runs(self, version):
        """The agent of this version is connected, and is the service."""
        until(self.story, lambda: [a["version"] for a in self.target.umx("agents")["agents"]
                                   if a["server"] == machine_name() and a["state"] == "connected"] == [version])
        assert service_state() == "RUNNING"
        said = wine(FOLDER / "umx-agent.exe", "--version").stdout.split()
        assert said == ["umx-agent", version]

    def is_at_rest(self):
        """Nothing is left of the update but what it says of itself."""
        until(self.story, lambda: not (UPDATER / "lock").exists() and not (DATA / "update/request").exists())
        start = wine("reg", "query", r"HKLM\SYSTEM\CurrentControlSet\Services\umx-agent-update", "/v", "Start").stdout
        assert "0x3" in start, start


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with prefix_is_busy():
        made = Server(tmp_path_factory.mktemp("self-update"))
        made.clean()
        made.install()
        yield made
        made.clean()
        made.target.stop()


def test_the_package_has_the_icon(server):
    """What Windows shows in its list of programs."""
    def table(name):
        # In a folder of the test's: it puts what the table has of files beside it.
        return subprocess.run(["msiinfo", "export", server.first, name], check=True, capture_output=True, text=True,
                              cwd=server.first.parent).stdout

    assert "ARPPRODUCTICON\tumx.ico" in table("Property") and "\numx.ico\t" in table("Icon")


def test_a_confirmed_version_stays(server):
    server.runs(OWN)
    before = (DATA / "identity.pem").read_bytes()
    id_ = server.update(server.package("0.1.1"))
    status = server.wait(id_, "trial", "refused", "returned", "failed")
    assert (status["state"], status["version"], status["previous"]) == ("trial", "0.1.1", OWN), server.story()
    server.runs("0.1.1")
    (DATA / "update/confirmed").write_text(id_)
    assert server.wait(id_, "installed", "returned")["state"] == "installed"
    server.is_at_rest()
    assert (DATA / "identity.pem").read_bytes() == before


def test_a_version_that_nobody_confirms_is_returned(server):
    id_ = server.update(server.package("0.1.2"), trial=2)
    status = server.wait(id_, "returned", "installed", "failed", "refused")
    assert status["state"] == "returned" and "not confirmed within 2 s" in status["reason"], server.story()
    server.runs("0.1.1")
    server.is_at_rest()


def test_a_version_that_cannot_be_installed_is_returned(server):
    id_ = server.update(server.package("0.1.3", broken=True))
    status = server.wait(id_, "returned", "installed", "failed", "refused")
    assert status["state"] == "returned", server.story()
    server.runs("0.1.1")
    server.is_at_rest()


def test_what_another_key_signed_is_refused(server):
    id_ = server.update(server.package("0.1.4", key=server.stranger))
    status = server.wait(id_, "refused", "installed", "trial")
    assert (status["state"], status["error"]) == ("refused", "1016"), server.story()
    server.runs("0.1.1")
    server.is_at_rest()


def test_a_release_key_that_others_may_change_is_not_believed(server):
    (DATA / "release.pub").chmod(0o666)
    id_ = server.update(server.target.home / "agent-0.1.2.msi")
    status = server.wait(id_, "refused", "installed", "trial")
    assert (status["state"], status["error"]) == ("refused", "1724"), server.story()
    (DATA / "release.pub").chmod(0o644)
    server.runs("0.1.1")


def test_an_agent_that_is_removed_in_a_trial_stays_away(server):
    """With its state kept, and after it has come back without: the updater installs nothing any more, and leaves nothing."""
    for version, keep in (("0.1.5", ["KEEPSTATE=1"]), ("0.1.6", [])):
        package = server.package(version)
        id_ = server.update(package)
        assert server.wait(id_, "trial", "refused", "returned", "failed")["state"] == "trial", server.story()
        wine("msiexec", "/x", windows_path(package), "/qn", *keep, timeout=300)
        assert service_state() is None
        until(server.story, lambda: not (UPDATER / "lock").exists() and not processes("updater.exe"))
        if keep:
            status = server.status()
            assert (status["id"], status["state"], status["reason"]) == (id_, "failed", "the agent was removed")
            assert not (DATA / "update/request").exists()
            wine("msiexec", "/i", windows_path(package), "/qn", timeout=300)
            server.runs(version)
    assert not UPDATER.exists() and not DATA.exists()
