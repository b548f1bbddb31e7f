"""What can be broken on purpose, and mended."""

import os
import shutil
from pathlib import Path

from . import controllers, network, topology
from .programs import LabError, run

BALLAST = ".lab-ballast"
TRUSTS = "trusts"  # below run: trust objects as they were
TRUST_SECRETS = ("trustAuthIncoming", "trustAuthOutgoing")
TRUST_CHANGED = ("trustDirection", "msDS-TrustForestTrustInfo", *TRUST_SECRETS)
AUTOMATIC = {"objectguid", "usncreated", "usnchanged", "whencreated", "whenchanged", "name", "cn", "distinguishedname",
             "instancetype", "objectcategory"}


def freeze_dc(place, fqdn):
    """LDAP, KDC, DNS and RPC accept connections, and then nothing, for ever."""
    _, dc = topology.of(place).controller(fqdn)
    controllers.freeze(place, dc)
    return f"{fqdn} is frozen: connections are accepted and never answered"


def thaw_dc(place, fqdn):
    """It carries out what it had received, although the clients may be dead."""
    _, dc = topology.of(place).controller(fqdn)
    controllers.thaw(place, dc)
    return f"{fqdn} runs on; requests that it had received are carried out now"


def stop_dc(place, fqdn):
    """Connections are refused."""
    _, dc = topology.of(place).controller(fqdn)
    controllers.stop(place, dc)
    return f"{fqdn} is stopped: connections are refused"


def kill_dc(place, fqdn):
    """As when its power goes off: connections are cut, and what it had received and not read is lost."""
    _, dc = topology.of(place).controller(fqdn)
    controllers.kill(place, dc)
    return f"{fqdn} is dead: its connections are cut, and others are refused"


def start_dc(place, fqdn):
    """The opposite of stop-dc and kill-dc; waits until LDAP answers."""
    _, dc = topology.of(place).controller(fqdn)
    if controllers.processes(place, dc):
        return f"{fqdn} is running already"
    controllers.start(place, dc)
    controllers.wait_ready(place, dc)
    return f"{fqdn} answers again"


def clock_skew(place, fqdn, seconds):
    """Only this domain controller's clock; its Kerberos refuses tickets beyond five minutes."""
    _, dc = topology.of(place).controller(fqdn)
    if not os.path.exists(controllers.FAKETIME):
        raise LabError(f"clock-skew needs libfaketime: {controllers.FAKETIME} is not there")
    controllers.stop(place, dc)
    controllers.start(place, dc, skew=int(seconds))
    controllers.wait_ready(place, dc)
    (place.run / "skewed").open("a").write(f"{fqdn}\n")
    return f"the clock of {fqdn} is {seconds} s off"


def trust_deleted(place, forest, partner):
    """The trust object is gone on this side only; the partner's is as it was."""
    near, where = _breaking(place, forest, partner)
    controllers.execute(place, near.first, ["ldbdel", "-H", controllers.SAM, where], 30)
    return f"{forest} has no trust object for {partner} any more; {partner} still has one for {forest}"


def trust_direction(place, forest, partner, direction):
    """N: 0 disabled, 1 inbound, 2 outbound, 3 both; on this side only."""
    near, where = _breaking(place, forest, partner)
    controllers.ldbmodify(place, near.first, f"dn: {where}\nchangetype: modify\n"
                          f"replace: trustDirection\ntrustDirection: {int(direction)}\n")
    return f"the trust of {forest} with {partner} has direction {direction} on the side of {forest}"


def trust_secret_gone(place, forest, partner):
    """Nothing in LDAP shows it: only a Kerberos request over the trust does."""
    near, where = _breaking(place, forest, partner)
    controllers.ldbmodify(place, near.first, f"dn: {where}\nchangetype: modify\ndelete: trustAuthOutgoing\n")
    return f"{forest} has forgotten the secret of its trust with {partner}"


