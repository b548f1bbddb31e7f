"""Checks of phases 1 and 7 against real trusts, and what faults make of them."""

import html
import time

import pytest
from conftest import LYNC


def findings(stage, *arguments, code=None):
    answer = stage.umx(LYNC, "check", *arguments)
    assert answer.code in (0, 1, 4) if code is None else answer.code == code, answer
    return answer.json["findings"]


def of(found, check, **fields):
    return [f for f in found if f["id"] == check and all(f[k] == v for k, v in fields.items())]


def test_healthy_trusts(stage):
    found = findings(stage, "--phase", "forests")
    bad = [f for f in found if f["status"] == "fail" and f["id"].startswith("forests/trust")]
    assert bad == []
    live = of(found, "forests/trust-live")
    assert len(live) == 4 and {f["status"] for f in live} == {"pass"}


def test_every_finding_is_complete(stage):
    for finding in findings(stage):
        assert finding["id"] and finding["phase"] and finding["status"] and finding["target"], finding
        assert finding["actual"], finding
        if finding["status"] in ("fail", "warn", "unknown"):
            assert finding["expected"] and finding["remedy"], finding


def test_page_of_all_findings(stage):
    page = stage.home / "findings.html"
    answer = stage.umx(LYNC, "check", "--phase", "exchucutil", "--html", "--out", page, json=False)
    assert answer.code == 1 and answer.out == "", answer  # something failed, as without the page
    text = page.read_text()
    found = findings(stage, "--phase", "exchucutil")
    assert text.count("<tr><td>") == len(found) + 1  # and the state of the phase
    assert all(f["target"] in html.unescape(text) for f in found)
    assert stage.umx(LYNC, "check", "--out", page).code == 2


def test_exchucutil_not_done(stage):
    found = findings(stage, "--phase", "exchucutil")
    assert [f for f in found if f["status"] == "fail"]
    state = stage.umx(LYNC, "status").json["pairs"]
    assert {p["exchange"] for p in state} == {"contoso.test", "fabrikam.test"}
    for pair in state:
        phase = next(p for p in pair["phases"] if p["slug"] == "exchucutil")
        assert phase["state"] in ("missing", "partial")


def of_pair(found, exchange):
    return [f for f in found if f["exchange"] == exchange]


def assert_others_are_well(found):
    """The other pair has nothing to do with the fault."""
    other = of_pair(found, "fabrikam.test")
    assert {f["status"] for f in of(other, "forests/trust-live")} == {"pass"}
    assert [f for f in other if f["status"] == "fail" and f["id"] in TRUST] == []


TRUST = ("forests/trust-direction", "forests/trust-inbound", "forests/trust-agreement", "forests/trust-both-ways",
         "forests/trust-kind", "forests/trust-quarantine", "forests/trust-selective", "forests/trust-sid",
         "forests/trust-suffixes")


def test_agents_prove_names_and_groups_over_the_trust(stage):
    """V1B.10 and V1B.11: an Exchange server finds the Lync forest in DNS and a Lync group by its SID, for real."""
    end = time.monotonic() + 240
    while time.monotonic() < end:
        found = findings(stage, "--phase", "forests")
        proofs = of(found, "forests/sid-lookup") + of(found, "forests/dns")
        if {f["status"] for f in proofs} == {"pass"}:
            break
        time.sleep(1)
    assert len(proofs) == 6 and {f["status"] for f in proofs} == {"pass"}, "\n".join(map(str, proofs))
    group = of(found, "forests/sid-lookup", exchange="contoso.test")[0]
    assert "contoso.test" in group["actual"] and "RTCUniversalServerAdmins" in group["actual"]


def test_broken_secret_is_found_by_the_live_proof_alone(stage, fault):
    fault("trust-secret-gone", "contoso.test", "lync.test")
    found = findings(stage, "--phase", "forests", code=1)
    pair = of_pair(found, "contoso.test")
    failed = [f for f in of(pair, "forests/trust-live") if f["status"] == "fail"]
    assert failed and all("netdom" in f["remedy"] and "/reset" in f["remedy"] for f in failed), pair
    assert [f for f in pair if f["id"] in TRUST and f["status"] != "pass"] == []
    assert_others_are_well(found)


