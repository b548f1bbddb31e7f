"""The Windows agent under Wine: what it reports of a real registry, service manager, certificate store and listeners to
the native controller over mTLS; umx.exe asks for it. Needs no lab, but Wine and the Windows build
(packaging/windows/superbuild, preset windows)."""

import os
import signal
import socket
import struct
import subprocess

import pytest
from cryptography.hazmat.primitives import hashes, serialization

from stage.wine import PROGRAMS, machine_name, need, processes, until, windows_path, wine, words

need()

ROLE = r"HKLM\SOFTWARE\Microsoft\ExchangeServer\v15\UnifiedMessagingRole"
SETUP = r"HKLM\SOFTWARE\Microsoft\ExchangeServer\v15\Setup"
STORE = r"HKEY_LOCAL_MACHINE\Software\Microsoft\SystemCertificates\My\Certificates"


def blob(der):
    """A certificate as the registry keeps it: a list of properties; this one is the certificate itself."""
    return struct.pack("<III", 32, 1, len(der)) + der


@pytest.fixture(scope="module")
def machine(target):
    """What an Exchange server has: a role in the registry, a certificate in the machine's store, a listening socket."""
    wine("reg", "add", SETUP, "/v", "MsiProductMajor", "/t", "REG_DWORD", "/d", "15", "/f", "/reg:64")
    for name in ("UnpackedVersion", "ConfiguredVersion"):
        wine("reg", "add", ROLE, "/v", name, "/d", "15.0.847.32", "/f", "/reg:64")
    wine("sc", "create", "MSExchangeUM", "binPath=", r"C:\windows\system32\svchost.exe", check=False)
    certificate = target.make.make(dns=("um1.windows.test",))[1]
    thumbprint = certificate.fingerprint(hashes.SHA1()).hex().upper()
    entry = target.home / "certificate.reg"
    value = ",".join(f"{b:02x}" for b in blob(certificate.public_bytes(serialization.Encoding.DER)))
    entry.write_text(f'REGEDIT4\n\n[{STORE}\\{thumbprint}]\n"Blob"=hex:{value}\n')
    wine("regedit", "/S", windows_path(entry))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield {"thumbprint": thumbprint, "port": listener.getsockname()[1]}
    wine("sc", "delete", "MSExchangeUM", check=False)
    wine("reg", "delete", f"{STORE}\\{thumbprint}", "/f", check=False)
    wine("reg", "delete", r"HKLM\SOFTWARE\Microsoft\ExchangeServer", "/f", "/reg:64", check=False)


def connected(target):
    agents = target.umx("agents")["agents"]
    return bool(agents) and agents[0]["state"] == "connected"


def rows(target, sql):
    return target.umx("query", sql)["rows"]


@pytest.fixture
def console(target, machine, config):
    log = open(target.home / "agent.log", "w")
    line, environment = words(PROGRAMS / "umx-agent.exe", "--console", "--config", windows_path(config))
    process = subprocess.Popen(line, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                               start_new_session=True)
    yield process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)
    # A shell that the agent had made and not yet let run stays as it is, and Wine with it.
    for left in processes("powershell.exe", "-EncodedCommand"):
        os.kill(left, signal.SIGKILL)
    log.close()


def test_the_agent_reports_this_windows(target, machine, console):
    until((target.home / "agent.log").read_text, lambda: connected(target))
    until("no services", lambda: rows(target, "SELECT name FROM service WHERE name = 'MSExchangeUM' AND state = 'stopped'"))
    until("no role", lambda: rows(target, "SELECT role FROM role"))
    assert rows(target, "SELECT server, role, configured_version, state FROM role") == [
        {"server": machine_name(), "role": "UnifiedMessagingRole", "configured_version": "15.0.847.32", "state": "complete"}]
    until("no certificate", lambda: rows(
        target, f"SELECT store FROM certificate WHERE thumbprint = '{machine['thumbprint']}' AND store = 'My'"))
    until("no listener", lambda: rows(
        target, f"SELECT address FROM listener WHERE port = {machine['port']} AND address = '127.0.0.1'"))
    server = rows(target, "SELECT product, version_major, recorded FROM server")[0]
    assert (server["product"], server["version_major"]) == ("exchange", 15)


def test_umx_asks_from_windows(target, machine, console):
    until("it never connected", lambda: connected(target))
    until("no role", lambda: rows(target, "SELECT role FROM role"))
    done = wine(PROGRAMS / "umx.exe", "--controller", f"localhost:{target.ports['operators']}", "--identity",
                windows_path(target.good_operator), "-o", "csv", "query", "SELECT role FROM role")
    assert done.stdout.split() == ["role", "UnifiedMessagingRole"], done


def test_a_change_is_reported_at_once(target, machine, console):
    """The registry's own notification: a report is due in minutes otherwise."""
    until("it never connected", lambda: connected(target))
    until("no role", lambda: rows(target, "SELECT role FROM role"))
    wine("reg", "add", ROLE, "/v", "Watermark", "/d", "UMServer", "/f", "/reg:64")
    until("the change was not told", lambda: rows(target, "SELECT state FROM role")[0]["state"] == "unfinished", 30)
    wine("reg", "delete", ROLE, "/v", "Watermark", "/f", "/reg:64")
    until("the way back was not told", lambda: rows(target, "SELECT state FROM role")[0]["state"] == "complete", 30)


def test_words_that_make_no_sense_are_refused():
    for said in (["--service"], ["--install"], ["--install", "--uninstall"], ["--account", "x", "--uninstall"]):
        assert wine(PROGRAMS / "umx-agent.exe", *said, check=False).returncode == 2, said
