"""Windows programs under Wine, for the tests of tests/windows."""

import functools
import json
import shutil
import subprocess
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


def windows_path(path):
    return "Z:" + str(path).replace("/", "\\")


def wine(*argv, check=True, timeout=180):
    done = subprocess.run([WINE, *map(str, argv)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          errors="replace", timeout=timeout)
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


@functools.cache
def machine_name():
    """What the agent calls this Windows: its identity has to be for that name. Wine lacks the event log, which `facts`
    says, and tells the rest."""
    return json.loads(wine(PROGRAMS / "umx-agent.exe", "facts", check=False).stdout)["server"][0]["server"]
