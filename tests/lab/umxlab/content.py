"""Everything that is put into a forest between provisioning and the first start."""

import json
import secrets

from . import accounts, controllers, exchange, lync, people
from .place import SOURCE

SCHEMA = SOURCE / "schema/um-lync-schema.ldif"


def extend_schema(place, forest):
    _populate(place, forest, "schema", {"schema": str(SCHEMA)})


def fill(place, forest, thumbprints, mailbox_sids):
    """Accounts, products, people; returns {account: SID}."""
    passwords = _passwords(place, forest)
    entries = [*accounts.entries(forest, passwords)]
    if forest.exchange:
        entries += exchange.entries(forest, thumbprints)
    if forest.lync:
        entries += [*lync.entries(forest), *lync.contacts(forest)]
    entries += people.entries(forest, mailbox_sids)
    return _populate(place, forest, "content", {"entries": entries, "keytabs": _keytabs(place, forest)})


def keytab(place, forest, role):
    return place.keytabs / f"{role}.{forest.name}.keytab"


def server_keytab(place, server):
    return place.keytabs / f"{server['fqdn']}.keytab"


def sids(place, forest):
    """{account: SID} of a forest that has been filled."""
    return json.loads((place.build / f"{forest.name}.sids.json").read_text())


def _keytabs(place, forest):
    wanted = {f"umx-{role}": keytab(place, forest, role) for role in ("reader", "writer")}
    wanted[accounts.LOGIN_SERVICE] = keytab(place, forest, "login")
    wanted |= {name: keytab(place, forest, name) for name in accounts.operators(forest)}
    wanted |= {accounts.machine_name(server): server_keytab(place, server)
               for _, server in forest.servers() if server.get("recorded")}
    return {account: str(path) for account, path in wanted.items()}


def _passwords(place, forest):
    """New passwords; those that a test may need are kept in files."""
    passwords = {}
    for account in (*accounts.SERVICES, *accounts.operators(forest)):
        passwords[account] = new_password()
        name = account.removeprefix("umx-") if account in accounts.SERVICES else account
        write_secret(place, f"{name}.{forest.name}", passwords[account])
    passwords[accounts.LOGIN] = new_password()
    for _, server in forest.servers():
        passwords[accounts.machine_name(server)] = new_password()
    return passwords


def new_password():
    return f"Lab-{secrets.token_urlsafe(18)}"


def write_secret(place, name, text):
    path = place.secrets / name
    path.touch(0o600)
    path.write_text(text)


def _populate(place, forest, name, work):
    base = place.build / f"{forest.name}.{name}.json"
    work["sids"] = str(place.build / f"{forest.name}.sids.json")
    base.touch(0o600)
    base.write_text(json.dumps(work))
    program = SOURCE / "umxlab/populate.py"
    controllers.execute(place, forest.first, ["/usr/bin/python3", program, base], 240)
    base.unlink()
    return sids(place, forest)
