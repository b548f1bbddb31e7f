"""What `umx-agent --install` leaves in Windows' registry and service manager, what `--uninstall` takes away again, and the
commands an administrator has: --check-config with group policy, --store-shell-password."""

import re
import subprocess
import xml.etree.ElementTree as xml

import pytest

from stage.wine import PROGRAMS, ROOT, WINE, forget_agent, need, prefix_is_busy, service_state, windows_path, wine

need()

AGENT = PROGRAMS / "umx-agent.exe"
EVENTS = r"HKLM\SYSTEM\CurrentControlSet\Services\EventLog\Application\umx-agent"
UPDATER = r"HKLM\SYSTEM\CurrentControlSet\Services\umx-agent-update"
POLICY = r"HKLM\SOFTWARE\Policies\umx\Agent"
USAGE = 2


@pytest.fixture
def config(tmp_path):
    with prefix_is_busy():
        home = tmp_path / "umx agent"
        home.mkdir()
        path = home / "agent.ini"
        path.write_text("[agent]\ncontroller = localhost:7443\nidentity = C:\\none.pem\nrefused_wait = 7\n"
                        f"shell_account = CONTOSO\\umx-shell\nshell_password_file = {windows_path(home / 'shell.password')}\n")
        yield path
        forget_agent()


def values(key):
    """The values of a key of the registry; None: there is no such key."""
    done = wine("reg", "query", key, check=False)
    if done.returncode != 0:
        return None
    rows = [line.split(None, 2) for line in done.stdout.splitlines() if line.startswith("    ")]
    return {row[0]: row[2] if len(row) > 2 else "" for row in rows}


def test_events_and_updater_are_registered_and_removed(config):
    wine(AGENT, "--install", "--config", windows_path(config))
    events = values(EVENTS)
    assert events["EventMessageFile"].lower().endswith(r"\umx-agent.exe") and events["TypesSupported"] == "0x7"
    service = values(UPDATER)
    assert service["ImagePath"] == f'"{windows_path(AGENT)}" --update-service --config "{windows_path(config)}"'
    assert service["ObjectName"] == "LocalSystem" and service["Start"] == "0x3"  # on demand
    wine(AGENT, "--install", "--config", windows_path(config))  # an upgrade
    assert values(UPDATER) == service and values(EVENTS) == events
    wine(AGENT, "--uninstall")
    assert values(EVENTS) is None and service_state("umx-agent-update") is None and service_state() is None


def check(config):
    done = wine(AGENT, "--check-config", "--config", windows_path(config), check=False)
    return done.returncode, dict(line.split(" = ", 1) for line in done.stdout.splitlines()), done.stderr


def test_policy_is_shown_and_a_wrong_one_is_named(config):
    try:
        code, before, _ = check(config)
        assert (code, before["controller"], before["refused_wait"], before["longest_wait"]) == (
            0, "localhost:7443 ; file", "7 ; file", "60 ; default")
        wine("reg", "add", POLICY, "/v", "controller", "/d", "umx.corp.test:7443", "/f", "/reg:64")
        wine("reg", "add", POLICY, "/v", "longest_wait", "/t", "REG_DWORD", "/d", "90", "/f", "/reg:64")
        code, after, _ = check(config)
        assert (code, after["controller"], after["longest_wait"]) == (0, "umx.corp.test:7443 ; policy", "90 ; policy")
        assert {k: v for k, v in after.items() if k not in ("controller", "longest_wait")} == {
            k: v for k, v in before.items() if k not in ("controller", "longest_wait")}
        wine("reg", "add", POLICY, "/v", "identity", "/d", r"C:\another.pem", "/f", "/reg:64")
        code, _, error = check(config)
        assert code == USAGE and "UMX-1013" in error and r"Policies\umx\Agent" in error and "identity" in error
    finally:
        wine("reg", "delete", POLICY, "/f", "/reg:64", check=False)


def test_what_the_template_offers_is_what_a_policy_may_set(config):
    """Each value of packaging/windows/policy, as the editor of group policy would write it, and no other."""
    space = "{http://schemas.microsoft.com/GroupPolicy/2006/07/PolicyDefinitions}"
    folder = ROOT / "packaging/windows/policy"
    offered = xml.parse(folder / "umx-agent.admx").getroot()
    texts = xml.parse(folder / "en-US/umx-agent.adml").getroot()
    ids = {e.get("id") for e in texts.iter() if e.tag in (space + "string", space + "presentation")}
    used = {m for e in offered.iter() for v in e.attrib.values() for m in re.findall(r"\$\((?:string|presentation)\.(\w+)\)", v)}
    assert used <= ids
    try:
        for policy in offered.iter(space + "policy"):
            assert POLICY == "HKLM\\" + policy.get("key")
            (element,) = policy.find(space + "elements")
            if element.tag == space + "decimal":
                kind, value = "REG_DWORD", element.get("minValue")
            else:
                kind, value = "REG_SZ", {"controller": "a.test:1", "shell_account": "A\\b$"}.get(policy.get("name"), "C:\\x")
            wine("reg", "add", POLICY, "/v", element.get("valueName"), "/t", kind, "/d", value, "/f", "/reg:64")
        code, shown, error = check(config)
        assert code == 0, error
        names = {e.get("valueName") for e in offered.iter() if e.get("valueName")}
        assert {name for name, value in shown.items() if value.endswith("; policy")} == names
        for name in set(shown) - names:
            wine("reg", "add", POLICY, "/v", name, "/d", "1", "/f", "/reg:64")
            code, _, error = check(config)
            assert code == USAGE and name in error
            wine("reg", "delete", POLICY, "/v", name, "/f", "/reg:64")
    finally:
        wine("reg", "delete", POLICY, "/f", "/reg:64", check=False)


def store(config, password):
    return subprocess.run([WINE, AGENT, "--store-shell-password", "--config", windows_path(config)], input=password,
                          capture_output=True, timeout=120)


def test_the_shell_password_is_taken_from_standard_input_and_not_shown(config):
    secret = "Tr\u00e4um \u0416 %PATH% $x"
    done = store(config, secret.encode() + b"\r\n")
    assert done.returncode == 0, done
    said = done.stdout.decode() + done.stderr.decode(errors="replace")
    assert "CONTOSO\\umx-shell" in said and secret not in said
    kept = (config.parent / "shell.password").read_bytes()
    assert kept.startswith(b"umx-dpapi 1\n")
    assert secret.encode() not in kept and secret.encode("utf-16-le") not in kept
    assert not (config.parent / "shell.password.new").exists()
    for bad in (b"", b"\n", b"\xff\n", b"x" * 300 + b"\n"):
        assert store(config, bad).returncode == USAGE, bad
    assert (config.parent / "shell.password").read_bytes() == kept
    config.write_text("[agent]\ncontroller = localhost:7443\nidentity = C:\\none.pem\n")
    assert store(config, b"x\n").returncode == USAGE
