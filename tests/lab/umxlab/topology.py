"""A topology: what a lab is made of, read from topologies/NAME.toml.

The file is data only.  This module gives it names and derives what follows from
them (distinguished names, realms), and refuses what cannot work.
"""

import tomllib
from dataclasses import dataclass, field

from .place import SOURCE
from .programs import LabError

FOLDER = SOURCE / "topologies"


@dataclass(frozen=True)
class DomainController:
    fqdn: str
    address: str

    @property
    def short(self):
        return self.fqdn.split(".")[0]


@dataclass(frozen=True)
class Forest:
    name: str
    netbios: str
    side: str
    controllers: tuple
    exchange: dict = field(default_factory=dict)
    lync: dict = field(default_factory=dict)
    people: dict = field(default_factory=dict)

    @property
    def realm(self):
        return self.name.upper()

    @property
    def base_dn(self):
        return ",".join(f"DC={label}" for label in self.name.split("."))

    @property
    def config_dn(self):
        return f"CN=Configuration,{self.base_dn}"

    @property
    def first(self):
        return self.controllers[0]

    def servers(self):
        """(product, server) of every server of the forest, recorded or not."""
        for product, side in (("exchange", self.exchange), ("lync", self.lync)):
            for server in side.get("servers", ()):
                yield product, server


class Topology:
    def __init__(self, name, data):
        self.name = name
        self.forests = tuple(_forest(f) for f in data["forests"])
        self.trusts = tuple(tuple(pair) for pair in data.get("trusts", ()))
        self._check()

    def forest(self, name):
        for forest in self.forests:
            if forest.name == name.lower():
                return forest
        known = ", ".join(f.name for f in self.forests)
        raise LabError(f"no forest {name} in this lab; it has {known}")

    def controller(self, fqdn):
        for forest in self.forests:
            for dc in forest.controllers:
                if dc.fqdn == fqdn.lower():
                    return forest, dc
        known = ", ".join(dc.fqdn for f in self.forests for dc in f.controllers)
        raise LabError(f"no domain controller {fqdn} in this lab; it has {known}")

    def addresses(self):
        """(name, address) of all servers and pools that DNS shall know."""
        for forest in self.forests:
            for _, server in forest.servers():
                yield server["fqdn"], server["address"]
            for pool in forest.lync.get("pools", ()):
                own = {s["fqdn"] for s in forest.lync["servers"]}
                if pool["fqdn"] not in own:
                    for server in forest.lync["servers"]:
                        if server["pool"] == pool["fqdn"]:
                            yield pool["fqdn"], server["address"]

    def _check(self):
        names = {f.name for f in self.forests}
        for a, b in self.trusts:
            if a not in names or b not in names:
                raise LabError(f"topology {self.name}: trust {a} - {b} names an unknown forest")
        seen = {}
        for forest in self.forests:
            places = [(dc.fqdn, dc.address) for dc in forest.controllers]
            places += [(s["fqdn"], s["address"]) for _, s in forest.servers()]
            for fqdn, address in places:
                if seen.setdefault(address, fqdn) != fqdn:
                    raise LabError(f"topology {self.name}: {address} is both {seen[address]} and {fqdn}")


def _forest(data):
    controllers = tuple(DomainController(c["fqdn"], c["address"]) for c in data["domain_controllers"])
    return Forest(data["name"], data["netbios"], data["side"], controllers,
                  data.get("exchange", {}), data.get("lync", {}), data.get("people", {}))


def load(name):
    path = FOLDER / f"{name}.toml"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in FOLDER.glob("*.toml") if p.stem != "names"))
        raise LabError(f"no topology {name}; there are {known}")
    with open(path, "rb") as file:
        return Topology(name, tomllib.load(file))


def of(place):
    place.require()
    return load(place.topology_name.read_text())


def names():
    """First and family names for the people of all topologies."""
    with open(FOLDER / "names.toml", "rb") as file:
        return tomllib.load(file)