def test_disabled_suffix(stage, fault):
    fault("suffix-disabled", "contoso.test", "lync.test")
    found = findings(stage, "--phase", "forests", code=1)
    failed = [f for f in of_pair(found, "contoso.test") if f["status"] == "fail" and f["id"] in TRUST]
    assert [f["id"] for f in failed] == ["forests/trust-suffixes"]
    assert failed[0]["spec"] == "V1B.9" and "lync.test: disabled" in failed[0]["actual"]
    assert_others_are_well(found)


def test_one_way(stage, fault):
    """Exchange does not trust Lync any more: the very direction that the table asks for."""
    fault("trust-direction", "contoso.test", "lync.test", "1")
    found = findings(stage, "--phase", "forests", code=1)
    pair = of_pair(found, "contoso.test")
    assert of(pair, "forests/trust-direction", status="fail")[0]["actual"] == "inbound only (1)"
    assert of(pair, "forests/trust-inbound", status="pass")
    assert of(pair, "forests/trust-agreement", status="fail")
    assert of(pair, "forests/trust-both-ways", status="warn")
    assert of(pair, "forests/trust-live", status="fail", target="lync.test -> contoso.test")
    assert_others_are_well(found)
    strict = findings(stage, "--phase", "forests", "--set", "forests.trust=strict", code=1)
    assert of(of_pair(strict, "contoso.test"), "forests/trust-both-ways", status="fail")


def test_deleted_trust(stage, fault):
    fault("trust-deleted", "contoso.test", "lync.test")
    found = findings(stage, "--phase", "forests", code=1)
    pair = of_pair(found, "contoso.test")
    assert of(pair, "forests/trust-direction", status="fail")[0]["actual"] == "no trust object"
    assert of(pair, "forests/trust-agreement", status="fail")
    assert of(pair, "forests/trust-live", status="fail", target="lync.test -> contoso.test")
    assert of(pair, "forests/trust-inbound", status="pass")
    assert_others_are_well(found)


def test_trusts_are_mended(stage):
    """What the tests above broke is whole again: they failed for their faults."""
    found = findings(stage, "--phase", "forests")
    assert {f["status"] for f in found if f["id"] in TRUST or f["id"] == "forests/trust-live"} == {"pass"}


def test_clock_that_is_15_minutes_ahead(stage, fault):
    """Kerberos refuses the logon there, unless the ticket came from the same wrong clock; the clock is found in any case."""
    fault("clock-skew", first_dc(stage, "lync.test"), "900")
    answer = stage.umx(LYNC, "check", "--phase", "forests")
    assert answer.code == 1, answer
    clocks = of(answer.json["findings"], "forests/clock")
    assert [f["status"] for f in clocks] == ["fail", "fail"], clocks
    for clock in clocks:
        assert 890 <= int(clock["actual"].split()[0]) <= 910 and first_dc(stage, "lync.test") in clock["target"]


def first_dc(stage, forest):
    return stage.lab["forests"][forest]["domain_controllers"][0]["fqdn"]


@pytest.mark.parametrize("name", ["stop-dc", "unreachable"])
def test_lost_forest_is_named_and_the_others_answer(stage, fault, name):
    fault(name, first_dc(stage, "fabrikam.test"))
    answer = stage.umx(LYNC, "check")
    assert answer.seconds < 60
    assert answer.code in (1, 4), answer
    assert "fabrikam.test" in answer.err and "UMX-12" in answer.err
    found = answer.json["findings"]
    assert {f["status"] for f in found if f["exchange"] == "fabrikam.test"} <= {"unknown", "not_applicable"}
    assert [f for f in found if f["exchange"] == "contoso.test" and f["status"] == "pass"]
    # What was known stays known, with its time.
    plans = stage.umx(LYNC, "query", "SELECT forest, collected_at FROM dial_plan WHERE forest = 'fabrikam.test'")
    assert plans.json["rows"] and all(r["collected_at"] for r in plans.json["rows"])


