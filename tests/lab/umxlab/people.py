"""The users of a forest: mailboxes in an Exchange forest, Lync users in a Lync forest.

Names are the same everywhere they are asked for, so the Lync user of a mailbox has
that mailbox's address.  Where the mailbox lives in another forest, the Lync user is a
disabled account that carries the SID of the mailbox's owner.
"""

import hashlib
import unicodedata

from . import exchange, lync, topology
from .entries import dn, entry

STAFF_OU = "Staff"
DISABLED, NORMAL = 514, 512
MAILBOX_FLAGS = 831
NOBODY = {"from": 0, "count": 0}
_LETTERS = {"ß": "ss", "ø": "o", "ł": "l", "ä": "ae", "ö": "oe", "ü": "ue"}


class Person:
    """The n-th person of all, whose mail address ends in the name of a forest.

    The numbers of first and family names have no common divisor, so no two have both.
    """

    def __init__(self, forest_name, number, names):
        self.first = names["first"][number % len(names["first"])]
        self.last = names["last"][number * 7 % len(names["last"])]
        self.number = number
        self.login = f"{_ascii(self.first)}.{_ascii(self.last)}"[:20]
        self.address = f"{self.login}@{forest_name}"
        self.extension = str(20000 + number)
        # People's directories are not tidy: every fifth name is written the other way.
        self.name = f"{self.last}, {self.first}" if number % 5 == 0 else f"{self.first} {self.last}"

    def line(self, prefix):
        return f"tel:{prefix}{self.extension};ext={self.extension}"


def of(forest_name, group):
    """The people of a group {from, count}; numbers are unique in a topology."""
    names = topology.names()
    return [Person(forest_name, number, names) for number in range(group["from"], group["from"] + group["count"])]


def entries(forest, mailbox_sids):
    """Entries of all users; mailbox_sids: {forest: {login: SID}} of the forests made before."""
    users = {}
    for person in of(forest.name, forest.people.get("mailboxes", NOBODY)):
        users[person.address] = (person, _mailbox(forest, person))
    for group in forest.people.get("lync", ()):
        for person in of(group["forest"], group):
            _, attributes = users.setdefault(person.address, (person, _account(forest, person)))
            attributes.update(_lync_user(forest, group, person))
            sid = mailbox_sids.get(group["forest"], {}).get(person.login)
            if sid and group["forest"] != forest.name:
                attributes.update({"msRTCSIP-OriginatorSid": {"sid": sid}, "userAccountControl": DISABLED})
    ou = f"OU={STAFF_OU},{forest.base_dn}"
    writable = "(OA;CIIO;RPWP;{attribute:proxyAddresses};{class:user};{sid:umx-writer})"
    yield entry(ou, "organizationalUnit", aces=writable)
    for person, attributes in users.values():
        yield entry(dn(person.name, ou), "user", attributes)


def _account(forest, person):
    return {
        "sAMAccountName": person.login, "userPrincipalName": f"{person.login}@{forest.name}",
        "givenName": person.first, "sn": person.last, "displayName": person.name,
        "mail": person.address, "userAccountControl": NORMAL,
    }


def _mailbox(forest, person):
    proxies = [f"SMTP:{person.address}"]
    if person.number % 5 != 1:
        proxies.append(f"sip:{person.address}")
    duplicate = forest.people.get("duplicate_sip", {})
    if person.number == duplicate.get("number"):
        [other] = of(forest.name, {"from": duplicate["of"], "count": 1})
        proxies.append(f"sip:{other.address}")
    attributes = {
        **_account(forest, person),
        "mailNickname": person.login,
        "telephoneNumber": person.extension,
        "msExchRecipientTypeDetails": 1,
        "msExchVersion": exchange.VERSION_2010,
        "msExchMailboxGuid": hashlib.sha256(person.address.encode()).digest()[:16],
        "msExchHomeServerName": exchange.home_server(forest),
        "proxyAddresses": proxies,
    }
    policy = forest.people.get("um_policy")
    if policy and person.number - forest.people["mailboxes"]["from"] < forest.people["um_enabled"]:
        plan = next(p["dial_plan"] for p in forest.exchange["mailbox_policies"] if p["name"] == policy)
        context = exchange.phone_context(forest, plan)
        eum = [f"EUM:{person.address};phone-context={context}", f"eum:{person.extension};phone-context={context}"]
        proxies += eum
        attributes |= {
            "msExchUMEnabledFlags": MAILBOX_FLAGS,
            "msExchUMTemplateLink": exchange.policy_dn(forest, policy),
            "msExchUMRecipientDialPlanLink": exchange.plan_dn(forest, plan),
            "msExchUMAddresses": eum,
        }
    return attributes


def _lync_user(forest, group, person):
    voice = group.get("voice", True)
    return {
        "msRTCSIP-UserEnabled": True,
        "msRTCSIP-PrimaryUserAddress": f"sip:{person.address}",
        "msRTCSIP-PrimaryHomeServer": lync.home_dn(forest, group["pool"]),
        "msRTCSIP-OptionFlags": 256 | (128 if voice else 0),
        "msRTCSIP-Line": person.line(group["prefix"]) if voice else None,
        "msRTCSIP-DeploymentLocator": "SRV:",
        **({} if forest.people.get("mailboxes") else {"proxyAddresses": [f"sip:{person.address}"]}),
    }


def _ascii(name):
    text = "".join(_LETTERS.get(c, c) for c in name.lower())
    text = unicodedata.normalize("NFKD", text)
    return "".join(c for c in text if c.isascii() and c.isalnum())
