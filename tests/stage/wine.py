"""Windows programs under Wine, for the tests of tests/windows."""

import contextlib
import functools
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / "build-windows" / "bin"
WINE = ROOT / "packaging" / "windows" / "wine"


def need(*tools):
    """What is missing is an error, never a skip."""
    missing = [str(p) for p in (PROGRAMS / "umx-agent.exe", PROGRAMS / "umx.exe", PROGRAMS / "libumx.dll") if not p.exists()]
    missing += [tool for tool in ("wine", *tools) if shutil.which(tool) is None]
    assert not missing, f"not here: {', '.join(missing)} (docs/windows.md)"


def drive():
    """Drive C: as packaging/windows/wine has it."""
    cache = os.environ.get("UMX_WINDOWS_CACHE", Path.home() / ".cache" / "umx-windows")
    return Path(os.environ.get("UMX_WINE_PREFIX", Path(cache) / "wine")) / "drive_c"


def windows_path(path):
    return "Z:" + str(path).replace("/", "\\")


def wine(*argv, check=True, timeout=180):
    # Files, not pipes: a service that the call starts inherits them, and would keep a pipe open for good.
    with tempfile.TemporaryFile("w+", errors="replace") as out, tempfile.TemporaryFile("w+", errors="replace") as err:
        done = subprocess.run([WINE, *map(str, argv)], stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=timeout)
        for stream, name in ((out, "stdout"), (err, "stderr")):
            stream.seek(0)
            setattr(done, name, stream.read())
    assert not check or done.returncode == 0, (argv, done)
    return done


def until(what, holds, timeout=90):
    end = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < end, what() if callable(what) else what
        time.sleep(0.2)


def service_state(name="umx-agent"):
    """As `sc query` says it; None: there is no such service."""
    for line in wine("sc", "query", name, check=False).stdout.splitlines():
        if "STATE" in line:
            return line.split()[-1]
    return None


@contextlib.contextmanager
def prefix_is_busy():
    """A program that stays: after its last one Wine ends, and the next boot starts the services behind our back."""
    stays = subprocess.Popen([WINE, "cmd"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        stays.stdin.close()
        stays.wait(60)


def forget_agent():
    wine(PROGRAMS / "umx-agent.exe", "--uninstall", check=False)


@functools.cache
def machine_name():
    """What the agent calls this Windows: its identity has to be for that name. Wine lacks the event log, which `facts`
    says, and tells the rest."""
    return json.loads(wine(PROGRAMS / "umx-agent.exe", "facts", check=False).stdout)["server"][0]["server"]
