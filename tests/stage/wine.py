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

from .programs import inside

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / "build-windows" / "bin"
TESTS = ROOT / "build-windows" / "tests"
WINE = ROOT / "packaging" / "windows" / "wine"
OWN = "0.1.0"  # version of the build
_lab = None  # where Wine is; None: on this machine


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


def words(*argv, environment=None):
    """A Windows program's command line and environment: on this machine, or in the lab of `in_lab`."""
    argv = [str(word) for word in (WINE, *argv)]
    return inside(_lab, argv, environment) if _lab else (argv, {**os.environ, **(environment or {})})


def wine(*argv, check=True, timeout=180):
    # Files, not pipes: a service that the call starts inherits them, and would keep a pipe open for good.
    with tempfile.TemporaryFile("w+", errors="replace") as out, tempfile.TemporaryFile("w+", errors="replace") as err:
        line, environment = words(*argv)
        done = subprocess.run(line, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=timeout)
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
    line, environment = words("cmd")
    stays = subprocess.Popen(line, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        stays.stdin.close()
        stays.wait(60)


def end_wine():
    """Every program of the prefix, at once, as a machine that fails."""
    for option in ("-k", "-w"):
        subprocess.run(["wineserver", option], env={**os.environ, "WINEPREFIX": str(drive().parent)}, timeout=60)


@contextlib.contextmanager
def in_lab(directory):
    """Wine in a lab's network. The sockets of all programs of a prefix are its wineserver's, which is where the prefix's
    first program was: so this is a copy of the prefix, begun inside and ended there, and one outside goes on beside it."""
    global _lab
    outside, given = drive().parent, os.environ.get("UMX_WINE_PREFIX")
    wine("cmd", "/c", "exit")  # makes the prefix where there is none
    prefix = Path(directory) / "wine-prefix"
    shutil.rmtree(prefix, ignore_errors=True)
    subprocess.run(["cp", "-a", outside, prefix], check=True, timeout=300)
    os.environ["UMX_WINE_PREFIX"], _lab = str(prefix), directory
    machine_name.cache_clear()
    try:
        with prefix_is_busy():
            yield prefix
    finally:
        end_wine()
        _lab = None
        machine_name.cache_clear()
        os.environ.pop("UMX_WINE_PREFIX") if given is None else os.environ.update(UMX_WINE_PREFIX=given)
        shutil.rmtree(prefix, ignore_errors=True)


def agent_package(folder, version=OWN, key=None, broken=False):
    """The agent's MSI, and with a key its release: the agent itself with another version in its words; broken: no program."""
    programs, made = folder / f"programs-{version}", folder / f"agent-{version}.msi"
    programs.mkdir()
    bytes_ = (PROGRAMS / "umx-agent.exe").read_bytes()
    for encoding in ("ascii", "utf-16-le"):
        bytes_ = bytes_.replace(OWN.encode(encoding), version.encode(encoding))
    (programs / "umx-agent.exe").write_bytes(b"MZ and nothing that runs" if broken else bytes_)
    make = [ROOT / "packaging/windows/msi", made, "--version", version, "--programs", programs]
    for line in [make, [ROOT / "packaging/sign-release", key, made]] if key else [make]:
        subprocess.run(line, check=True, capture_output=True, timeout=120)
    return made


def forget_agent():
    wine(PROGRAMS / "umx-agent.exe", "--uninstall", check=False)


@functools.cache
def machine_name():
    """What the agent calls this Windows: its identity has to be for that name. Wine lacks the event log, which `facts`
    says, and tells the rest."""
    return json.loads(wine(PROGRAMS / "umx-agent.exe", "facts", check=False).stdout)["server"][0]["server"]


def processes(*parts):
    """Process ids of what runs in this prefix with these words in its command line."""
    prefix, found = f"WINEPREFIX={drive().parent}".encode(), []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if all(part in line for part in parts) and prefix in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found
