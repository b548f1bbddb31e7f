"""Recorded servers: what an agent would find on Exchange and Lync servers that cannot run here.

Each is a directory hosts/FQDN in the formats that the agent's `host = recorded:DIR`
reads.  Its computer account, keytab, address and certificate are real.
"""

import json
import time
from concurrent.futures import ThreadPoolExecutor

from . import accounts, certificates, content, engine, network, registry, shell
from .place import SOURCE
from .programs import spawn

# Service name: display name, process.
_EXCHANGE_SERVICES = {
    "MSExchangeADTopology": ("Microsoft Exchange Active Directory Topology", "MSExchangeADTopologyService.exe"),
    "MSExchangeIS": ("Microsoft Exchange Information Store", "store.exe"),
    "MSExchangeTransport": ("Microsoft Exchange Transport", "MSExchangeTransport.exe"),
    "MSExchangeFrontEndTransport": ("Microsoft Exchange Frontend Transport", "MSExchangeFrontendTransport.exe"),
    "MSExchangeUM": ("Microsoft Exchange Unified Messaging", "umservice.exe"),
    "MSExchangeUMCR": ("Microsoft Exchange Unified Messaging Call Router",
                       "Microsoft.Exchange.UM.CallRouter.exe"),
}
_SERVICE_OF_ROLE = {"mailbox": "MSExchangeIS", "hub-transport": "MSExchangeTransport",
                    "frontend-transport": "MSExchangeFrontEndTransport", "unified-messaging": "MSExchangeUM"}
_LYNC_SERVICES = {
    "RTCSRV": ("Lync Server Front-End", "RTCSrv.exe"),
    "RTCMEDSRV": ("Lync Server Mediation", "MediationServerSvc.exe"),
    "RTCCAA": ("Lync Server Conferencing Attendant", "OcsAppServerHost.exe"),
    "RTCRGS": ("Lync Server Response Group", "OcsAppServerHost.exe"),
    "RTCATS": ("Lync Server Audio Test Service", "OcsAppServerHost.exe"),
    "RTCCLSAGT": ("Lync Server Centralized Logging Service Agent", "ClsAgent.exe"),
    "REPLICA": ("Lync Server Replica Replicator Agent", "ReplicaReplicatorAgent.exe"),
}
_LYNC_SERVICES_OF_KIND = {
    "front-end": tuple(_LYNC_SERVICES),
    "director": ("RTCSRV", "RTCCLSAGT", "REPLICA"),
    "branch": ("RTCSRV", "RTCMEDSRV", "REPLICA"),
}
_LYNC_PORTS = {"RTCSRV": (5061,), "RTCMEDSRV": (5070,)}

OWN = "own.pem"


# Exchange setup puts its organization's administrators into the local group of each server.
SETUP_MAKES_ADMINISTRATORS = {"exchange": ("Organization Management",), "lync": ()}


def recorded(layout):
    """(forest, product, server) of every recorded server."""
    for forest in layout.forests:
        for product, server in forest.servers():
            if server.get("recorded"):
                yield forest, product, server


def issue_certificates(place, layout):
    """Certificates of all recorded servers; returns {fqdn: thumbprint}."""
    todo = list(recorded(layout))
    with ThreadPoolExecutor(max_workers=2) as pool:
        return dict(zip([s["fqdn"] for _, _, s in todo], pool.map(lambda t: _issue(place, *t), todo)))


def _issue(place, forest, product, server):
    folder = place.hosts / server["fqdn"] / "certificates"
    (folder / "root").mkdir(parents=True)
    (folder / "root" / "lab-ca.pem").write_text((place.ca / "ca.pem").read_text())
    names = list(dict.fromkeys([server["fqdn"]] + ([server["pool"]] if product == "lync" else [])))
    kinds = {
        "good": {"names": names, "days": 700, "issuer": True},
        "self-signed": {"names": names, "days": 700, "issuer": False},
        "expiring": {"names": names, "days": 20, "issuer": True},
        "wrong-name": {"names": [f"mail.{forest.name}"], "days": 700, "issuer": True},
    }
    kind = kinds[server.get("certificate", "good")]
    _write_certificate(place, folder / OWN, kind["names"][0], kind)
    thumbprint = certificates.thumbprint(folder / OWN)
    if product == "exchange":
        # Setup leaves this one in every store; using it for UM is the commonest mistake.
        short = server["fqdn"].split(".")[0].upper()
        _write_certificate(place, folder / "setup.pem", short,
                           {"names": [short, server["fqdn"]], "days": 1800, "issuer": False})
    return thumbprint


def _write_certificate(place, path, name, kind):
    key = path.with_suffix(".key")
    issuer = (place.ca / "ca.pem", place.ca / "ca.key") if kind["issuer"] else None
    certificates.leaf(path, key, name, certificates.server_extensions(kind["names"]),
                      issuer=issuer, days=kind["days"])
    path.write_text(path.read_text() + key.read_text())
    path.chmod(0o600)
    key.unlink()