def suffix_disabled(place, forest, partner):
    """Stored as on Windows; Samba does not enforce it."""
    near, _ = _breaking(place, forest, partner)
    controllers.execute(place, near.first, [
        "samba-tool", "domain", "trust", "namespaces", partner, f"--disable-tln={partner}"], 60)
    return f"{forest} does not route the name suffix {partner} any more"


def unreachable(place, name):
    """No route to a domain controller or a recorded server, from anywhere in the lab."""
    layout = topology.of(place)
    known = {dc.fqdn: dc.address for f in layout.forests for dc in f.controllers} | dict(layout.addresses())
    if name not in known:
        raise LabError(f"no domain controller or server {name} in this lab")
    network.make_unreachable(place, known[name])
    return f"{name} ({known[name]}) is unreachable"


def small_disk(place, directory, mebibytes="32"):
    """A small file system over a directory, with what is there; before a program opens files in it."""
    directory = Path(directory).resolve()
    held = place.run / "held"
    shutil.rmtree(held, ignore_errors=True)
    shutil.copytree(directory, held, symlinks=True)
    status = directory.stat()
    _mounts(place, ["mount", "-t", "tmpfs", "-o",
                    f"size={int(mebibytes)}m,mode={status.st_mode & 0o7777:o},uid={status.st_uid},gid={status.st_gid}",
                    "lab-disk", directory])
    _mounts(place, ["cp", "-a", f"{held}/.", f"{directory}/"])
    shutil.rmtree(held)
    (place.run / "disks").open("a").write(f"{directory}\n")
    return f"{directory} is a disk of {mebibytes} MiB now; programs that had files open there keep the old ones"


def full_disk(place, directory):
    """No byte can be written below directory any more."""
    prefix = "" if _is_disk(place, directory) else small_disk(place, directory) + "\n"
    ballast = Path(directory).resolve() / BALLAST
    _mounts(place, ["dd", "if=/dev/zero", f"of={ballast}", "bs=64k"], check=False)
    _mounts(place, ["dd", "if=/dev/zero", f"of={ballast}", "bs=1", "oflag=append", "conv=notrunc"], check=False)
    return f"{prefix}{directory} is full"


def read_only_disk(place, directory):
    """Refused while a program has files there open for writing."""
    prefix = "" if _is_disk(place, directory) else small_disk(place, directory) + "\n"
    _mounts(place, ["mount", "-o", "remount,ro", Path(directory).resolve()])
    return f"{prefix}{directory} is read-only"


def free_disk(place, directory):
    """The opposite of full-disk and read-only-disk; what was written there stays, unlike with heal."""
    if not _is_disk(place, directory):
        raise LabError(f"{directory} is not a disk of the lab")
    _mounts(place, ["mount", "-o", "remount,rw", Path(directory).resolve()])
    _mounts(place, ["rm", "-f", Path(directory).resolve() / BALLAST])
    return f"{directory} can be written again"


# name: (function, arguments for the usage line)
FAULTS = {
    "freeze-dc": (freeze_dc, ("FQDN",)),
    "thaw-dc": (thaw_dc, ("FQDN",)),
    "stop-dc": (stop_dc, ("FQDN",)),
    "kill-dc": (kill_dc, ("FQDN",)),
    "start-dc": (start_dc, ("FQDN",)),
    "clock-skew": (clock_skew, ("FQDN", "SECONDS")),
    "unreachable": (unreachable, ("FQDN",)),
    "trust-deleted": (trust_deleted, ("FOREST", "PARTNER")),
    "trust-direction": (trust_direction, ("FOREST", "PARTNER", "N")),
    "trust-secret-gone": (trust_secret_gone, ("FOREST", "PARTNER")),
    "suffix-disabled": (suffix_disabled, ("FOREST", "PARTNER")),
    "small-disk": (small_disk, ("DIR", "[MIB]")),
    "full-disk": (full_disk, ("DIR",)),
    "read-only-disk": (read_only_disk, ("DIR",)),
    "free-disk": (free_disk, ("DIR",)),
}


