#!/usr/bin/python3
"""dump.py LAB FOREST... - the forests as JSON, {FOREST: {DN: {attribute: [values]}}}, without what changes by itself. Of access
lists the entries that are an object's own: inherited ones follow from those above, and their order is the server's."""

import base64
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from samba.dcerpc import security
from samba.ndr import ndr_unpack

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from stage.stage import OF_AN_OBJECT, Stage  # noqa: E402


def own_entries(value):
    descriptor = ndr_unpack(security.descriptor, base64.b64decode(value.removeprefix("base64:")))
    aces = descriptor.dacl.aces if descriptor.dacl else []
    return sorted({f"{ace.type} {ace.flags} {ace.access_mask} {ace.trustee} {getattr(ace.object, 'type', '')}" for ace in aces
                   if not ace.flags & security.SEC_ACE_FLAG_INHERITED_ACE})


def plain(entry):
    return {name: own_entries(values[0]) if name == "nTSecurityDescriptor" else values
            for name, values in entry.items() if name not in OF_AN_OBJECT}


stage = Stage(sys.argv[1])
with ThreadPoolExecutor() as pool:
    dumps = dict(zip(sys.argv[2:], pool.map(stage.dump, sys.argv[2:])))
json.dump({forest: {dn: plain(entry) for dn, entry in dump.items()} for forest, dump in dumps.items()}, sys.stdout,
          sort_keys=True)