def record(place, layout):
    """Write what does not depend on where the lab is."""
    now = time.time()
    for forest, product, server in recorded(layout):
        folder = place.hosts / server["fqdn"]
        thumbprint = certificates.thumbprint(folder / "certificates" / OWN)
        (folder / "registry.reg").write_bytes(registry.export(product, _with_system(server)))
        services = _services(forest, product, server, now)
        _write_json(folder / "services.json", services)
        _write_json(folder / "listeners.json", _listeners(product, server, services))
        _write_json(folder / "events.json", _events(product, server, thumbprint, now))
        sids = content.sids(place, forest)
        (folder / "administrators.txt").write_text("".join(
            f"{sids[name]}\t{forest.netbios}\\{name}\n"
            for name in ("Domain Admins", *SETUP_MAKES_ADMINISTRATORS[product], *server.get("administrators", ()))))
        _write_json(folder / "calls.json", {"active": 0})
        (folder / "shell").mkdir(exist_ok=True)
        for command, text in shell.outputs(forest, product, server, thumbprint).items():
            (folder / "shell" / f"{command}.txt").write_text(text)
    for forest in layout.forests:
        _write_json(place.stores / f"{forest.name}.json", engine.store(forest))


def write_files(place, layout):
    """host.ini names paths of this lab, so it is written at every start."""
    program = f"shell_program = {engine.CLIENT}\n" if engine.available() else ""
    for forest, _, server in recorded(layout):
        (place.hosts / server["fqdn"] / "host.ini").write_text(
            f"[host]\nfqdn = {server['fqdn']}\nos = {_with_system(server)['os']}\naddress = {server['address']}\n{program}\n"
            f"[directory]\nforest = {forest.name}\n"
            f"principal = {accounts.machine_name(server)}@{forest.realm}\n"
            f"keytab = {content.server_keytab(place, server)}\n"
            f"domain_controllers = {' '.join(dc.fqdn for dc in forest.controllers)}\n")


def start_stand_ins(place):
    """One process answers TLS for all recorded servers."""
    argv = ["/usr/bin/python3", SOURCE / "umxlab/standin.py", place.hosts]
    spawn(network.client_words(place, argv), place.run / "standin.log", env=network.client_environment(place))


def _with_system(server):
    major = server.get("version", "5").split(".")[0]
    system = {"8": "Windows Server 2008 Enterprise", "14": "Windows Server 2008 R2 Standard",
              "15": "Windows Server 2012 R2 Standard", "4": "Windows Server 2008 R2 Standard"}
    return {"os": system.get(major, "Windows Server 2012 Standard"), "version": "5.0.8308.0", **server}


def _services(forest, product, server, now):
    if product == "exchange":
        table = _EXCHANGE_SERVICES
        names = ["MSExchangeADTopology"] + [_SERVICE_OF_ROLE[r] for r in server["roles"] if r in _SERVICE_OF_ROLE]
        names += ["MSExchangeUMCR"] if "call_router" in server else []
    else:
        table = _LYNC_SERVICES
        pool = next(p for p in forest.lync["pools"] if p["fqdn"] == server["pool"])
        names = _LYNC_SERVICES_OF_KIND[pool.get("kind", "front-end")]
    started = now - server.get("started_days_ago", 0) * 86400
    return [_service(name, table[name][0], name not in server.get("stopped", ()), 1000 + 4 * number, started)
            for number, name in enumerate(names)]


def _service(name, display_name, running, process_id, started):
    return {
        "name": name, "display_name": display_name, "state": "running" if running else "stopped",
        "start_type": "automatic",
        "account": "NT AUTHORITY\\NetworkService" if name.startswith("RTC") else "LocalSystem",
        "process_id": process_id if running else None, "started_at": _rfc3339(started) if running else None}


def _listeners(product, server, services):
    table = _EXCHANGE_SERVICES if product == "exchange" else _LYNC_SERVICES
    found = []
    for service in services:
        if service["state"] == "running":
            for port in _ports(product, server, service["name"]):
                found.append({"protocol": "tcp", "address": "0.0.0.0", "port": port,
                              "process_id": service["process_id"], "process": table[service["name"]][1]})
    return found


def _ports(product, server, service):
    if product == "lync":
        return _LYNC_PORTS.get(service, ())
    settings = {"MSExchangeUM": server, "MSExchangeUMCR": server.get("call_router", {})}.get(service)
    if settings is None:
        return ()
    tcp, tls = settings.get("tcp_port", 5060), settings.get("tls_port", 5061)
    return {"tcp": (tcp,), "tls": (tls,), "dual": (tcp, tls)}[_effective_mode(server, settings)]


def _effective_mode(server, settings):
    """Exchange 2007 has no startup mode: it follows the security of the dial plan."""
    return "tls" if server["version"].startswith("8.") else settings.get("startup_mode", "tcp")


def _events(product, server, thumbprint, now):
    if product != "exchange" or "unified-messaging" not in server["roles"]:
        return []
    source = "MSExchange Unified Messaging"
    events = [(1112, "information", f"The server will use the certificate with thumbprint {thumbprint}.")]
    if server.get("certificate") == "expiring":
        events.append((1120, "warning", f"The certificate with thumbprint {thumbprint} will expire soon."))
    return [{"log": "Application", "source": source, "event_id": number, "level": level,
             "at": _rfc3339(now - server.get("started_days_ago", 0) * 86400), "message": message}
            for number, level, message in events]


def _rfc3339(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _write_json(path, value):
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")