def test_second_domain_controller_answers_for_the_first(stage, fault):
    first, second = (d["fqdn"] for d in stage.lab["forests"]["contoso.test"]["domain_controllers"])
    read_from = "SELECT domain_controller, error FROM forest WHERE forest = 'contoso.test'"
    stage.umx(LYNC, "check")
    assert stage.umx(LYNC, "query", read_from).json["rows"][0]["domain_controller"] == first
    fault("stop-dc", first)
    answer = stage.umx(LYNC, "check")
    assert answer.code in (0, 1) and "contoso.test" not in answer.err, answer
    row = stage.umx(LYNC, "query", read_from).json["rows"][0]
    assert row["domain_controller"] == second and not row["error"]
    pair = of_pair(answer.json["findings"], "contoso.test")
    assert {f["status"] for f in of(pair, "forests/trust-direction")} == {"pass"}


def test_offline_check_of_a_snapshot_says_the_same(stage):
    """Compared while the world stands still: agents repeat their proofs, so what is found live must be the same before and after."""
    path = stage.home / "world.umx"
    def key(finding):
        return (finding["id"], finding["target"], finding["exchange"], finding["lync"], finding["status"])
    def live():
        return sorted(map(key, findings(stage)), key=str)
    until = time.monotonic() + 240
    before, after = None, live()
    while before != after:
        assert time.monotonic() < until, "the fleet's findings did not come to rest"
        before = after
        answer = stage.umx(LYNC, "snapshot", "save", path)
        assert answer.code == 0, answer
        after = live()
    offline = stage.run(stage.build / "umx", "-o", "json", "check", "--snapshot", path)
    assert offline.code in (0, 1), offline
    assert sorted(map(key, offline.json["findings"]), key=str) == after


def test_a_template_says_what_could_not_be_read(stage):
    """A reader that sees nothing but what everybody sees: no plan is there for it, and that is not taken for all."""
    nobody = stage.lab["forests"]["contoso.test"]["operators"]["ned.nobody"]
    words = "plan", "template", "--phase", "dial-plans", "--pair", "contoso.test:lync.test"
    assert stage.umx(LYNC, *words).code == 0
    stage.controller.stop()
    stage.write_config(**{"contoso.test.reader": nobody["principal"], "contoso.test.reader_keytab": nobody["keytab"]})
    try:
        stage.start_controller()
        answer = stage.umx(LYNC, *words)
        assert answer.code == 4, answer
        said = [line for line in answer.err.splitlines() if "UMX-1309" in line]
        assert any("contoso.test" in line and "dial_plan" in line for line in said), answer.err
    finally:
        stage.controller.stop()
        stage.write_config()
        stage.start_controller()


def test_refused_logon_names_the_forest_and_the_others_answer(stage):
    """A keytab of another account: the domain controller refuses, and says so for this forest alone."""
    stage.controller.stop()
    stage.write_config(**{"fabrikam.test.reader_keytab": stage.lab["forests"]["lync.test"]["reader"]["keytab"]})
    try:
        stage.start_controller()
        answer = stage.umx(LYNC, "check", "--phase", "forests")
        assert answer.code == 4, answer
        refused = [line for line in answer.err.splitlines() if "UMX-1202" in line]
        assert refused and all("fabrikam.test" in line for line in refused), answer.err
        found = answer.json["findings"]
        assert {f["status"] for f in of_pair(found, "fabrikam.test")} <= {"unknown", "not_applicable", "pass"}
        assert {f["status"] for f in of(of_pair(found, "contoso.test"), "forests/trust-live")} == {"pass"}
    finally:
        stage.controller.stop()
        stage.write_config()
        stage.start_controller()
