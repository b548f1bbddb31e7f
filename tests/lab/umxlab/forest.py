"""Make forests: provision the first domain controller, join others, trust each other."""

import re
from concurrent.futures import ThreadPoolExecutor

from . import certificates, controllers
from .programs import LabError


def issue_tls(place, forest, dc):
    """A certificate from the lab's authority; without one samba makes itself a slow RSA-4096 one."""
    tls = controllers.directory(place, dc) / "lib/private/tls"
    issuer = (place.ca / "ca.pem", place.ca / "ca.key")
    extensions = certificates.server_extensions([dc.fqdn, forest.name], [dc.address])
    certificates.leaf(tls / "cert.pem", tls / "key.pem", dc.fqdn, extensions, issuer=issuer, days=3650)
    (tls / "key.pem").chmod(0o600)
    (tls / "ca.pem").write_text((place.ca / "ca.pem").read_text())


def provision(place, topology, forest):
    dc = forest.first
    controllers.make_directories(place, dc)
    controllers.write_files(place, topology, forest, dc)
    issue_tls(place, forest, dc)
    controllers.execute(place, dc, [
        "samba-tool", "domain", "provision", f"--realm={forest.realm}", f"--domain={forest.netbios}",
        f"--host-name={dc.short}", f"--host-ip={dc.address}", "--dns-backend=SAMBA_INTERNAL",
        f"--adminpass={place.secret(f'administrator.{forest.name}')}", "--server-role=dc"], 180)
    controllers.write_files(place, topology, forest, dc)
    # Nothing else registers the names that Kerberos asks for.
    controllers.execute(place, dc, ["samba_spnupdate"], 60)
    # Neither a snapshot nor an account without a password may trip over the policy.
    controllers.execute(place, dc, [
        "samba-tool", "domain", "passwordsettings", "set", "--max-pwd-age=0", "--min-pwd-age=0",
        "--min-pwd-length=0", "--complexity=off", "--history-length=0"], 60)


def join(place, topology, forest, dc):
    """Join a further domain controller; the first one must run."""
    controllers.make_directories(place, dc)
    controllers.write_files(place, topology, forest, dc, nameserver=forest.first.address)
    issue_tls(place, forest, dc)
    (controllers.directory(place, dc) / "etc/smb.conf").unlink()
    controllers.execute(place, dc, [
        "samba-tool", "domain", "join", forest.name, "DC", f"--server={forest.first.fqdn}",
        f"-UAdministrator%{place.secret(f'administrator.{forest.name}')}", "--dns-backend=SAMBA_INTERNAL",
        f"--option=interfaces={dc.address}/8", "--option=bind interfaces only=yes",
        f"--option=netbios name={dc.short.upper()}"], 180)
    controllers.write_files(place, topology, forest, dc)
    controllers.start(place, dc)
    controllers.wait_ready(place, dc)
    register_principals(place, forest, dc)
    register_names(place, forest, dc)


def register_principals(place, forest, dc):
    """Names that Kerberos asks for, written where the KDC that clients ask first has them at once."""
    account = f"CN={dc.short.upper()},OU=Domain Controllers,{forest.base_dn}"
    names = [f"ldap/{dc.fqdn}", f"ldap/{dc.fqdn}/{forest.name}", f"ldap/{dc.short.upper()}"]
    values = "".join(f"servicePrincipalName: {name}\n" for name in names)
    controllers.ldbmodify(place, forest.first,
                          f"dn: {account}\nchangetype: modify\nadd: servicePrincipalName\n{values}")


def register_names(place, forest, dc):
    """DNS records of a further domain controller: a join on loopback addresses registers none."""
    site, zone, msdcs = "Default-First-Site-Name", forest.name, f"_msdcs.{forest.name}"
    services = [
        (zone, "_ldap._tcp", 389), (zone, f"_ldap._tcp.{site}._sites", 389), (zone, "_gc._tcp", 3268),
        (zone, "_kerberos._tcp", 88), (zone, "_kerberos._udp", 88), (zone, f"_kerberos._tcp.{site}._sites", 88),
        (msdcs, "_ldap._tcp.dc", 389), (msdcs, f"_ldap._tcp.{site}._sites.dc", 389),
        (msdcs, "_kerberos._tcp.dc", 88), (msdcs, "_ldap._tcp.gc", 3268)]
    records = [(zone, dc.short, "A", dc.address), (msdcs, _replication_name(place, forest, dc), "CNAME", dc.fqdn)]
    records += [(where, name, "SRV", f"{dc.fqdn} {port} 0 100") for where, name, port in services]
    login = f"-UAdministrator%{place.secret(f'administrator.{forest.name}')}"
    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(lambda record: controllers.execute(
            place, dc, ["samba-tool", "dns", "add", forest.first.fqdn, *record, login], 60), records))


def _replication_name(place, forest, dc):
    """Domain controllers find each other by the GUID of their settings."""
    settings = (f"CN=NTDS Settings,CN={dc.short.upper()},CN=Servers,CN=Default-First-Site-Name,"
                f"CN=Sites,{forest.config_dn}")
    found = controllers.execute(place, dc, [
        "ldbsearch", "-H", controllers.SAM, "-b", settings, "-s", "base", "objectGUID"], 30).stdout
    return re.search(r"^objectGUID: (\S+)", found, re.M).group(1)


def trust(place, topology, a, b):
    """A two-way forest trust, made on both sides and validated; both forests must run."""
    near, far = topology.forest(a), topology.forest(b)
    result = controllers.execute(place, near.first, [
        "samba-tool", "domain", "trust", "create", far.name, "--type=forest", "--direction=both",
        "--create-location=both",
        f"-UAdministrator@{far.realm}%{place.secret(f'administrator.{far.name}')}"], 120)
    if result.stdout.count("OK:") < 2:
        raise LabError(f"trust {a} - {b} was made but not validated: {result.stdout}")
