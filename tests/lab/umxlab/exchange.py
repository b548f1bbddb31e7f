"""The Exchange organisation in the configuration of a forest.

Exchange does not let everybody read everything: the dial plans, the auto attendants
and the servers are listed only for those named here, so that a Lync Front End really
cannot read them before somebody grants it.
"""

from .entries import FULL, READ, allow, dn, entry, escaped, modify

VERSION_2007, VERSION_2010, VERSION_2013 = 4535486012416, 44220983382016, 88218628259840
URI_TYPES = {"telephone": 1, "e164": 2, "sip": 3}
VOIP_SECURITY = {"sip-secured": 1, "unsecured": 2, "secured": 3}
STARTUP_MODES = {"tcp": 0, "tls": 1, "dual": 2}
STATUS = {"enabled": 0, "disabled": 1, "no-new-calls": 2}
ROLES = {"cafe": 1, "mailbox": 2, "client-access": 4, "unified-messaging": 16, "hub-transport": 32,
         "frontend-transport": 16384}

ADMIN_GROUP = "Exchange Administrative Group (FYDIBOHF23SPDLT)"

# Groups and their places in otherWellKnownObjects of CN=Microsoft Exchange,CN=Services.
WELL_KNOWN_GROUPS = {
    "Organization Management": "C262A929D691B74A9E068728F8F842EA",
    "Recipient Management": "DB72C41D49580A4DB304FE6981E56297",
    "UM Management": "E80CDFB75697934981C898B4DBC5A0C6",
    "Server Management": "4DB8E7754EB6C1439565612E69A80A4F",
    "Exchange Servers": "A7D2016C83F003458132789EEB127B84",
}
GROUPS_2007 = ("Exchange Organization Administrators", "Exchange Recipient Administrators",
               "Exchange View-Only Administrators")
GROUPS_OU = "Microsoft Exchange Security Groups"


def organisation_dn(forest):
    return f"CN={escaped(forest.exchange['organisation'])},CN=Microsoft Exchange,CN=Services,{forest.config_dn}"


def plan_dn(forest, name):
    return dn(name, f"CN=UM DialPlan Container,{organisation_dn(forest)}")


def policy_dn(forest, name):
    return dn(name, f"CN=UM Mailbox Policies,{organisation_dn(forest)}")


def plan(forest, name):
    return next(p for p in forest.exchange["dial_plans"] if p["name"] == name)


def phone_context(forest, name):
    return f"{name}.{forest.name}"


def version_number(version):
    """The product version as Exchange packs it into versionNumber."""
    major, minor, build = (int(part) for part in version.split(".")[:3])
    return 0x70008000 + ((major & 63) << 22) + ((minor & 63) << 16) + (build & 0x7FFF)


def serial_number(version):
    major, minor, build, *revision = version.split(".")
    return f"Version {major}.{minor} (Build {30000 + int(build)}.{(revision or ['0'])[0]})"


def home_server(forest):
    """The legacy name of the first server with mailboxes: all are there."""
    fqdn = next(s["fqdn"] for s in forest.exchange["servers"] if "mailbox" in s["roles"])
    return (f"/o={forest.exchange['organisation']}/ou={ADMIN_GROUP}/cn=Configuration/cn=Servers"
            f"/cn={fqdn.split('.')[0].upper()}")


def role_bits(roles):
    return sum(ROLES[role] for role in roles)


def groups(forest):
    names = list(WELL_KNOWN_GROUPS) + ["Exchange Trusted Subsystem"]
    return names + list(GROUPS_2007) if forest.exchange.get("groups_2007") else names


