"""The real PowerShell engine of a lab (shell/): built once for its sources, one process for each lab.

Where there is no .NET SDK, recorded hosts answer with what was recorded of them
(shell/*.txt), and no cmdlet action can run.
"""

import hashlib
import os
import shutil
import time
from pathlib import Path

from . import network
from .place import SOURCE
from .programs import LabError, run, spawn
from .progress import step

SOURCES = SOURCE / "shell"
CLIENT = SOURCES / "powershell"
PROGRAM = "umx-lab-shell.dll"
ABSENT = "no .NET SDK here: recorded servers answer from shell/*.txt, and no cmdlet can be run"


def available():
    return shutil.which("dotnet") is not None


def start(place):
    if not available():
        step(ABSENT)
        return
    socket = place.run / "shell.sock"
    socket.unlink(missing_ok=True)
    # A relative name: an absolute one may be too long for a socket.
    argv = ["/bin/sh", "-c", 'cd "$1" && exec dotnet "$2" shell.sock "$3"', "shell", place.run, _built() / PROGRAM, place.dir]
    environment = {**network.client_environment(place), **_quiet(), "DOTNET_gcServer": "0"}
    spawn(network.client_words(place, argv), place.run / "shell.log", env=environment)
    for _ in range(300):
        if socket.exists():
            return
        time.sleep(0.1)
    raise LabError(f"the PowerShell engine did not start: {place.run}/shell.log")


def store(forest):
    """What a product of this forest keeps outside the directory; recorded servers share it."""
    side = forest.lync
    if not side:
        return {"sip_access_service": {s["fqdn"]: s["sip_access_service"] for s in forest.exchange["servers"]
                                       if s.get("sip_access_service")}}
    gateways = [s["fqdn"] for s in side.get("trusted_services", ()) if s["type"] == "Gateway"]
    rules = [{"Name": "Extension", "Pattern": "^(\\d{5})$", "Translation": "+4930123$1"}]
    exchange = {"sip_access_service": {s["fqdn"]: s["sip_access_service"]
                                       for s in forest.exchange.get("servers", ()) if s.get("sip_access_service")}}
    return {
        **exchange,
        "dial_plans": [{"Identity": p["identity"], "SimpleName": p["simple_name"],
                        "NormalizationRules": p.get("rules", rules)} for p in side["dial_plans"]],
        "media": [{"Identity": m["identity"], "EncryptionLevel": m["encryption_level"]} for m in side["media"]],
        "voice_policies": [{"Identity": "Global", "PstnUsages": ["Local"]},
                           {"Identity": "Tag:Staff", "PstnUsages": ["Local"]}],
        "pstn_usages": [{"Identity": "Global", "Usage": ["Local"]}],
        "voice_routes": [{"Identity": "LocalRoute", "NumberPattern": "^\\+", "PstnUsages": ["Local"],
                          "PstnGatewayList": [f"PstnGateway:{g}" for g in gateways]}],
        "pstn_gateways": [{"Identity": f"PstnGateway:{g}", "PoolFqdn": g, "Role": "PstnGateway"} for g in gateways],
        "pools": [{"Identity": p["fqdn"], "Fqdn": p["fqdn"], "Site": f"Site:{p.get('site', 'Berlin')}",
                   "Computers": [s["fqdn"] for s in side["servers"] if s["pool"] == p["fqdn"]],
                   "BackupPool": p.get("backup", "")} for p in side["pools"]],
        "grants": [],
    }


def _built():
    """The folder of the built program, in the cache beside the kept labs."""
    cache = Path(os.environ.get("LAB_CACHE", "/var/cache/umx-lab"))
    folder = cache / f"shell-{_fingerprint()}"
    if (folder / PROGRAM).exists():
        return folder
    step("building the PowerShell engine")
    partial = cache / f"{folder.name}.{os.getpid()}"
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(SOURCES, partial / "source", ignore=shutil.ignore_patterns("bin", "obj"))
    run(["dotnet", "build", "-c", "Release", "-v", "q", "-nodeReuse:false", "-o", partial / "program"], 300,
        cwd=partial / "source", env=_quiet())
    try:
        (partial / "program").rename(folder)
    except OSError:
        if not (folder / PROGRAM).exists():  # else another lab was faster
            raise
    shutil.rmtree(partial, ignore_errors=True)
    return folder


def _quiet():
    return {"DOTNET_CLI_TELEMETRY_OPTOUT": "1", "DOTNET_NOLOGO": "1", "DOTNET_CLI_USE_MSBUILD_SERVER": "0"}


def _fingerprint():
    digest = hashlib.sha256()
    for path in sorted(SOURCES.iterdir()):
        if path.is_file():
            digest.update(f"{path.name}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:20]
