"""Agents and the fleet: what they report, staleness, reconnection, graceful stop."""

import json
import signal
import time

import pytest
from conftest import LYNC
from plans import approve, create, finish, start, undo


DIRECTOR = "dir1.lync.test"


def rows(stage, sql):
    answer = stage.umx(LYNC, "query", sql)
    assert answer.code == 0, answer
    return answer.json["rows"]


def test_every_recorded_server_reports(stage):
    agents = stage.umx(LYNC, "agents").json["agents"]
    assert {a["server"] for a in agents} == {s["fqdn"] for s in stage.lab["servers"]}
    assert {a["state"] for a in agents} == {"connected"}
    assert len(agents) >= 8
    for table in ("server", "service", "certificate", "listener"):
        told = rows(stage, f"SELECT DISTINCT server FROM {table} WHERE source LIKE 'umx://lab/agent/%'")
        seen = {r["server"] for r in told}
        assert seen == {s["fqdn"] for s in stage.lab["servers"]}, table


def test_facts_without_a_controller_are_what_is_reported(stage):
    server = stage.lab["servers"][0]
    answer = stage.run(stage.build / "umx-agent", "facts", "--host", f"recorded:{server['host_dir']}")
    assert answer.code == 0, answer
    facts = json.loads(answer.out)
    reported = rows(stage, f"SELECT name, state, started_at FROM service WHERE server = '{server['fqdn']}' ORDER BY name")
    assert sorted(((s["name"], s["state"], s["started_at"]) for s in facts["service"])) == \
        [(r["name"], r["state"], r["started_at"]) for r in reported]
    assert reported


def test_rows_say_who_and_when(stage):
    """The deployment's own certificates are the controller's word, all others an agent's."""
    found = rows(stage, "SELECT store, source, collected_at FROM certificate")
    assert found and all(r["collected_at"] for r in found)
    own = [r for r in found if not r["source"].startswith("umx://lab/agent/")]
    assert {r["store"] for r in own} == {"umx-root", "umx-intermediate", "umx-controller"}, own


def read_tests(stage, wanted, timeout=180):
    """What every Front End says of its own reading of contoso's dial plans (V7.7), once all say what is wanted. The
    Director is none: it homes nobody and is in no group that is granted anything."""
    servers = {s["fqdn"] for s in stage.lab["servers"] if s["forest"] == "lync.test"} - {DIRECTOR}
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        found = rows(stage, "SELECT server, identity, status, objects, detail FROM proof WHERE kind = 'directory' "
                            f"AND server LIKE '%.lync.test' AND server <> '{DIRECTOR}' "
                            "AND target_forest = 'contoso.test'")
        if {r["server"] for r in found} == servers and {r["status"] for r in found} == {wanted}:
            return found
        time.sleep(1)
    raise AssertionError(found)


def read_finding(stage):
    found = stage.umx(LYNC, "check", "--phase", "exchucutil").json["findings"]
    return {f["status"] for f in found if f["spec"] == "V7.7" and f["exchange"] == "contoso.test"}


def test_read_test_passes_only_between_the_plan_and_its_undo(stage):
    """V7.7: the Front Ends' machine accounts list the dial plans of an Exchange forest when it has granted it."""
    stage.umx(LYNC, "check")
    assert all(r["identity"].upper().endswith("$@LYNC.TEST") for r in read_tests(stage, "fail"))
    assert "pass" not in read_finding(stage)
    plan = create(stage, "grants", pair="contoso.test:lync.test")
    assert [s for s in plan["steps"] if s["kind"] == "access"]
    approve(stage, "grants")
    start(stage, "grants")
    assert finish(stage, "grants")["state"] == "completed"
    assert all(r["objects"] > 0 for r in read_tests(stage, "pass"))
    assert read_finding(stage) == {"pass"}
    undo(stage, "grants")
    read_tests(stage, "fail")
    assert "pass" not in read_finding(stage)


