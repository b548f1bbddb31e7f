"""What the lab's authority does for whoever stands at a gate of phase 2."""

import json
import subprocess


def is_asked(plan, step):
    """Whether the gate waits for a certificate; the gates of an undo ask for nothing but a look."""
    return not plan["name"].endswith("-undo") and step["phase"] == "certificates" and "authority issues" in step["summary"]


def values(lab_dir, home, plan, step):
    """Arguments of `umx plan confirm`: the certificate that the authority issues for the plan's request."""
    request = next(s for s in plan["steps"] if s["id"] == step["depends"][0])
    (made,) = json.loads(request["result"])
    return ["--file", f"certificate={sign(lab_dir, home, json.loads(made['detail'])['request'])}"]


def sign(lab_dir, home, request):
    """A web server's certificate for the request; its file."""
    ca = lab_dir / "ca"
    made = subprocess.run(["openssl", "x509", "-req", "-CA", ca / "ca.pem", "-CAkey", ca / "ca.key", "-CAcreateserial", "-days",
                           "700", "-copy_extensions", "copyall"], input=request, text=True, capture_output=True, check=True,
                          cwd=home)
    file = home / "issued.pem"
    file.write_text(made.stdout)
    return file


def stores(lab_dir):
    """{file: text} of the servers' certificates and pending requests."""
    files = [f for kind in ("certificates/**/*.pem", "requests/*") for f in (lab_dir / "hosts").glob(f"*/{kind}")]
    return {str(f): f.read_text() for f in files}
