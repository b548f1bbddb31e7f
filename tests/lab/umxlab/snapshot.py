"""Snapshots, and the cache of labs that were just made.

A snapshot holds no path of its lab: it can be restored under any LAB_DIR.  It holds
keys and passwords, so it is made readable for its owner only and is never committed.
"""

import contextlib
import fcntl
import hashlib
import os
import time
from pathlib import Path

from .place import SOURCE, Place
from .programs import run

# Certificates of the lab are as old as its snapshot, and some are made to expire soon.
GOOD_FOR = 7 * 86400
_DERIVED = ["--exclude=controllers/*/run", "--exclude=controllers/*/cache", "--exclude=controllers/*/log"]
_KEEP_ALL = ["--xattrs", "--xattrs-include=*"]


def save(place, path):
    """Write a snapshot of a lab whose domain controllers are stopped."""
    path = Path(path)
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    partial.touch(0o600)
    parts = [part for part in Place.tree if (place.dir / part).exists()]
    try:
        run(["tar", "-C", place.dir, *_KEEP_ALL, *_DERIVED, "--warning=no-file-ignored",
             "--use-compress-program=zstd -1 -T0", "-cf", partial, *parts], 120)
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)


def unpack(place, path):
    run(["tar", "-C", place.dir, *_KEEP_ALL, "--use-compress-program=zstd -d -T0", "-xf", path], 120)


def cached(topology_name):
    """Where the lab of this topology is kept, for exactly this program and this Samba."""
    folder = Path(os.environ.get("LAB_CACHE", "/var/cache/umx-lab"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder / f"{topology_name}-{_fingerprint()}.tar.zst"


def is_good(path):
    return path.exists() and time.time() - path.stat().st_mtime < GOOD_FOR


@contextlib.contextmanager
def maker(path):
    """Only one at a time, while there is no good snapshot of this name."""
    if is_good(path):
        yield
        return
    with open(path.with_suffix(".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def forget_old(path):
    """Remove what other versions left of the same topology."""
    topology_name = path.name.rpartition("-")[0]
    for other in path.parent.glob(f"{topology_name}-*.tar.*"):
        if other != path and time.time() - other.stat().st_mtime > 86400:
            other.unlink(missing_ok=True)


def _fingerprint():
    digest = hashlib.sha256(run(["samba", "--version"], 20).stdout.encode())
    for path in sorted(SOURCE.rglob("*")):
        # The engine is no part of a kept lab.
        if path.is_file() and not {"__pycache__", "shell"} & set(path.relative_to(SOURCE).parts):
            digest.update(f"{path.relative_to(SOURCE)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:20]
