"""Names: DNS, hosts files and Kerberos configuration.

One dnsmasq at 127.77.0.1 stands in the middle, as conditional forwarders do between
real forests: it sends each zone to that forest's domain controllers, which forward
everything else to it.  It also knows the servers and pools that do not really run.
"""

from . import network
from .programs import LabError, spawn

_KRB5 = """[libdefaults]
 default_realm = {realm}
 dns_lookup_kdc = false
 dns_lookup_realm = false
 rdns = false
 dns_canonicalize_hostname = false
 udp_preference_limit = 0
 ticket_lifetime = 10h
[realms]
{realms}
[domain_realm]
{domains}
"""


def krb5_conf(topology, realm):
    """All realms with their KDCs, so that no client depends on DNS for Kerberos."""
    realms, domains = [], []
    for forest in topology.forests:
        kdcs = "".join(f"  kdc = {dc.address}\n" for dc in forest.controllers)
        first = forest.controllers[0].address
        realms.append(f" {forest.realm} = {{\n{kdcs}  admin_server = {first}\n  kpasswd_server = {first}\n }}")
        domains += [f" .{forest.name} = {forest.realm}", f" {forest.name} = {forest.realm}"]
    return _KRB5.format(realm=realm, realms="\n".join(realms), domains="\n".join(domains))


def hosts(topology):
    lines = ["127.0.0.1 localhost"]
    for forest in topology.forests:
        for dc in forest.controllers:
            alias = f" {forest.name}" if dc is forest.controllers[0] else ""
            lines.append(f"{dc.address} {dc.fqdn}{alias}")
    return "\n".join(lines) + "\n"


def write_files(place, topology):
    (place.run / "resolv.conf").write_text(f"nameserver {network.DNS_ADDRESS}\n")
    (place.run / "hosts").write_text(hosts(topology))
    place.krb5_conf.write_text(krb5_conf(topology, topology.forests[0].realm))
    records = [f"host-record={name},{address}" for name, address in topology.addresses()]
    zones = [f"server=/{forest.name}/{dc.address}" for forest in topology.forests for dc in forest.controllers]
    (place.run / "dnsmasq.conf").write_text("\n".join(zones + records) + "\n")


def start(place):
    process = spawn(
        ["ip", "netns", "exec", place.netns, "dnsmasq", "--keep-in-foreground",
         f"--conf-file={place.run}/dnsmasq.conf", "--no-resolv", "--no-hosts", "--all-servers",
         "--bind-interfaces", f"--listen-address={network.DNS_ADDRESS}", "--cache-size=0", "--user=root",
         "--pid-file="], place.run / "dnsmasq.log")
    if process.poll() is not None:
        raise LabError(f"dnsmasq did not start: {place.run}/dnsmasq.log")

