"""Operator authorities, and certificates for administrators as Active Directory Certificate Services makes them.

The objectSid of the user stands in extension 1.3.6.1.4.1.311.25.2, as an OtherName
1.3.6.1.4.1.311.25.2.1 whose value is the SID as text.
"""

from . import accounts, certificates, content
from .programs import LabError

_EXTENSIONS = """keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
1.3.6.1.4.1.311.25.2 = ASN1:SEQUENCE:security
[security]
name = IMPLICIT:0,SEQUENCE:other
[other]
kind = OID:1.3.6.1.4.1.311.25.2.1
sid = EXPLICIT:0,FORMAT:ASCII,OCT:{sid}"""


def make_authority(place, forest):
    certificates.authority(*authority(place, forest), f"{forest.netbios} Operator CA")


def authority(place, forest):
    return place.operator_ca / f"{forest.name}.pem", place.operator_ca / f"{forest.name}.key"


def files(place, forest, user):
    prefix = place.operators / f"{user}@{forest.name}"
    return prefix.with_name(prefix.name + ".pem"), prefix.with_name(prefix.name + ".key")


def issue(place, forest, user):
    """A certificate for 30 days; returns the path without its ending."""
    sid = content.sids(place, forest).get(user)
    if not sid:
        raise LabError(f"no user {user} in {forest.name}")
    certificate, key = files(place, forest, user)
    certificates.leaf(certificate, key, user, _EXTENSIONS.format(sid=sid),
                      issuer=authority(place, forest), days=30, algorithm=certificates.EC)
    key.chmod(0o600)
    return str(certificate).removesuffix(".pem")


def issue_all(place, forest):
    for user in accounts.operators(forest):
        issue(place, forest, user)
