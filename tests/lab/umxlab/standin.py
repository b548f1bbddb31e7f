#!/usr/bin/python3
"""standin.py HOSTS - answer TLS for servers that do not run: stand-ins.

For every recorded server with a TLS port among its listeners, accept connections at
its address there and present its certificate.  Nothing is said after the handshake,
so a probe sees a real certificate on a real connection, and no more.  A UM service that
was restarted listens as its startup mode in the directory says.
"""

import asyncio
import base64
import configparser
import contextlib
import json
import os
import ssl
import subprocess
import sys
from pathlib import Path

TLS_PORTS = (5061, 5063)
LINGER = 10


async def answer(reader, writer):
    with contextlib.suppress(OSError, asyncio.TimeoutError):
        await asyncio.wait_for(reader.read(1), LINGER)
    writer.close()


def shown(folder):
    """What the server shows: the certificate that was bound by a cmdlet, else its own."""
    bound = folder / "shown.pem"
    return bound if bound.exists() else folder / "certificates/own.pem"


# Service: class of the object below the server that has its startup mode, process.
UM_SERVICES = {"MSExchangeUM": ("msExchExchangeServer", "umservice.exe"),
               "MSExchangeUMCR": ("msExchProtocolCfgSIPFEServer", "Microsoft.Exchange.UM.CallRouter.exe")}
MODES = {"0": ("Tcp",), "1": ("Tls",), "2": ("Tcp", "Tls")}


# No attribute that may hold binary values.
WANTED = ("serialNumber", "msExchUMStartupMode", "msExchUMTcpListeningPort", "msExchUMTlsListeningPort")


def value_of(line):
    """Name and text of a line of LDIF; a DN that is not ASCII stands there in base64."""
    name, _, text = line.partition(": ")
    return (name[:-1], base64.b64decode(text).decode()) if name.endswith(":") else (name, text)


class StandIn:
    """A recorded server: its identity, and a listener for each of its TLS ports."""

    def __init__(self, folder):
        self.folder = folder
        self.host = configparser.ConfigParser()
        self.host.read(folder / "host.ini", encoding="utf-8")
        self.identity = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.identity.load_cert_chain(shown(folder))
        # Mutual TLS: who shows a certificate is judged by the roots that this server trusts.
        self.identity.verify_mode = ssl.CERT_OPTIONAL
        for root in (folder / "certificates/root").glob("*.pem"):
            self.identity.load_verify_locations(root)
        self.servers = {}
        self.seen = restarted(folder)

    async def listen(self):
        """Begins and ends to answer as listeners.json says."""
        listeners = json.loads((self.folder / "listeners.json").read_text())
        wanted = {listener["port"] for listener in listeners} & set(TLS_PORTS)
        for port in self.servers.keys() - wanted:
            self.servers.pop(port).close()
        for port in wanted - self.servers.keys():
            self.servers[port] = await asyncio.start_server(answer, self.host["host"]["address"], port, ssl=self.identity,
                                                            ssl_handshake_timeout=LINGER)

    async def follow(self):
        """After a restart: the certificate that was bound, and the ports of the startup mode."""
        if restarted(self.folder) == self.seen:
            return
        self.seen = restarted(self.folder)
        with contextlib.suppress(OSError, ssl.SSLError):
            self.identity.load_cert_chain(shown(self.folder))
        await asyncio.get_running_loop().run_in_executor(None, self.write_listeners)
        await self.listen()

    def write_listeners(self):
        path = self.folder / "listeners.json"
        listeners = json.loads(path.read_text())
        running = {s["name"]: s["process_id"] for s in json.loads((self.folder / "services.json").read_text())
                   if s["state"] == "running"}
        for service, (kind, process) in UM_SERVICES.items():
            ports = self.ports(kind) if service in running else None
            if ports is not None:
                listeners = [one for one in listeners if one["process"] != process]
                listeners += [{"protocol": "tcp", "address": "0.0.0.0", "port": port, "process_id": running[service],
                               "process": process} for port in ports]
        new = path.with_suffix(".new")
        new.write_text(json.dumps(listeners, indent=1) + "\n")
        new.rename(path)

    def ports(self, kind):
        """As the directory says; None where it does not: Exchange 2007 knows no startup mode."""
        directory = self.host["directory"]
        name = self.host["host"]["fqdn"].split(".")[0]
        base = "CN=Configuration,DC=" + directory["forest"].replace(".", ",DC=")
        server = self.search(base, f"(&(objectClass=msExchExchangeServer)(cn={name}))")
        if not server or server.get("serialNumber", "").startswith("Version 8."):
            return None
        entry = self.search(server["dn"], f"(objectClass={kind})")
        if not entry or "msExchUMTlsListeningPort" not in entry:
            return None
        return [int(entry[f"msExchUM{which}ListeningPort"]) for which in MODES[entry.get("msExchUMStartupMode", "0")]]

    def search(self, base, condition):
        """The only entry, as the server's own account sees it."""
        directory = self.host["directory"]
        for controller in directory["domain_controllers"].split():
            done = subprocess.run(["ldapsearch", "-LLL", "-Q", "-Y", "GSSAPI", "-o", "ldif-wrap=no", "-H",
                                   f"ldap://{controller}", "-b", base, condition, *WANTED], text=True, capture_output=True,
                                  check=False, timeout=60, env={**os.environ, "KRB5_CLIENT_KTNAME": directory["keytab"],
                                                                       "KRB5CCNAME": f"MEMORY:{self.folder.name}"})
            if done.returncode == 0:
                return dict(value_of(line) for line in done.stdout.split("\n\n")[0].splitlines() if ": " in line)
            print(f"{self.folder.name}: {done.stderr.strip()}", file=sys.stderr)
        return None


def restarted(folder):
    """A number that changes when a service of the recorded server was restarted."""
    with contextlib.suppress(OSError):
        return (folder / "services.json").stat().st_mtime_ns
    return 0


async def main(hosts):
    stand_ins = [StandIn(folder) for folder in sorted(hosts.iterdir()) if (folder / "host.ini").exists()]
    for one in stand_ins:
        await one.listen()
    while True:
        await asyncio.sleep(1)
        for one in stand_ins:
            try:
                await one.follow()
            except (OSError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
                print(f"{one.folder.name}: {error}", file=sys.stderr)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
