"""Domain controllers as running programs: start, stop, freeze, and commands among their files.

Each domain controller sees its own directories on Debian's default paths through
private bind mounts: libwbclient's socket path is compiled in, and databases that hold
no path of their own can be restored under any LAB_DIR.
"""

import os
import shutil
import signal
import time

from . import network, resolver
from .programs import LabError, last_lines, run, spawn

SAM = "/var/lib/samba/private/sam.ldb"
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"

_SMB_CONF = """[global]
  netbios name = {netbios}
  realm = {realm}
  workgroup = {workgroup}
  server role = active directory domain controller
  interfaces = {address}/8
  bind interfaces only = yes
  dns forwarder = {forwarder}
  log file = /var/log/samba/samba
  logging = file
  log level = 1
  disable spoolss = yes
  load printers = no
  dsdb:schema update allowed = true
  # Windows allows SASL without a layer of its own inside TLS; so does this.
  ldap server require strong auth = allow_sasl_over_tls
  prefork children = 1
  server services = s3fs, rpc, ldap, cldap, kdc, drepl, winbindd, dns{more_services}
  dreplsrv:periodic_startup_interval = 2
  dreplsrv:periodic_interval = 10
  dreplsrv:notify_interval = 1
  kccsrv:periodic_startup_interval = 1
[sysvol]
  path = /var/lib/samba/sysvol
  read only = No
[netlogon]
  path = /var/lib/samba/sysvol/{zone}/scripts
  read only = No
"""


def directory(place, dc):
    return place.controllers / dc.fqdn


def make_directories(place, dc):
    base = directory(place, dc)
    for name in ("etc", "lib/private/tls", "cache", "run", "log"):
        (base / name).mkdir(parents=True, exist_ok=True)
    (base / "lib/private").chmod(0o700)
    (base / "run").chmod(0o755)


def write_files(place, topology, forest, dc, nameserver=None):
    """Files that hold addresses; made anew at every start of a lab."""
    etc = directory(place, dc) / "etc"
    (etc / "resolv.conf").write_text(f"nameserver {nameserver or dc.address}\n")
    (etc / "krb5.conf").write_text(resolver.krb5_conf(topology, forest.realm))
    (etc / "smb.conf").write_text(_SMB_CONF.format(
        netbios=dc.short.upper(), realm=forest.realm, workgroup=forest.netbios, zone=forest.name,
        address=dc.address, forwarder=network.DNS_ADDRESS,
        # Only who has somebody to replicate with needs the consistency checker.
        more_services=", kcc" if len(forest.controllers) > 1 else ""))


def words(place, dc, argv):
    """The words that run argv among the files of dc."""
    base = directory(place, dc)
    os.makedirs("/run/samba", exist_ok=True)
    binds = {"/etc/samba": base / "etc", "/var/lib/samba": base / "lib", "/var/cache/samba": base / "cache",
             "/run/samba": base / "run", "/var/log/samba": base / "log",
             "/etc/resolv.conf": base / "etc/resolv.conf", "/etc/hosts": place.run / "hosts"}
    return network.inside(place, binds, argv)


def environment(place, dc):
    return {"KRB5_CONFIG": str(directory(place, dc) / "etc/krb5.conf"),
            "KRB5CCNAME": f"FILE:{directory(place, dc)}/run/krb5cc"}


def execute(place, dc, argv, deadline, **more):
    return run(words(place, dc, argv), deadline, env=environment(place, dc), **more)


def start(place, dc, skew=0):
    """Start samba; with skew, under a clock that many seconds ahead (or behind)."""
    argv = ["samba", "-F", "-M", "prefork"]
    if skew:
        # libfaketime leaves shared memory behind, so it gets a place of its own for it; and
        # ldb binds the symbols of its modules so deeply that preloading would not reach them.
        argv = ["sh", "-c", 'mount -t tmpfs lab-shm /dev/shm && exec env "$@"', "lab", f"LD_PRELOAD={FAKETIME}",
                f"FAKETIME={skew:+d}s", "FAKETIME_DONT_FAKE_MONOTONIC=1", "LDB_MODULES_DISABLE_DEEPBIND=1", *argv]
    spawn(words(place, dc, argv), directory(place, dc) / "log/stdout", env=environment(place, dc))


def wait_ready(place, dc, deadline=60):
    """Until LDAP says that it is synchronised.  The KDC and DNS are up before that."""
    end = time.monotonic() + deadline
    probe = ["ldapsearch", "-x", "-LLL", "-o", "nettimeout=2", "-H", f"ldap://{dc.address}",
             "-b", "", "-s", "base", "isSynchronized"]
    while time.monotonic() < end:
        if "TRUE" in network.client(place, probe, 10, check=False).stdout:
            return
        if not processes(place, dc):
            break
        time.sleep(0.1)
    log = directory(place, dc) / "log/stdout"
    raise LabError(f"{dc.fqdn} does not answer: {last_lines(log.read_text(errors='replace'))}")


def processes(place, dc):
    """All processes of dc: those that see its files as theirs.

    smbd and winbindd lead process groups of their own, so groups do not tell.
    """
    marker = str(directory(place, dc) / "etc")
    return [pid for pid in network.processes(place) if _has_mount(pid, "/etc/samba", marker)]


def _has_mount(pid, over, source):
    try:
        with open(f"/proc/{pid}/mountinfo") as mounts:
            return any(f[4] == over and source.endswith(f[3]) for f in map(str.split, mounts))
    except OSError:
        return False


def signal_all(place, dc, number):
    for pid in processes(place, dc):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def freeze(place, dc):
    signal_all(place, dc, signal.SIGSTOP)


def thaw(place, dc):
    signal_all(place, dc, signal.SIGCONT)


def stop(place, *controllers):
    """Stop in order, so that the databases are whole; kill what is left after a while."""
    for dc in controllers:
        thaw(place, dc)
        signal_all(place, dc, signal.SIGTERM)
    begin = time.monotonic()
    while any(processes(place, dc) for dc in controllers):
        waited = time.monotonic() - begin
        if waited > 15:
            raise LabError(f"{', '.join(dc.fqdn for dc in controllers)}: cannot be stopped")
        if waited > 5:
            for dc in controllers:
                signal_all(place, dc, signal.SIGKILL)
        time.sleep(0.05)
    for dc in controllers:
        shutil.rmtree(directory(place, dc) / "run")
        make_directories(place, dc)


def kill(place, dc):
    """At once, frozen or not."""
    begin = time.monotonic()
    while processes(place, dc):
        if time.monotonic() - begin > 15:
            raise LabError(f"{dc.fqdn}: cannot be killed")
        signal_all(place, dc, signal.SIGKILL)
        time.sleep(0.05)
    shutil.rmtree(directory(place, dc) / "run")
    make_directories(place, dc)


def ldbmodify(place, dc, ldif):
    """Change the database behind LDAP's back: for what LDAP rightly refuses."""
    return execute(place, dc, ["ldbmodify", "-H", SAM], 30, stdin=ldif)