def entries(forest, thumbprints):
    """Everything below CN=Microsoft Exchange; thumbprints: {server fqdn: thumbprint}."""
    services = f"CN=Microsoft Exchange,CN=Services,{forest.config_dn}"
    organisation = organisation_dn(forest)
    yield entry(services, "msExchConfigurationContainer")
    ou = f"OU={GROUPS_OU},{forest.base_dn}"
    yield modify(services, {"otherWellKnownObjects": [
        f"B:32:{guid}:{dn(name, ou)}" for name, guid in WELL_KNOWN_GROUPS.items()]})
    yield entry(organisation, "msExchOrganizationContainer", {"msExchVersion": VERSION_2010},
                aces=allow("WD", "{sid:umx-writer}", inherit=False) + allow(FULL, "{sid:Organization Management}"))
    yield from _containers(organisation)
    yield from _dial_plans(forest)
    yield from _mailbox_policies(forest)
    yield from _gateways(forest)
    yield from _auto_attendants(forest)
    yield from _servers(forest, thumbprints)
    for name in forest.exchange.get("default_auto_attendants", ()):
        yield modify(plan_dn(forest, name["dial_plan"]), {
            "msExchUMDialPlanDefaultAutoAttendantLink": [_attendant_dn(forest, name["auto_attendant"])]})


def _hidden(writer_rights):
    """A descriptor that inherits nothing: Authenticated Users are not in it."""
    full = ("DA", "EA", "SY", "{sid:Organization Management}", "{sid:UM Management}",
            "{sid:Exchange Trusted Subsystem}")
    return ("O:DAG:DAD:PAI" + "".join(allow(FULL, trustee) for trustee in full)
            + allow(READ, "{sid:umx-reader}") + allow(READ, "{sid:Exchange Servers}")
            + allow(writer_rights, "{sid:umx-writer}")
            + allow("WD", "{sid:umx-writer}", inherit=False))


# Objects in hidden containers have only what they inherit, as Exchange makes them.
_INHERITED_ONLY = "O:DAG:DAD:"


def _containers(organisation):
    yield entry(f"CN=UM DialPlan Container,{organisation}", "msExchContainer", sddl=_hidden(READ + "WPCCDC"))
    yield entry(f"CN=UM AutoAttendant Container,{organisation}", "msExchContainer", sddl=_hidden(READ))
    yield entry(f"CN=UM IPGateway Container,{organisation}", "msExchContainer",
                aces=allow(FULL, "{sid:umx-writer}") + allow(FULL, "{sid:UM Management}"))
    yield entry(f"CN=UM Mailbox Policies,{organisation}", "msExchContainer",
                aces=allow(FULL, "{sid:UM Management}"))
    groups_dn = f"CN=Administrative Groups,{organisation}"
    yield entry(groups_dn, "msExchAdminGroupContainer", sddl=_hidden(READ + "WP"))
    yield entry(dn(ADMIN_GROUP, groups_dn), "msExchAdminGroup", sddl=_INHERITED_ONLY)
    yield entry(f"CN=Servers,{dn(ADMIN_GROUP, groups_dn)}", "msExchServersContainer", sddl=_INHERITED_ONLY)


def _dial_plans(forest):
    for data in forest.exchange["dial_plans"]:
        yield entry(plan_dn(forest, data["name"]), "msExchUMDialPlan", {
            "msExchVersion": VERSION_2007,
            "msExchUMPhoneContext": data.get("phone_context", phone_context(forest, data["name"])),
            "msExchUMDialPlanURIType": URI_TYPES[data["uri_type"]],
            "msExchUMDialPlanVoipSecurity": VOIP_SECURITY[data["voip_security"]],
            "msExchUMNumberingPlanDigits": data["digits"],
            "msExchUMVoiceMailPilotNumbers": data.get("access_numbers"),
            "msExchUMCountryCode": data.get("country"),
            "msExchUMDialPlanFlags": 0,
            "msExchUMDialPlanFlags2": -1,
        }, sddl=_INHERITED_ONLY)


def _mailbox_policies(forest):
    for data in forest.exchange.get("mailbox_policies", ()):
        yield entry(policy_dn(forest, data["name"]), "msExchUMRecipientTemplate", {
            "msExchVersion": VERSION_2007,
            "msExchRecipientTemplateFlags": 0,
            "msExchUMMailboxPolicyDialPlanLink": plan_dn(forest, data["dial_plan"]),
            "msExchUMPinPolicyMinPasswordLength": 6,
        })


