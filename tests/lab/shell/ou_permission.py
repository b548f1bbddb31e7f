"""ou_permission.py test|grant|revoke OU TYPE DC USER PASSWORD-FILE - what {Test,Grant,Revoke}-CsOUPermission do.

The entries are those that the vendor lists for the type.  The property sets of Lync
are not in the lab's schema: instead of them all properties of contacts are granted.
"""

import re
import sys

from samba.auth import system_session
from samba.credentials import Credentials
from samba.ndr import ndr_unpack
from samba.dcerpc import security
from samba.param import LoadParm
from samba.samdb import SamDB
from samba.sd_utils import SDUtils

CONTACT = "5cb41ed0-0e4c-11d0-a286-00aa003049e2"
REPLICATE = "1131f6aa-9c07-11d1-f79f-00c04fc2dcd2"
DACL = ["sd_flags:1:4"]
ENTRIES = {
    "Contact": [("RTCHSUniversalServices", f"(OA;;CR;{REPLICATE};;%s)"),
                ("RTCUniversalServerReadOnlyGroup", "(A;;LCRPRC;;;%s)"),
                ("RTCUniversalUserReadOnlyGroup", "(A;;LCRPRC;;;%s)"),
                ("RTCUniversalUserReadOnlyGroup", f"(OA;CIIO;RP;;{CONTACT};%s)"),
                ("RTCUniversalUserAdmins", f"(OA;CIIO;WP;;{CONTACT};%s)")],
    "Device": [("RTCUniversalUserAdmins", f"(OA;CI;CCDC;{CONTACT};;%s)")],
}


def main(verb, ou, kind, dc, user, password_file):
    parameters = LoadParm()
    parameters.load_default()
    credentials = Credentials()
    credentials.guess(parameters)
    name, _, realm = user.partition("@")
    credentials.set_username(name)
    credentials.set_realm(realm.upper())
    credentials.set_domain("")
    with open(password_file, encoding="utf-8") as file:
        credentials.set_password(file.read())
    database = SamDB(url=f"ldap://{dc}", session_info=system_session(), credentials=credentials, lp=parameters)
    wanted = [entry % sid_of(database, group) for group, entry in ENTRIES[kind]]
    tools = SDUtils(database)
    domain = security.dom_sid(database.get_domain_sid())
    asked = entries(security.descriptor.from_sddl("D:" + "".join(wanted), domain), domain)[1]
    flags, there = entries(tools.read_sd_on_dn(ou, controls=DACL), domain)
    if verb == "test":
        print(set(asked) <= set(there))
    elif verb == "grant":
        tools.dacl_append_aces(ou, "".join(wanted))
    else:  # SDUtils.dacl_delete_aces takes nothing away: it looks for the very object that it was given
        kept = "".join(entry for entry in there if entry not in asked)
        tools.modify_sd_on_dn(ou, security.descriptor.from_sddl(f"D:{flags}{kept}", domain), controls=DACL)


def entries(descriptor, domain):
    """The flags and the entries of a discretionary access-control list, as SDDL writes them."""
    flags, listed = re.search(r"D:([A-Z]*)((?:\([^)]*\))*)", descriptor.as_sddl(domain)).groups()
    return flags, re.findall(r"\([^)]*\)", listed)


def sid_of(database, group):
    found = database.search(base=database.domain_dn(), expression=f"(sAMAccountName={group})", attrs=["objectSid"])
    return str(ndr_unpack(security.dom_sid, found[0]["objectSid"][0]))


if __name__ == "__main__":
    main(*sys.argv[1:])
