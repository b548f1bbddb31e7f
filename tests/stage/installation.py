"""An agent as an installation has it, for tests of updates. Stand-ins: a package is the program itself, the installer a
script that puts it in place, and two more scripts do what systemd does with umx-agent.service and umx-agent-update.path."""

import os
import shutil
import signal
import subprocess

from .programs import ROOT, Daemon

INSTALLER = """#!/bin/sh
# Stand-in for dpkg: keep, install and return the program; the service manager's stand-in starts it again.
here=$(dirname "$0")
echo "$1 $3" >>"$here/installer.log"
case $1 in
  keep) cp "$here/umx-agent" "$2" ;;
  install | return)
    cp "$2" "$here/umx-agent.new" && chmod 755 "$here/umx-agent.new" && mv "$here/umx-agent.new" "$here/umx-agent"
    kill "$(cat "$here/pid")" || true ;;
esac
"""

SERVICE = """#!/bin/sh
# Stand-in for umx-agent.service.
here=$(dirname "$0")
trap 'kill $(cat "$here/pid"); exit 0' TERM
while :; do
  "$here/umx-agent" --config "$here/agent.ini" & echo $! >"$here/pid"
  wait $!
  sleep 0.3
done
"""

PATH = """#!/bin/sh
# Stand-in for umx-agent-update.path and .service.
here=$(dirname "$0")
trap 'kill $child; exit 0' TERM
child=
while :; do
  if [ -e "$here/state/update/request" ] || [ -e "$here/updater/updater" ]; then
    for program in "$here/updater/updater" "$here/umx-agent"; do
      [ -x "$program" ] || continue
      "$program" apply --config "$here/agent.ini" & child=$!
      echo $child >"$here/updater.pid"
      wait $child
    done
  fi
  sleep 0.2
done
"""


def release_key(folder, name="release"):
    """A key of releases: the private file; its public one is beside it."""
    key = folder / name
    subprocess.run([ROOT / "packaging" / "sign-release", "new-key", key], check=True, capture_output=True)
    return key


def sign(key, package, version, downgrade=False):
    """The text that packaging/sign-release makes beside a package; ours is no .deb that it could ask for its version."""
    text = package.with_suffix(".text")
    digest = subprocess.run(["sha256sum", package], check=True, capture_output=True, text=True).stdout.split()[0]
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    text.write_text(f"umx-release 1\npackage umx-agent\nversion {version}\nkind deb\narchitecture {machine}\n"
                    f"size {package.stat().st_size}\nsha256 {digest}\ndowngrade {'yes' if downgrade else 'no'}\n")
    signature = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", text], check=True,
                               capture_output=True).stdout
    made = package.with_name(package.name + ".umxsig")
    made.write_text(text.read_text() + f"signature {signature.hex()}\n")
    return made


def program(build, folder, version):
    """The agent's program with another version in its words, nothing else: what a later release would be."""
    made = folder / f"umx-agent-{version}.deb"
    subprocess.run(["strip", "-o", made, build / "umx-agent"], check=True)
    own = subprocess.run([build / "umx-agent", "--version"], check=True, capture_output=True,
                         text=True).stdout.split()[1]
    assert len(own) == len(version)
    made.write_bytes(made.read_bytes().replace(own.encode(), version.encode()))
    return made


class Installation:
    """One server's agent with its updater, in a folder of its own."""

    def __init__(self, stage, server, key):
        self.fqdn = server["fqdn"]
        self.home = stage.home / f"{self.fqdn}.installation"
        self.home.mkdir()
        (self.home / "state").mkdir(mode=0o700)
        shutil.copy(key.with_name(key.name + ".pub"), self.home / "release.pub")
        shutil.copy(stage.build / "umx-agent", self.home / "umx-agent")
        identity = self.home / "identity.pem"
        stage.umxd("issue", "agent", self.fqdn, "--data", stage.data, "--out", identity)
        (self.home / "agent.ini").write_text(
            f"[agent]\ncontroller = 127.77.3.1:7443\nidentity = {identity}\nhost = recorded:{server['host_dir']}\n"
            f"state = {self.home}/state\nstart_jitter = 0\nlongest_wait = 2\nrelease_key = {self.home}/release.pub\n"
            f"updater = {self.home}/updater\ninstaller = {self.home}/installer\n")
        self.daemons = []
        for name, text in (("installer", INSTALLER), ("service", SERVICE), ("path", PATH)):
            (self.home / name).write_text(text)
            (self.home / name).chmod(0o755)
        for name in ("service", "path"):
            self.daemons.append(Daemon(f"{name} {self.fqdn}", stage.lab_dir, self.home / f"{name}.log",
                                       [self.home / name]).start())

    def kill(self, what="pid"):
        """The agent, or with "updater.pid" the updater, as a crash does."""
        os.kill(int((self.home / what).read_text()), signal.SIGKILL)

    def installed(self):
        """What the installer was asked to do."""
        log = self.home / "installer.log"
        return log.read_text().splitlines() if log.exists() else []

    def stop(self):
        for daemon in self.daemons:
            daemon.stop()