def make(place, name, arguments):
    if name not in FAULTS:
        raise LabError(f"no fault {name}; there are {', '.join(FAULTS)}")
    function, wanted = FAULTS[name]
    needed = [w for w in wanted if not w.startswith("[")]
    if not len(needed) <= len(arguments) <= len(wanted):
        raise LabError(f"usage: lab fault {name} {' '.join(wanted)}")
    network.keeper(place)
    return function(place, *arguments)


def heal(place):
    """Undo all faults."""
    network.keeper(place)
    done = []
    if network.make_reachable(place):
        done.append("everything is reachable")
    skewed = _noted(place, "skewed")
    for forest in topology.of(place).forests:
        for dc in forest.controllers:
            if dc.fqdn in skewed:
                controllers.stop(place, dc)
            if controllers.processes(place, dc):
                controllers.thaw(place, dc)
            else:
                done.append(start_dc(place, dc.fqdn))
    for directory in _noted(place, "disks"):
        _mounts(place, ["umount", "--lazy", directory], check=False)
        done.append(f"{directory} is itself again")
    for kept in sorted((place.run / TRUSTS).glob("*.ldif")):
        done.append(_mend_trust(place, kept))
    for note in ("skewed", "disks"):
        (place.run / note).unlink(missing_ok=True)
    return "\n".join(done or ["nothing stopped, unreachable, skewed, full or untrusted; frozen domain controllers run on"])


def _trust(place, forest, partner):
    layout = topology.of(place)
    near, far = layout.forest(forest), layout.forest(partner)
    if not any({near.name, far.name} == set(pair) for pair in layout.trusts):
        raise LabError(f"{forest} and {partner} do not trust each other in this topology")
    return near, f"CN={far.name},CN=System,{near.base_dn}"


def _breaking(place, forest, partner):
    """The trust, remembered as it was before the first fault, for `heal`."""
    near, where = _trust(place, forest, partner)
    kept = place.run / TRUSTS / f"{near.name},{partner}.ldif"
    if not kept.exists():
        kept.parent.mkdir(mode=0o700, exist_ok=True)
        kept.write_text(_entry(place, near, where))
    return near, where


def _entry(place, near, where):
    """What makes the object anew: secrets too, but nothing that the domain controller writes by itself."""
    found = controllers.execute(place, near.first, ["ldbsearch", "-H", controllers.SAM, "-b", where, "-s", "base",
                                                    "*", *TRUST_SECRETS], 30).stdout
    lines = [line for line in found.replace("\n ", "").splitlines() if ":" in line and not line.startswith("#")]
    return "\n".join(line for line in lines if line.partition(":")[0].lower() not in AUTOMATIC) + "\n"


def _mend_trust(place, kept):
    """Put back what faults changed; an object that was deleted comes back with another objectGUID."""
    near, where = _trust(place, *kept.stem.split(","))
    entry = kept.read_text()
    there = controllers.execute(place, near.first, ["ldbsearch", "-H", controllers.SAM, "-b", where, "-s", "base", "dn"],
                                30, check=False)
    if there.returncode == 0 and "\ndn:" in "\n" + there.stdout:
        changes = "".join(f"replace: {name}\n{line}\n-\n" for line in entry.splitlines()
                          if (name := line.partition(":")[0]) in TRUST_CHANGED)
        controllers.ldbmodify(place, near.first, f"dn: {where}\nchangetype: modify\n{changes}")
    else:
        controllers.execute(place, near.first, ["ldbadd", "-H", controllers.SAM, "--relax"], 30, stdin=entry)
    kept.unlink()
    return f"the trust of {kept.stem.replace(',', ' with ')} is as it was"


def _mounts(place, argv, check=True):
    """Run argv in the mount namespace of the tests only: the machine outside sees nothing of it."""
    return run(network.client_words(place, argv), 60, check=check, cwd="/")


def _is_disk(place, directory):
    return str(Path(directory).resolve()) in _noted(place, "disks")


def _noted(place, note):
    path = place.run / note
    return path.read_text().split() if path.exists() else []
