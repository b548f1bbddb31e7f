"""Accounts that are not people's: the reader and the writer of umx, administrators, machines, groups."""

from . import exchange, lync
from .entries import dn, entry

# Who administers: {user: (the group that the user is a direct member of, ...)}.
# UC Team and Voice Team are global groups inside the product's groups.
EXCHANGE_OPERATORS = {
    "olga.orgadmin": ("UC Team",),
    "rita.recipient": ("Recipient Management", "Exchange Recipient Administrators"),
}
LYNC_OPERATORS = {
    "lars.lyncadmin": ("Voice Team",),
    "uma.useradmin": ("RTCUniversalUserAdmins",),
    "vera.voice": ("RTCUniversalServerAdmins", "RTCUniversalUserAdmins"),
}
EVERY_OPERATOR = {"ned.nobody": (), "ella.enterprise": ("Enterprise Admins",)}
NESTED_TEAMS = {
    "UC Team": ("Organization Management", "Exchange Organization Administrators"),
    "Voice Team": ("RTCUniversalServerAdmins",),
}
SERVICES = ("umx-reader", "umx-writer")
# Nobody logs on as it: tickets for the controller are made for its service principal.
LOGIN, LOGIN_SERVICE = "umx-login", "umx/controller.lab.test"

UNIVERSAL, GLOBAL = -2147483640, -2147483646
ENABLED, MACHINE = 512, 4096


def operators(forest):
    return {**(EXCHANGE_OPERATORS if forest.exchange else {}), **(LYNC_OPERATORS if forest.lync else {}),
            **EVERY_OPERATOR}


def machine_name(server):
    return server["fqdn"].split(".")[0].upper() + "$"


def entries(forest, passwords):
    """Users and machines first, then the groups that hold them; passwords: {account: password}."""
    people = f"CN=Users,{forest.base_dn}"
    for name in (*SERVICES, *operators(forest)):
        yield entry(dn(name, people), "user", {
            "sAMAccountName": name, "userPrincipalName": f"{name}@{forest.name}", "displayName": name,
            "userAccountControl": ENABLED, "msDS-SupportedEncryptionTypes": 28}, password=passwords[name])
    yield entry(dn(LOGIN, people), "user", {
        "sAMAccountName": LOGIN, "displayName": LOGIN, "userAccountControl": ENABLED,
        "servicePrincipalName": [LOGIN_SERVICE], "msDS-SupportedEncryptionTypes": 24}, password=passwords[LOGIN])
    for _, server in forest.servers():
        fqdn, account = server["fqdn"], machine_name(server)
        short = account.rstrip("$")
        yield entry(dn(short, f"CN=Computers,{forest.base_dn}"), "computer", {
            "sAMAccountName": account, "dNSHostName": fqdn, "userAccountControl": MACHINE,
            "servicePrincipalName": [f"HOST/{short}", f"HOST/{fqdn}"],
            "msDS-SupportedEncryptionTypes": 28}, password=passwords[account])
    members = _members(forest)
    for name, teams in NESTED_TEAMS.items():
        if members.get(name):
            yield _group(name, people, GLOBAL, members[name])
    if forest.exchange:
        ou = f"OU={exchange.GROUPS_OU},{forest.base_dn}"
        yield entry(ou, "organizationalUnit")
        for name in exchange.groups(forest):
            yield _group(name, ou, UNIVERSAL, members.get(name))
    if forest.lync:
        for name in lync.groups():
            yield _group(name, people, UNIVERSAL, members.get(name))
    yield {"dn": dn("Enterprise Admins", people), "modify": {"member": members["Enterprise Admins"]}}


def _group(name, parent, kind, members):
    return entry(dn(name, parent), "group", {"sAMAccountName": name, "groupType": kind, "member": members})


def _members(forest):
    """{group: [DN of a member]} of all groups."""
    people, computers = f"CN=Users,{forest.base_dn}", f"CN=Computers,{forest.base_dn}"
    members = {}

    def join(group, where):
        members.setdefault(group, []).append(where)

    for user, memberships in operators(forest).items():
        for group in memberships:
            join(group, dn(user, people))
    for team, memberships in NESTED_TEAMS.items():
        if team in members:
            for group in memberships:
                join(group, dn(team, people))
    if forest.lync:
        join("RTCUniversalUserAdmins", dn("umx-writer", people))
    for product, server in forest.servers():
        where = dn(machine_name(server).rstrip("$"), computers)
        if product == "exchange":
            join("Exchange Servers", where)
        else:
            for group in lync.MACHINE_GROUPS[lync.pool(forest, server["pool"]).get("kind", "front-end")]:
                join(group, where)
    return members