def test_group_of_the_other_forest_is_found_by_its_sid(stage):
    """V1B.11, from every Exchange server that has a machine account in its own forest."""
    found = rows(stage, "SELECT server, identity, status, detail FROM proof WHERE kind = 'sid' "
                        "AND target_forest = 'lync.test' AND server NOT LIKE '%.lync.test'")
    assert {r["server"] for r in found} == {s["fqdn"] for s in stage.lab["servers"] if s["forest"] != "lync.test"}
    assert {(r["status"], r["detail"]) for r in found} == {("pass", "RTCUniversalServerAdmins")}, found


def test_a_killed_agent_goes_silent_and_its_rows_stay(stage):
    fqdn = stage.lab["servers"][-1]["fqdn"]
    before = rows(stage, f"SELECT count(*) AS n FROM service WHERE server = '{fqdn}'")
    stage.agents[fqdn].stop(signal.SIGKILL)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        agent = next(a for a in stage.umx(LYNC, "agents").json["agents"] if a["server"] == fqdn)
        if agent["state"] == "silent":
            break
        time.sleep(0.2)
    assert agent["state"] == "silent" and agent["reason"]
    assert rows(stage, f"SELECT count(*) AS n FROM service WHERE server = '{fqdn}'") == before
    stage.start_agent(next(s for s in stage.lab["servers"] if s["fqdn"] == fqdn))
    while time.monotonic() < end + 20:
        agent = next(a for a in stage.umx(LYNC, "agents").json["agents"] if a["server"] == fqdn)
        if agent["state"] == "connected":
            break
        time.sleep(0.2)
    assert agent["state"] == "connected"


def test_agents_come_back_after_a_controller_restart(stage):
    assert stage.controller.stop() == 0
    stage.start_controller()
    end = time.monotonic() + 60
    while time.monotonic() < end:
        states = {a["state"] for a in stage.umx(LYNC, "agents").json["agents"]}
        if states == {"connected"}:
            break
        time.sleep(0.5)
    assert states == {"connected"}
    assert rows(stage, "SELECT count(*) AS n FROM service")[0]["n"] > 0


def test_a_change_is_reported_within_seconds(stage):
    """A service stops on the recorded host: the controller knows within 5 s, and a little for this machine's load."""
    server = stage.lab["servers"][0]
    path = f"{server['host_dir']}/services.json"
    with open(path, encoding="utf-8") as source:
        services = json.load(source)
    changed = [{**s, "state": "stopped", "process_id": None, "started_at": None} if i == 0 else s
               for i, s in enumerate(services)]
    name = services[0]["name"]
    sql = f"SELECT state FROM service WHERE server = '{server['fqdn']}' AND name = '{name}'"
    with open(path, "w", encoding="utf-8") as out:
        json.dump(changed, out)
    try:
        started = time.monotonic()
        while time.monotonic() < started + 12 and rows(stage, sql) != [{"state": "stopped"}]:
            time.sleep(0.2)
        assert rows(stage, sql) == [{"state": "stopped"}]
    finally:
        with open(path, "w", encoding="utf-8") as out:
            json.dump(services, out)


@pytest.mark.parametrize("sql, error", [
    ("DELETE FROM service", "UMX-1504"),  # what is seen is a view: nothing to delete from
    ("DELETE FROM _service", "UMX-1505"),
    ("ATTACH '/tmp/x' AS x", "UMX-1505"),
    ("PRAGMA journal_mode", "UMX-1505"),
    ("SELECT hex(zeroblob(1000000000))", "UMX-1505"),
    ("SELECT load_extension('/tmp/x')", "UMX-1505"),
    ("SELECT sql FROM sqlite_master", "UMX-1505"),
    ("SELECT replace(hex(printf('%.*c', 60000, 'x')), '78', hex(printf('%.*c', 60000, 'y')))", "UMX-1506"),
    ("SELECT * FROM nothing", "UMX-1504"),
    ("SELEKT 1", "UMX-1504"),
    ("WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM t) SELECT max(x) FROM t", "UMX-1506"),
])
def test_queries_that_are_refused(stage, sql, error):
    answer = stage.umx(LYNC, "query", "--timeout", "3", sql)
    assert answer.code != 0 and answer.error == error, answer
    assert stage.umx(LYNC, "query", "SELECT 1 AS one").json["rows"] == [{"one": 1}]
