"""lab.json and the variables: what a test needs to know about a lab."""

import json

from . import accounts, content, engine, network, operators


def write(place, topology):
    place.description.write_text(json.dumps(describe(place, topology), indent=1) + "\n")


def describe(place, topology):
    return {
        "topology": topology.name,
        "netns": place.netns,
        "ca": str(place.ca / "ca.pem"),
        "krb5_conf": str(place.krb5_conf),
        "engine": engine.available(),
        "forests": {forest.name: _forest(place, forest) for forest in topology.forests},
        "servers": [_server(place, forest, product, server) for forest in topology.forests
                    for product, server in forest.servers() if server.get("recorded")],
    }


def _forest(place, forest):
    certificate, key = operators.authority(place, forest)
    sids = content.sids(place, forest)
    return {
        "realm": forest.realm, "netbios": forest.netbios, "side": forest.side,
        "base_dn": forest.base_dn, "config_dn": forest.config_dn,
        "domain_controllers": [{"fqdn": dc.fqdn, "address": dc.address} for dc in forest.controllers],
        "admin": {"user": f"Administrator@{forest.realm}",
                  "password_file": str(place.secrets / f"administrator.{forest.name}")},
        **{role: {"principal": f"umx-{role}@{forest.realm}",
                  "keytab": str(content.keytab(place, forest, role)),
                  "password_file": str(place.secrets / f"{role}.{forest.name}")}
           for role in ("reader", "writer")},
        "login": {"service": accounts.LOGIN_SERVICE, "keytab": str(content.keytab(place, forest, "login"))},
        "operator_ca": {"certificate": str(certificate), "key": str(key)},
        "operators": {user: _operator(place, forest, user, sids[user]) for user in accounts.operators(forest)},
    }


def _operator(place, forest, user, sid):
    certificate, key = operators.files(place, forest, user)
    return {"sid": sid, "principal": f"{user}@{forest.realm}", "certificate": str(certificate), "key": str(key),
            "keytab": str(content.keytab(place, forest, user)),
            "password_file": str(place.secrets / f"{user}.{forest.name}")}


def _server(place, forest, product, server):
    return {
        "fqdn": server["fqdn"], "forest": forest.name, "product": product,
        "version": server.get("version", "5.0.8308.0"), "address": server["address"],
        "host_dir": str(place.hosts / server["fqdn"]),
        "principal": f"{accounts.machine_name(server)}@{forest.realm}",
        "keytab": str(content.server_keytab(place, server)),
    }


def variables(place, topology):
    """{name: value} for `lab env`; the names of forests are upper-case with underscores."""
    found = {**network.client_environment(place), "LAB_NETNS": place.netns, "LAB_TOPOLOGY": topology.name}
    for forest in topology.forests:
        prefix = "LAB_" + forest.name.upper().replace(".", "_").replace("-", "_")
        facts = _forest(place, forest)
        found |= {
            f"{prefix}_URI": f"ldap://{forest.first.fqdn}",
            f"{prefix}_BASE": forest.base_dn,
            f"{prefix}_ADMIN": facts["admin"]["user"],
            f"{prefix}_ADMIN_PASSWORD_FILE": facts["admin"]["password_file"],
            f"{prefix}_READER": facts["reader"]["principal"],
            f"{prefix}_READER_KEYTAB": facts["reader"]["keytab"],
            f"{prefix}_WRITER": facts["writer"]["principal"],
            f"{prefix}_WRITER_KEYTAB": facts["writer"]["keytab"],
            f"{prefix}_OPERATOR_CA": facts["operator_ca"]["certificate"],
        }
    return found
