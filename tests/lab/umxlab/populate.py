#!/usr/bin/python3
"""populate.py WORK.json - fill a stopped domain controller: schema, entries, keytabs.

Runs among the files of that domain controller and uses Samba's own Python modules,
which is many times faster than LDAP.  WORK.json names the schema file, the entries
(entries.py), the keytabs to export and where to write the SIDs of all accounts.
"""

import base64
import json
import re
import sys
import uuid

import ldb
from samba import credentials, dckeytab  # noqa: F401 (dckeytab gives Net its export_keytab)
from samba.auth import system_session
from samba.dcerpc import security
from samba.ndr import ndr_pack, ndr_unpack
from samba.net import Net
from samba.param import LoadParm
from samba.samdb import SamDB

SAM = "/var/lib/samba/private/sam.ldb"
# The cost of a transaction grows with the square of its size.
CHUNK = 25
DACL_ONLY = ["sd_flags:1:4"]


class Populator:
    def __init__(self):
        self.parameters = LoadParm()
        self.parameters.load_default()
        self.db = SamDB(SAM, session_info=system_session(), lp=self.parameters)
        self.domain = security.dom_sid(self.db.get_domain_sid())
        self.known = {}

    def load_schema(self, path):
        """Stage by stage: samba reads its schema again only between transactions."""
        with open(path) as file:
            text = re.sub(r"DC=X$", self.db.domain_dn(), file.read(), flags=re.M)
        for stage in re.split(r"^# =====.*\n", text, flags=re.M)[1:]:
            self.db.transaction_start()
            for change, message in self.db.parse_ldif(stage):
                if change == ldb.CHANGETYPE_MODIFY:
                    if not message.dn.is_null():
                        self.db.modify(message)
                else:
                    self.db.add(message)
            self.db.transaction_commit()
            self.db.set_schema_update_now()

    def add(self, entries):
        self.db.transaction_start()
        for number, entry in enumerate(entries, 1):
            try:
                self._add(entry)
            except ldb.LdbError as error:
                raise SystemExit(f"{entry['dn']}: {error.args[1]}") from None
            if number % CHUNK == 0:
                self.db.transaction_commit()
                self.db.transaction_start()
        self.db.transaction_commit()

    def _add(self, entry):
        message = ldb.Message(ldb.Dn(self.db, entry["dn"]))
        if "modify" in entry:
            for name, values in entry["modify"].items():
                message[name] = ldb.MessageElement(self._values(values), ldb.FLAG_MOD_ADD, name)
            self.db.modify(message)
            return
        for name, values in entry["attributes"].items():
            message[name] = ldb.MessageElement(self._values(values), ldb.FLAG_MOD_ADD, name)
        if "password" in entry:
            quoted = f'"{entry["password"]}"'.encode("utf-16-le")
            message["unicodePwd"] = ldb.MessageElement(quoted, ldb.FLAG_MOD_ADD, "unicodePwd")
        if "sddl" in entry:
            message["nTSecurityDescriptor"] = ldb.MessageElement(
                ndr_pack(self._descriptor(entry["sddl"])), ldb.FLAG_MOD_ADD, "nTSecurityDescriptor")
        self.db.add(message)
        if "aces" in entry:
            self._allow(message.dn, entry["aces"])

    def _allow(self, where, aces):
        """Put entries in front of the explicit ones that are there."""
        [found] = self.db.search(where, ldb.SCOPE_BASE, attrs=["nTSecurityDescriptor"], controls=DACL_ONLY)
        present = ndr_unpack(security.descriptor, found["nTSecurityDescriptor"][0]).as_sddl(self.domain)
        merged = re.sub(r"D:[A-Z]*", lambda m: m.group() + aces, present, count=1)
        message = ldb.Message(where)
        message["nTSecurityDescriptor"] = ldb.MessageElement(
            ndr_pack(self._descriptor(merged)), ldb.FLAG_MOD_REPLACE, "nTSecurityDescriptor")
        self.db.modify(message, controls=DACL_ONLY)

    def _descriptor(self, sddl):
        return security.descriptor.from_sddl(re.sub(r"\{(\w+):([^}]+)\}", self._resolve, sddl), self.domain)

    def _resolve(self, match):
        """What {sid:NAME}, {attribute:NAME} and {class:NAME} stand for here."""
        if match.group() not in self.known:
            kind, name = match.groups()
            base, condition, wanted = {
                "sid": (self.db.domain_dn(), f"(sAMAccountName={name})", "objectSid"),
                "attribute": (self.db.get_schema_basedn(), f"(lDAPDisplayName={name})", "schemaIDGUID"),
                "class": (self.db.get_schema_basedn(), f"(lDAPDisplayName={name})", "schemaIDGUID"),
            }[kind]
            found = self.db.search(base, ldb.SCOPE_SUBTREE, condition, [wanted])
            if len(found) != 1:
                raise SystemExit(f"{match.group()} does not name one object")
            value = found[0][wanted][0]
            self.known[match.group()] = (
                str(ndr_unpack(security.dom_sid, value)) if kind == "sid" else str(uuid.UUID(bytes_le=value)))
        return self.known[match.group()]

    @staticmethod
    def _values(values):
        def binary(value):
            if isinstance(value, dict):
                if "sid" in value:
                    return ndr_pack(security.dom_sid(value["sid"]))
                return base64.b64decode(value["base64"])
            return value.encode()
        return [binary(value) for value in values]

    def sids(self):
        found = self.db.search(self.db.domain_dn(), ldb.SCOPE_SUBTREE, "(sAMAccountName=*)",
                               ["sAMAccountName", "objectSid"])
        return {str(m["sAMAccountName"]): str(ndr_unpack(security.dom_sid, m["objectSid"][0])) for m in found}

    def export_keytabs(self, keytabs):
        who = credentials.Credentials()
        who.set_kerberos_state(credentials.DONT_USE_KERBEROS)
        net = Net(who, self.parameters)
        for account, path in keytabs.items():
            net.export_keytab(keytab=path, principal=account)


def main():
    with open(sys.argv[1]) as file:
        work = json.load(file)
    populator = Populator()
    if "schema" in work:
        populator.load_schema(work["schema"])
    populator.add(work.get("entries", ()))
    populator.export_keytabs(work.get("keytabs", {}))
    with open(work["sids"], "w") as file:
        json.dump(populator.sids(), file, indent=1)


if __name__ == "__main__":
    main()
