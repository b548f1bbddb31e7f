"""Where a lab keeps its things, and the names derived from that.

Everything of a lab lies below LAB_DIR; its network namespace is named after that
path, so two labs never meet.  What `tree` lists is what a snapshot carries.
"""

import hashlib
import os
from pathlib import Path

from .programs import LabError

ROOM_NEEDED = 1_500_000_000
SOURCE = Path(__file__).resolve().parent.parent


class Place:
    def __init__(self, directory):
        self.dir = Path(directory).resolve()
        self.netns = "umx-" + hashlib.sha256(str(self.dir).encode()).hexdigest()[:10]
        self.run = self.dir / "run"
        self.controllers = self.dir / "controllers"
        self.ca = self.dir / "ca"
        self.secrets = self.dir / "secrets"
        self.keytabs = self.dir / "keytabs"
        self.hosts = self.dir / "hosts"
        self.stores = self.dir / "stores"
        self.operator_ca = self.dir / "operator-ca"
        self.operators = self.dir / "operators"
        self.build = self.dir / "build"
        self.topology_name = self.dir / "topology"
        self.krb5_conf = self.dir / "krb5.conf"
        self.description = self.dir / "lab.json"

    # Parts that hold no path of their own, so they can be restored anywhere.
    tree = ("topology", "controllers", "ca", "secrets", "keytabs", "hosts", "stores",
            "operator-ca", "operators", "build")

    def make(self):
        for directory in (self.dir, self.run, self.controllers, self.ca, self.secrets, self.keytabs,
                          self.hosts, self.stores, self.operator_ca, self.operators, self.build):
            directory.mkdir(parents=True, exist_ok=True)
        self.dir.chmod(0o755)
        self.secrets.chmod(0o700)

    def exists(self):
        return self.topology_name.exists()

    def require(self):
        if not self.exists():
            raise LabError(f"there is no lab in {self.dir}: run 'lab up' (LAB_DIR selects another)")

    def secret(self, name):
        return (self.secrets / name).read_text()


def selected():
    """The lab that LAB_DIR names, or the default one: in memory when there is room."""
    named = os.environ.get("LAB_DIR")
    if named:
        return Place(named)
    for directory in ("/dev/shm/umx-lab", "/var/tmp/umx-lab"):
        if (Path(directory) / "topology").exists():
            return Place(directory)
    memory = os.statvfs("/dev/shm") if os.path.isdir("/dev/shm") else None
    if memory and memory.f_bavail * memory.f_frsize >= ROOM_NEEDED:
        return Place("/dev/shm/umx-lab")
    return Place("/var/tmp/umx-lab")
