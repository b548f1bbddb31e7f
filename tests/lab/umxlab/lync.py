"""The Lync objects in the configuration of a forest, and the contacts made by hand."""

import uuid

from .entries import FULL, READ, allow, dn, entry

ADMIN_GROUPS = ("RTCUniversalServerAdmins", "RTCUniversalUserAdmins", "RTCUniversalReadOnlyAdmins",
                "CSAdministrator", "CSVoiceAdministrator", "CSUserAdministrator")
SERVICE_GROUPS = ("RTCHSUniversalServices", "RTCComponentUniversalServices", "RTCProxyUniversalServices",
                  "RTCSBAUniversalServices", "RTCUniversalConfigReplicator")
OTHER_GROUPS = ("RTCUniversalServerReadOnlyGroup", "RTCUniversalUserReadOnlyGroup",
                "RTCUniversalGlobalReadOnlyGroup", "RTCUniversalGlobalWriteGroup")
# What the machine accounts of a pool's servers are members of, by the kind of pool.
MACHINE_GROUPS = {
    "front-end": ("RTCHSUniversalServices", "RTCComponentUniversalServices"),
    "director": ("RTCHSUniversalServices",),
    "branch": ("RTCSBAUniversalServices", "RTCComponentUniversalServices"),
}
CONTACTS_OU = "UM Contacts"
CONTACT_OBJECT = -1879048192


def groups():
    return ADMIN_GROUPS + SERVICE_GROUPS + OTHER_GROUPS


def root_dn(forest):
    return f"CN=RTC Service,CN=Services,{forest.config_dn}"


def pool(forest, fqdn):
    return next(p for p in forest.lync["pools"] if p["fqdn"] == fqdn)


def pool_dn(forest, fqdn):
    return dn(pool(forest, fqdn)["cn"], f"CN=Pools,{root_dn(forest)}")


def home_dn(forest, fqdn):
    """What a user's msRTCSIP-PrimaryHomeServer points at."""
    return f"CN=LC Services,CN=Microsoft,{pool_dn(forest, fqdn)}"


def entries(forest):
    root = root_dn(forest)
    settings = f"CN=Global Settings,{root}"
    yield entry(root, "msRTCSIP-Service")
    yield entry(settings, "msRTCSIP-GlobalContainer")
    for number, domain in enumerate(forest.lync["sip_domains"], 1):
        yield entry(dn(str(uuid.uuid5(uuid.NAMESPACE_DNS, domain)), settings), "msRTCSIP-Domain", {
            "msRTCSIP-DomainName": domain, "msRTCSIP-Default": number == 1})
    yield entry(f"CN=Pools,{root}", "msRTCSIP-Pools")
    for data in forest.lync["pools"]:
        where = pool_dn(forest, data["fqdn"])
        yield entry(where, "msRTCSIP-Pool", {
            "dNSHostName": data["fqdn"],
            "msRTCSIP-PoolDisplayName": data["fqdn"].split(".")[0],
            "msRTCSIP-PoolDomainFQDN": forest.name,
            "msRTCSIP-PoolType": {"enterprise": 10, "standard": 5}[data["type"]],
            "msRTCSIP-PoolVersion": data.get("version", 6) << 16,
            "msRTCSIP-PoolData": data.get("data"),
        })
        yield entry(f"CN=Microsoft,{where}", "container")
        yield entry(home_dn(forest, data["fqdn"]), "msRTCSIP-PoolService")
    yield entry(f"CN=Trusted Services,{root}", "msRTCSIP-TrustedServices")
    for data in forest.lync.get("trusted_services", ()):
        name = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{data['type']}.{data['fqdn']}"))
        yield entry(dn(name, f"CN=Trusted Services,{root}"), "msRTCSIP-TrustedService", {
            "msRTCSIP-TrustedServerFQDN": data["fqdn"],
            "msRTCSIP-TrustedServicePort": data["port"],
            "msRTCSIP-TrustedServiceType": data["type"],
            "msRTCSIP-TrustedServerVersion": 6,
            "msRTCSIP-Routable": True,
        })
    for data in forest.lync["servers"]:
        yield entry(dn(str(uuid.uuid5(uuid.NAMESPACE_DNS, data["fqdn"])), settings), "msRTCSIP-TrustedServer", {
            "msRTCSIP-TrustedServerFQDN": data["fqdn"], "msRTCSIP-TrustedServerVersion": 6})


def contacts(forest):
    """The organisational unit for UM contacts, and what somebody put there before."""
    ou = f"OU={CONTACTS_OU},{forest.base_dn}"
    yield entry(ou, "organizationalUnit", aces=(
        allow(FULL, "{sid:umx-writer}")
        + "(OA;CI;CCDC;{class:contact};;{sid:RTCUniversalUserAdmins})"
        + "(OA;CIIO;RPWP;;{class:contact};{sid:RTCUniversalUserAdmins})"))
    yield entry(f"OU=RTC Special Accounts,{forest.base_dn}", "organizationalUnit")
    # Somebody locked it: what domain preparation granted does not come down here.
    yield entry(f"OU=Locked Contacts,{forest.base_dn}", "organizationalUnit",
                sddl="O:DAG:DAD:PAI" + allow(FULL, "DA") + allow(FULL, "SY") + allow(READ, "AU"))
    for data in forest.lync.get("contacts", ()):
        yield entry(dn(data["cn"], ou), "contact", {
            "displayName": data["name"],
            "msRTCSIP-PrimaryUserAddress": f"sip:{data['sip']}",
            "proxyAddresses": f"sip:{data['sip']}",
            "msRTCSIP-SourceObjectType": CONTACT_OBJECT,
            "otherIpPhone": f"sip:{data['sip']};opaque=app:exum:{data['phone_context']}",
            "msRTCSIP-Line": f"tel:{data['number']}",
            "telephoneNumber": data["number"],
            "msRTCSIP-UserEnabled": True,
            "msRTCSIP-OptionFlags": 128 | 256,
            "msRTCSIP-PrimaryHomeServer": home_dn(forest, data["pool"]),
            "msRTCSIP-DeploymentLocator": "SRV:",
        })
