"""Phases 1, 2 and 5 against the fleet as it is found: each of its mistakes is named, and the plan repairs it."""

import time

import pytest
from conftest import LYNC
from test_checks import findings, of


@pytest.fixture(scope="module", autouse=True)
def topology(stage):
    """What only a Lync shell tells comes later than the rest: a shell takes its time to start."""
    stage.wait_shells()


def about(found, check, target):
    matching = [f for f in of(found, check) if target in f["target"]]
    assert len(matching) == 1, (check, target, matching)
    return matching[0]


def test_certificates_as_found(stage):
    found = findings(stage, "--phase", "certificates")
    expected = [
        ("certificates/subject", "combx1.contoso.test", "pass"),
        ("certificates/self-signed", "combx2.contoso.test MSExchangeUM", "fail"),
        ("certificates/expiry", "coum10.contoso.test", "warn"),
        ("certificates/subject", "faum16.fabrikam.test MSExchangeUM", "fail"),
        ("certificates/startup-mode", "faum07.fabrikam.test", "not_applicable"),
        ("certificates/chosen", "faum07.fabrikam.test", "pass"),
        ("certificates/startup-mode", "faum10.fabrikam.test", "fail"),
        ("certificates/pool-root", "combx1.contoso.test trusts lyfe1.lync.test", "pass"),
        ("certificates/um-root", "lyfe1.lync.test trusts combx1.contoso.test", "pass"),
        ("certificates/um-root", "lyfe1.lync.test trusts combx2.contoso.test", "fail"),
    ]
    for check, target, status in expected:
        matching = [f for f in of(found, check) if f["target"].startswith(target)]
        assert matching and {f["status"] for f in matching} == {status}, (check, target, matching)


def test_handshakes(stage):
    """Agents have tried them: what fails says who does not trust whom."""
    end = time.monotonic() + 300
    while True:  # the first reading of the forests tells the agents whom to try
        found = findings(stage, "--phase", "certificates")
        good = about(found, "certificates/tls-from-lync", "lyfe1.lync.test -> combx1.contoso.test:5063")
        refused = about(found, "certificates/tls-from-lync", "lyfe1.lync.test -> faum16.fabrikam.test:5063")
        if "unknown" not in (good["status"], refused["status"]) or time.monotonic() > end:
            break
        time.sleep(2)
    assert good["status"] == "pass", good
    assert refused["status"] == "fail" and "does not trust faum16.fabrikam.test" in refused["actual"], refused


def test_servers_as_found(stage):
    found = findings(stage, "--phase", "um-servers")
    assert about(found, "um-servers/newer-linked", "combx1.contoso.test")["status"] == "pass"
    assert about(found, "um-servers/newer-linked", "combx2.contoso.test MSExchangeUMCR")["status"] == "fail"
    assert about(found, "um-servers/newer-linked", "faum16.fabrikam.test MSExchangeUMCR")["status"] == "fail"
    assert about(found, "um-servers/legacy-linked", "coum10.contoso.test")["status"] == "warn"
    assert about(found, "um-servers/startup-mode", "faum10.fabrikam.test")["status"] == "fail"
    assert about(found, "um-servers/listeners", "combx1.contoso.test")["status"] == "pass"
    assert about(found, "um-servers/one-version", "CN=Munich-SIP")["status"] == "warn"


def test_one_plan_restarts_once(stage):
    made = stage.umx(LYNC, "plan", "create", "once", "--phase", "certificates", "--phase", "um-servers", "--phase",
                     "exchucutil", "--pair", "contoso.test:lync.test")
    assert made.code == 0, made
    plan = stage.umx(LYNC, "plan", "show", "once").json
    steps = plan["steps"]
    restarts = [s for s in steps if s["summary"].startswith(("restart ", "drain and restart "))]
    services = [s["summary"] for s in restarts]
    assert len(services) == len(set(services)), services
    assert any("MSExchangeUMCR on combx2.contoso.test" in s for s in services), services
    assert any("Front End lyfe1.lync.test" in s for s in services), services
    assert [s for s in steps if s["kind"] == "gate" and "issues the certificate for combx2" in s["summary"]]
    assert not [s for s in steps if s["kind"] == "gate" and "combx1" in s["summary"]]
    assert stage.umx(LYNC, "plan", "delete", "once").json["name"] == "once"
