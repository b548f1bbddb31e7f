#!/usr/bin/python3
"""standin.py HOSTS - answer TLS for servers that do not run: stand-ins.

For every recorded server with a TLS port among its listeners, accept connections at
its address there and present its certificate.  Nothing is said after the handshake,
so a probe sees a real certificate on a real connection, and no more.
"""

import asyncio
import configparser
import contextlib
import json
import ssl
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


async def stand_in(folder):
    """Starts answering; returns the identity, so that it can be changed."""
    host = configparser.ConfigParser()
    host.read(folder / "host.ini", encoding="utf-8")
    address = host["host"]["address"]
    identity = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    identity.load_cert_chain(shown(folder))
    # Mutual TLS: who shows a certificate is judged by the roots that this server trusts.
    identity.verify_mode = ssl.CERT_OPTIONAL
    for root in (folder / "certificates/root").glob("*.pem"):
        identity.load_verify_locations(root)
    ports = {listener["port"] for listener in json.loads((folder / "listeners.json").read_text())}
    for port in ports & set(TLS_PORTS):
        await asyncio.start_server(answer, address, port, ssl=identity, ssl_handshake_timeout=LINGER)
    return identity


def restarted(folder):
    """A number that changes when a service of the recorded server was restarted."""
    with contextlib.suppress(OSError):
        return (folder / "services.json").stat().st_mtime_ns
    return 0


async def main(hosts):
    folders = sorted(folder for folder in hosts.iterdir() if (folder / "host.ini").exists())
    identities = {folder: await stand_in(folder) for folder in folders}
    seen = {folder: restarted(folder) for folder in folders}
    while True:
        await asyncio.sleep(1)
        for folder in folders:
            # A certificate that was bound is shown from the next restart on.
            if restarted(folder) != seen[folder]:
                seen[folder] = restarted(folder)
                with contextlib.suppress(OSError, ssl.SSLError):
                    identities[folder].load_cert_chain(shown(folder))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
