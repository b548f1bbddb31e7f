"""Directory entries as plain data, ready for populate.py.

An entry is {"dn", "attributes", ...}.  Optional: "password"; "sddl", the whole
descriptor; "aces", entries to add to what the object has.  With "modify" instead of
"attributes", values are added to an object that is there.  In strings, {sid:NAME},
{sid:FOREST/NAME}, {attribute:NAME} and {class:NAME} become SIDs and schema GUIDs once
these exist.
"""

import base64

FULL = "RPWPCRCCDCLCLORCWOWDSDDTSW"
READ = "RPLCLORC"


def escaped(name):
    """A name as the value of an RDN."""
    text = "".join("\\" + c if c in ',+"\\<>;=' else c for c in name)
    return "\\" + text if text.startswith((" ", "#")) else text


def dn(name, parent):
    return f"CN={escaped(name)},{parent}"


def entry(where, classes, attributes=None, **more):
    """An object; attributes without a value are left out."""
    values = {"objectClass": classes if isinstance(classes, list) else [classes]}
    for name, value in (attributes or {}).items():
        listed = value if isinstance(value, list) else [value]
        listed = [_text(v) for v in listed if v is not None]
        if listed:
            values[name] = listed
    return {"dn": where, "attributes": values, **more}


def modify(where, attributes):
    return {"dn": where, "modify": attributes}


def allow(rights, trustee, inherit=True):
    return f"(A;{'CI' if inherit else ''};{rights};;;{trustee})"


def _text(value):
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    return value if isinstance(value, dict) else str(value)