def _gateways(forest):
    parent = f"CN=UM IPGateway Container,{organisation_dn(forest)}"
    for data in forest.exchange.get("gateways", ()):
        where = dn(data["name"], parent)
        yield entry(where, "msExchUMIPGateway", {
            "msExchVersion": VERSION_2007,
            "msExchUMIPGatewayAddress": data["address"],
            "msExchUMIPGatewayPort": data.get("port", 0),
            "msExchUMOutcallsAllowed": data.get("outcalls", True),
            "msExchUMIPGatewayStatus": STATUS[data.get("status", "enabled")],
            "msExchUMIPGatewayFlags": 0,
            "msExchUMIPGatewayFlags2": data.get("flags2", -1),
        })
        for group in data.get("hunt_groups", ()):
            yield entry(dn(group["name"], where), "msExchUMHuntGroup", {
                "msExchVersion": VERSION_2007,
                "msExchUMHuntGroupDialPlanLink": plan_dn(forest, group["dial_plan"]),
                "msExchUMPilotIdentifier": group["pilot"],
            })


def _attendant_dn(forest, name):
    return dn(name, f"CN=UM AutoAttendant Container,{organisation_dn(forest)}")


def _auto_attendants(forest):
    for data in forest.exchange.get("auto_attendants", ()):
        yield entry(_attendant_dn(forest, data["name"]), "msExchUMAutoAttendant", {
            "msExchVersion": VERSION_2007,
            "msExchUMAutoAttendantDialPlanLink": plan_dn(forest, data["dial_plan"]),
            "msExchUMAutoAttendantDialedNumbers": data.get("numbers"),
            "msExchUMAutoAttendantFlags": 1 if data["enabled"] else 0,
            "msExchUMASREnabled": False,
        }, sddl=_INHERITED_ONLY)


def _servers(forest, thumbprints):
    container = f"CN=Servers,{dn(ADMIN_GROUP, f'CN=Administrative Groups,{organisation_dn(forest)}')}"
    for data in forest.exchange["servers"]:
        fqdn, short = data["fqdn"], data["fqdn"].split(".")[0].upper()
        where = dn(short, container)
        router = data.get("call_router")
        bound = thumbprints.get(fqdn) if data.get("bound", True) and not data["version"].startswith("8.") else None
        yield entry(where, "msExchExchangeServer", {
            "msExchVersion": VERSION_2013 if data["version"].startswith("15.") else VERSION_2007,
            "versionNumber": version_number(data["version"]),
            "serialNumber": serial_number(data["version"]),
            "msExchCurrentServerRoles": role_bits(data["roles"]),
            "networkAddress": [f"ncacn_ip_tcp:{fqdn}", f"netbios:{short}"],
            "msExchServerSite": f"CN=Default-First-Site-Name,CN=Sites,{forest.config_dn}",
            **_um_service(forest, data, bound),
        }, sddl=_INHERITED_ONLY)
        if router is None:
            continue
        yield entry(f"CN=Protocols,{where}", "msExchContainer", sddl=_INHERITED_ONLY)
        yield entry(f"CN=SIP,CN=Protocols,{where}", "msExchProtocolCfgSIPContainer", sddl=_INHERITED_ONLY)
        yield entry(f"CN=UMCallRouterSettings,CN=SIP,CN=Protocols,{where}", "msExchProtocolCfgSIPFEServer", {
            "msExchVersion": VERSION_2013, "msExchUMEnabledFlags": 7, **_um_service(forest, router, bound),
        }, sddl=_INHERITED_ONLY)


def _um_service(forest, data, thumbprint):
    """What a UM server and a call router have in common; a role without UM has none of it."""
    if "dial_plans" not in data:
        return {}
    mode = data.get("startup_mode")
    return {
        "msExchUMServerDialPlanLink": [plan_dn(forest, name) for name in data["dial_plans"]],
        "msExchUMServerStatus": STATUS[data.get("status", "enabled")],
        "msExchUMStartupMode": None if mode is None else STARTUP_MODES[mode],
        "msExchUMTcpListeningPort": data.get("tcp_port", 5060),
        "msExchUMTlsListeningPort": data.get("tls_port", 5061),
        "msExchUMMaximumCallsAllowed": 100,
        "msExchUMCertificateThumbprint": thumbprint,
    }
