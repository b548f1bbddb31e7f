"""The lab's network namespace, and the ways into it.

All addresses are 127.77.x.y on the loopback device of one network namespace, so no
port of the machine is taken.  A keeper process holds the mount namespace in which
tests run: `lab exec` joins it, so a file system fault made there is seen by every
program of the test and by nothing outside, and is gone when the keeper ends.
"""

import contextlib
import os
import shutil
import signal
import time

from .programs import LabError, run, spawn

DNS_ADDRESS = "127.77.0.1"

# Binds file after file over its place, then becomes the command.
_BIND_AND_EXEC = 'while [ "$1" != -- ]; do mount --bind "$1" "$2" || exit 99; shift 2; done; shift; exec "$@"'


def inside(place, binds, argv):
    """The words that run argv in the lab's network with binds {over: source} of its own."""
    pairs = [str(p) for over, source in binds.items() for p in (source, over)]
    return ["ip", "netns", "exec", place.netns, "sh", "-c", _BIND_AND_EXEC, "lab", *pairs, "--",
            *[str(a) for a in argv]]


def client_environment(place):
    return {
        "LAB_DIR": str(place.dir),
        "KRB5_CONFIG": str(place.krb5_conf),
        "KRB5CCNAME": os.environ.get("KRB5CCNAME", f"FILE:{place.run}/krb5cc"),
        "LDAPTLS_CACERT": str(place.ca / "ca.pem"),
        "LAB_JSON": str(place.description),
    }


def client_words(place, argv):
    """The words that run argv where the tests run; used with client_environment."""
    # --root: in a chroot the mount namespace's own root is not ours.
    return ["nsenter", f"--target={keeper(place)}", "--net", "--mount", "--root", f"--wdns={os.getcwd()}",
            "--", *[str(a) for a in argv]]


def client(place, argv, deadline, **more):
    env = {**client_environment(place), **more.pop("env", {})}
    return run(client_words(place, argv), deadline, env=env, **more)


def exists(place):
    return os.path.exists(f"/run/netns/{place.netns}")


def up(place):
    for tool in ("ip", "nsenter", "dnsmasq", "samba", "samba-tool", "ldapsearch", "openssl", "zstd"):
        if not shutil.which(tool, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
            raise LabError(f"{tool} is not installed; see tests/lab/README.md for the packages")
    if os.geteuid() != 0:
        raise LabError("the lab needs root: it makes a network namespace and mounts")
    run(["ip", "netns", "add", place.netns], 10)
    run(["ip", "-n", place.netns, "link", "set", "lo", "up"], 10)


def keep(place):
    """Start the keeper.  The files it binds must be there."""
    binds = {"/etc/resolv.conf": place.run / "resolv.conf", "/etc/hosts": place.run / "hosts"}
    process = spawn(inside(place, binds, ["sleep", "infinity"]), place.run / "keeper.log")
    (place.run / "keeper.pid").write_text(str(process.pid))
    for _ in range(100):
        if _command_of(process.pid) == "sleep":
            return
        time.sleep(0.02)
    raise LabError(f"the keeper of the lab's namespaces did not start: {place.run}/keeper.log")


def keeper(place):
    try:
        pid = int((place.run / "keeper.pid").read_text())
    except (OSError, ValueError):
        raise LabError(f"the lab in {place.dir} is not up") from None
    if not _is_inside(place, pid):
        raise LabError(f"the lab in {place.dir} is not up (its keeper has ended); run 'lab down'")
    return pid


def _is_inside(place, pid):
    try:
        theirs, ours = os.stat(f"/proc/{pid}/ns/net"), os.stat(f"/run/netns/{place.netns}")
    except OSError:
        return False
    return (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)


def processes(place):
    """All processes in the lab's network namespace, whoever started them."""
    if not exists(place):
        return []
    return [int(pid) for pid in run(["ip", "netns", "pids", place.netns], 10).stdout.split()]


def down(place):
    """End every process in the namespace, then the namespace."""
    end = time.monotonic() + 10
    while left := [pid for pid in processes(place) if pid != os.getpid()]:
        if time.monotonic() > end:
            raise LabError(f"processes of the lab cannot be ended: {left}")
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    if exists(place):
        run(["ip", "netns", "delete", place.netns], 10)


def make_unreachable(place, address):
    """A route more specific than the loopback range: connections fail at once."""
    run(["ip", "-n", place.netns, "route", "replace", "unreachable", f"{address}/32", "table", "local"], 10)


def make_reachable(place):
    """Take away all routes that make_unreachable made."""
    routes = run(["ip", "-n", place.netns, "route", "show", "table", "local", "type", "unreachable"], 10)
    for line in routes.stdout.splitlines():
        run(["ip", "-n", place.netns, "route", "delete", *line.split()[:2], "table", "local"], 10)
    return bool(routes.stdout.strip())


def _command_of(pid):
    try:
        with open(f"/proc/{pid}/comm") as comm:
            return comm.read().strip()
    except OSError:
        return None
