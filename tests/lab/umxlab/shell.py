"""What the management shell of a recorded server would answer.

One file per command: lines `name<TAB>base64(UTF-8)`, an empty line between objects, a
name repeated for each value of a list.  A normalisation rule is pattern, tab, translation.
"""

import base64

from . import exchange


def outputs(forest, product, server, thumbprint):
    """{command: text} of one server."""
    records = _exchange(forest, server, thumbprint) if product == "exchange" else _lync(forest, server)
    return {command: "\n".join(_written(r) for r in objects) for command, objects in records.items()}


def _written(record):
    lines = []
    for name, value in record.items():
        for one in value if isinstance(value, list) else [value]:
            lines.append(f"{name}\t{base64.b64encode(str(one).encode()).decode()}\n")
    return "".join(lines)


def _exchange(forest, server, thumbprint):
    short = server["fqdn"].split(".")[0].upper()
    modern = server["version"].startswith("15.")
    service = {
        "Identity": short, "Name": short, "DialPlans": server.get("dial_plans", []),
        "UMStartupMode": _MODES[server.get("startup_mode", "tcp")],
        "Status": server.get("status", "enabled").capitalize(),
        "SipTcpListeningPort": server.get("tcp_port", 5060), "SipTlsListeningPort": server.get("tls_port", 5061),
        "UMCertificateThumbprint": thumbprint or "", "SIPAccessService": server.get("sip_access_service", ""),
    }
    certificates = [{"Thumbprint": thumbprint, "Services": "UM" if server.get("bound", True) else "None",
                     "Subject": f"CN={server['fqdn']}"}] if thumbprint else []
    plans = [{"Name": p["name"], "UriType": _URI_TYPES[p["uri_type"]], "VoIPSecurity": _SECURITY[p["voip_security"]],
              "NumberOfDigitsInExtension": p["digits"],
              "PhoneContext": exchange.phone_context(forest, p["name"])} for p in forest.exchange["dial_plans"]]
    found = {"Get-UMService" if modern else "Get-UMServer": [service], "Get-ExchangeCertificate": certificates,
             "Get-UMDialPlan": plans}
    if "call_router" in server:
        router = server["call_router"]
        found["Get-UMCallRouterSettings"] = [{
            "Identity": short, "DialPlans": router["dial_plans"],
            "UMStartupMode": _MODES[router.get("startup_mode", "tcp")],
            "SipTcpListeningPort": 5060, "SipTlsListeningPort": 5061,
            "UMCertificateThumbprint": thumbprint or ""}]
    return found


def _lync(forest, server):
    side = forest.lync
    return {
        "Get-CsPool": [{
            "Identity": pool["fqdn"], "Fqdn": pool["fqdn"], "Site": f"Site:{pool.get('site', 'Berlin')}",
            "Computers": [s["fqdn"] for s in side["servers"] if s["pool"] == pool["fqdn"]],
            "BackupPool": pool.get("backup", ""), "Services": pool.get("services", [])} for pool in side["pools"]],
        "Get-CsDialPlan": [{
            "Identity": plan["identity"], "SimpleName": plan["simple_name"],
            "NormalizationRules": plan.get("rules", ["^(\\d{5})$\t+4930123$1"])} for plan in side["dial_plans"]],
        "Get-CsMediaConfiguration": [{
            "Identity": media["identity"], "EncryptionLevel": media["encryption_level"]} for media in side["media"]],
        "Get-CsVoicePolicy": [{"Identity": "Global", "PstnUsages": ["Local"]}],
        "Get-CsPstnUsage": [{"Identity": "Global", "Usage": ["Local"]}],
        "Get-CsVoiceRoute": [{"Identity": "LocalRoute", "NumberPattern": "^\\+", "PstnUsages": ["Local"]}],
        "Get-CsService": [{"Identity": f"PstnGateway:{s['fqdn']}", "Role": "PstnGateway", "PoolFqdn": s["fqdn"]}
                          for s in side.get("trusted_services", ()) if s["type"] == "Gateway"],
    }


_MODES = {"tcp": "TCP", "tls": "TLS", "dual": "Dual"}
_URI_TYPES = {"telephone": "TelExtn", "e164": "E164", "sip": "SipName"}
_SECURITY = {"sip-secured": "SIPSecured", "unsecured": "Unsecured", "secured": "Secured"}
