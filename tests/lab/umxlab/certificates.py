"""Certificates, made with openssl: the lab's authority, servers and their usual mistakes."""

import tempfile
from pathlib import Path

from .programs import run

_AUTHORITY = """[req]
distinguished_name = dn
prompt = no
x509_extensions = v3
[dn]
CN = {name}
[v3]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
"""

_LEAF = """[req]
distinguished_name = dn
prompt = no
x509_extensions = v3
[dn]
CN = {name}
[v3]
basicConstraints = CA:FALSE
subjectKeyIdentifier = hash
{extensions}
"""

EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
RSA = ["-newkey", "rsa:2048"]


def authority(certificate, key, name, days=3650):
    """A self-signed certificate authority."""
    _request(_AUTHORITY.format(name=name), [*EC, "-days", days, "-keyout", key, "-out", certificate])


def leaf(certificate, key, name, extensions, *, issuer=None, days=365, algorithm=RSA):
    """A certificate for name, signed by issuer (certificate, key) or, without one, by itself."""
    signer = ["-CA", issuer[0], "-CAkey", issuer[1]] if issuer else []
    config = _LEAF.format(name=name, extensions=extensions)
    _request(config, [*algorithm, *signer, "-days", days, "-keyout", key, "-out", certificate])


def server_extensions(names, addresses=()):
    alternatives = [f"DNS:{n}" for n in names] + [f"IP:{a}" for a in addresses]
    return (f"subjectAltName = {','.join(alternatives)}\nkeyUsage = critical,digitalSignature,keyEncipherment\n"
            "extendedKeyUsage = serverAuth,clientAuth")


def thumbprint(certificate):
    """SHA-1 over the certificate, upper-case hexadecimal, as Windows shows it."""
    line = run(["openssl", "x509", "-in", certificate, "-noout", "-fingerprint", "-sha1"], 20).stdout
    return line.partition("=")[2].strip().replace(":", "")


def _request(config, arguments):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "openssl.cnf"
        path.write_text(config)
        run(["openssl", "req", "-x509", "-noenc", "-config", path, *arguments], 60)
