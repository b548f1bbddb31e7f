"""Checks of phases 1 and 7 against real trusts, and what faults make of them."""

import time

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
    assert of(found, "forests/trust-proof", status="pass")


def test_every_finding_is_complete(stage):
    for finding in findings(stage):
        assert finding["id"] and finding["phase"] and finding["status"] and finding["expected"] is not None, finding
        if finding["status"] in ("fail", "warn", "unknown"):
            assert finding["remedy"], finding


def test_exchucutil_not_done(stage):
    found = findings(stage, "--phase", "exchucutil")
    assert [f for f in found if f["status"] == "fail"]
    state = stage.umx(LYNC, "status").json["pairs"]
    assert {p["exchange"] for p in state} == {"contoso.test", "fabrikam.test"}
    for pair in state:
        phase = next(p for p in pair["phases"] if p["slug"] == "exchucutil")
        assert phase["state"] in ("missing", "partial")


def test_broken_secret_is_found_by_the_live_proof_alone(stage, fault):
    fault("trust-secret-gone", "contoso.test", "lync.test")
    found = findings(stage, "--phase", "forests")
    assert of(found, "forests/trust-proof", status="fail"), of(found, "forests/trust-proof")
    directory = [f for f in found if f["id"] in ("forests/trust-exchange-side", "forests/trust-lync-side",
                                                 "forests/trust-direction", "forests/trust-attributes")
                 and f["exchange"] == "contoso.test"]
    assert [f for f in directory if f["status"] == "fail"] == []


def test_disabled_suffix(stage, fault):
    fault("suffix-disabled", "contoso.test", "lync.test")
    found = findings(stage, "--phase", "forests")
    assert [f for f in found if f["spec"] == "V1B.9" and f["status"] == "fail" and f["exchange"] == "contoso.test"]


def test_one_way(stage, fault):
    fault("trust-direction", "contoso.test", "lync.test", "1")
    found = findings(stage, "--phase", "forests")
    assert [f for f in found if f["spec"] in ("V1B.2", "V1B.3") and f["status"] == "fail"
            and f["exchange"] == "contoso.test"]


def test_unreachable_forest_is_named_and_the_others_answer(stage, fault):
    fault("stop-dc", stage.lab["forests"]["fabrikam.test"]["domain_controllers"][0]["fqdn"])
    started = time.monotonic()
    answer = stage.umx(LYNC, "check")
    assert time.monotonic() - started < 60
    assert answer.code in (1, 4), answer
    assert "fabrikam.test" in answer.err
    found = answer.json["findings"]
    assert {f["status"] for f in found if f["exchange"] == "fabrikam.test"} <= {"unknown", "not_applicable"}
    assert [f for f in found if f["exchange"] == "contoso.test" and f["status"] == "pass"]


def test_offline_check_of_a_snapshot_says_the_same(stage):
    path = stage.home / "world.umx"
    answer = stage.umx(LYNC, "snapshot", "save", path)
    assert answer.code == 0, answer
    offline = stage.run(stage.build / "umx", "-o", "json", "check", "--snapshot", path)
    assert offline.code in (0, 1), offline
    live = findings(stage)
    def key(finding):
        return (finding["id"], finding["target"], finding["exchange"], finding["lync"], finding["status"])
    assert sorted(map(key, offline.json["findings"]), key=str) == sorted(map(key, live), key=str)
