"""A lab's life: up, down, snapshot, restore."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import (certificates, content, controllers, description, engine, forest, hosts, network, operators,
               resolver, snapshot, topology)
from .programs import LabError
from .progress import step


def up(place, name):
    if place.exists() or network.exists(place):
        raise LabError(f"there is a lab in {place.dir} already: 'lab down' first, or choose another LAB_DIR")
    if place.dir.exists() and any(place.dir.iterdir()):
        raise LabError(f"{place.dir} is not empty and not a lab: choose another LAB_DIR")
    layout = topology.load(name)
    _or_nothing(place, lambda: _up(place, layout))
    step(f"up: {name} in {place.dir}")


def _up(place, layout):
    kept = snapshot.cached(layout.name)
    # Labs that come up side by side are made once: the others wait and take what was kept.
    with snapshot.maker(kept):
        _unpack_or_make(place, layout, kept)
    _start(place, layout)


def _unpack_or_make(place, layout, kept):
    if snapshot.is_good(kept):
        _open(place)
        _unpack_cached(place, kept)
        step("restored from the cache")
        _serve(place, layout)
    else:
        _open(place)
        _prepare(place, layout)
        _serve(place, layout)
        _connect(place, layout)
        hosts.record(place, layout)
        snapshot.save(place, kept)
        snapshot.forget_old(kept)
        step(f"kept in {kept}")


def _unpack_cached(place, kept):
    try:
        snapshot.unpack(place, kept)
    except LabError as error:
        kept.unlink(missing_ok=True)
        raise LabError(f"the cached lab was damaged and is removed, run 'lab up' again: {error}") from None


def restore(place, path):
    """Replace what is there by a snapshot, or make a lab of it."""
    path = Path(path).resolve()
    if not path.is_file():
        raise LabError(f"no snapshot {path}")
    if path.is_relative_to(place.dir):
        raise LabError(f"{path} lies in the lab that it would replace: move it elsewhere first")
    if place.exists():
        down(place)
    _or_nothing(place, lambda: _restore(place, path))
    step(f"up: {place.topology_name.read_text()} in {place.dir}")


def _restore(place, path):
    _open(place)
    snapshot.unpack(place, path)
    layout = topology.of(place)
    _serve(place, layout)
    _start(place, layout)


def save(place, path):
    """Stop the domain controllers for as long as it takes to copy their databases."""
    layout = topology.of(place)
    everything = [dc for f in layout.forests for dc in f.controllers]
    running = [dc for dc in everything if controllers.processes(place, dc)]
    controllers.stop(place, *running)
    snapshot.save(place, path)
    for dc in running:
        controllers.start(place, dc)
    _each(lambda dc: controllers.wait_ready(place, dc), running)
    step(f"saved in {path}")


def down(place):
    """Leave nothing behind; works on half-made labs too."""
    network.down(place)
    if place.dir.exists():
        if not place.exists() and any(p.name not in place.tree + ("run",) for p in place.dir.iterdir()):
            raise LabError(f"{place.dir} does not look like a lab; not removing it")
        shutil.rmtree(place.dir)


def _or_nothing(place, make):
    try:
        make()
    except BaseException:
        if os.environ.get("LAB_KEEP"):
            step(f"failed; LAB_KEEP is set, so what there is stays in {place.dir}")
        else:
            step("failed; taking away what there is (set LAB_KEEP=1 to look at it)")
            down(place)
        raise


def _open(place):
    place.make()
    network.up(place)


def _serve(place, layout):
    """What every domain controller and test needs around it."""
    resolver.write_files(place, layout)
    resolver.start(place)
    network.keep(place)


def _prepare(place, layout):
    """Make the databases of all forests; nothing runs yet."""
    place.topology_name.write_text(layout.name)
    certificates.authority(place.ca / "ca.pem", place.ca / "ca.key", "umx Lab CA")
    resolver.write_files(place, layout)
    with ThreadPoolExecutor() as pool:
        issued = pool.submit(hosts.issue_certificates, place, layout)
        _each(lambda f: _provision(place, layout, f), layout.forests)
        thumbprints = issued.result()
    # The accounts of the users of a Lync forest name the owners of the mailboxes.
    sids = {}
    for has_lync in (False, True):
        group = [f for f in layout.forests if bool(f.lync) is has_lync]
        found = _each(lambda f: content.fill(place, f, thumbprints, sids), group)
        sids |= {f.name: s for f, s in zip(group, found)}
    step("directories are filled")
    _each(lambda f: operators.make_authority(place, f), layout.forests)
    _each(lambda f: operators.issue_all(place, f), layout.forests)


def _provision(place, layout, f):
    content.write_secret(place, f"administrator.{f.name}", content.new_password())
    forest.provision(place, layout, f)
    step(f"{f.name}: provisioned")
    content.extend_schema(place, f)
    step(f"{f.name}: schema extended")


def _connect(place, layout):
    """Trusts and further domain controllers: what needs running domain controllers."""
    first = [f.first for f in layout.forests]
    for dc in first:
        controllers.start(place, dc)
    _each(lambda dc: controllers.wait_ready(place, dc), first)
    step("domain controllers answer")
    _each(lambda pair: forest.trust(place, layout, *pair), layout.trusts)
    step("trusts are validated")
    for f in layout.forests:
        for dc in f.controllers[1:]:
            forest.join(place, layout, f, dc)
            step(f"{dc.fqdn}: joined")
    controllers.stop(place, *[dc for f in layout.forests for dc in f.controllers])
    step("domain controllers stopped")


def _start(place, layout):
    everything = [(f, dc) for f in layout.forests for dc in f.controllers]
    for f, dc in everything:
        controllers.make_directories(place, dc)
        controllers.write_files(place, layout, f, dc)
    for _, dc in everything:
        controllers.start(place, dc)
    hosts.write_files(place, layout)
    hosts.start_stand_ins(place)
    description.write(place, layout)
    engine.start(place)
    _each(lambda pair: controllers.wait_ready(place, pair[1]), everything)


def _each(work, things):
    """Run work(thing) for all things at once; the first failure is raised."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        return list(pool.map(work, things))

