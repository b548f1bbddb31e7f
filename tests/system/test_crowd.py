"""Many agents: what one of them does to the others, and what a killed controller has promised. No lab is needed."""

import os
import signal
import sqlite3
import subprocess
import time

import pytest

from stage.crowd import ROOT, Crowd

pytestmark = pytest.mark.skipif(not (ROOT / "build/tests/bench-fleet").exists() and "UMX_BUILD" not in os.environ,
                                reason="bench-fleet is built where libnghttp2-dev is")
COUNT = 200


@pytest.fixture
def crowd(tmp_path):
    crowd = Crowd(tmp_path / "crowd", COUNT, port=27443)
    crowd.start_controller()
    crowd.start_agents()
    crowd.tell("loyal 1")
    assert crowd.tell(f"connect {COUNT} 50")["attached"] == COUNT
    yield crowd
    crowd.stop()


def agent(crowd, number):
    rows = crowd.query(f"SELECT * FROM agent WHERE server = 's{number:05}.bench.test'")["rows"]
    assert len(rows) == 1
    return rows[0]


def test_killed_controller_has_what_it_accepted(crowd):
    """SIGKILL in the middle of thousands of updates a second: every report that was accepted is in the file."""
    crowd.send("update 5000 6 1")
    time.sleep(3)
    crowd.controller.send_signal(signal.SIGKILL)
    crowd.controller.wait()
    crowd.receive()
    ledger = crowd.home / "ledger"
    crowd.tell(f"ledger {ledger}")
    state = sqlite3.connect(crowd.home / "data/state.db")
    stored = dict(state.execute("SELECT server, max(process_id) FROM service GROUP BY server"))
    promised = {server: int(generation) for server, generation in map(str.split, ledger.read_text().splitlines())}
    assert len(promised) == COUNT and max(promised.values()) > 2
    assert {s: (stored.get(s), g) for s, g in promised.items() if stored.get(s, 0) < g} == {}
    state.close()
    # And it comes back with them: what is stored is not sent again.
    crowd.start_controller()
    before = crowd.tell("stat")["accepted"]
    assert crowd.tell(f"await {COUNT} 120")["attached"] == COUNT
    assert crowd.query("SELECT count(DISTINCT server) AS n FROM service")["rows"] == [{"n": COUNT}]
    assert crowd.tell("stat")["accepted"] >= before


def test_frozen_agents_cost_little_and_disturb_nobody(crowd):
    crowd.tell("deaf 0 20")
    before = crowd.anonymous()
    for _ in range(3):
        answer = crowd.query("--live", "--timeout", 3, "SELECT count(*) AS n FROM service")
        assert answer["asked"] == COUNT and answer["answered"] == COUNT - 20
        assert {s["agent"] for s in answer["silent"]} == {f"s{n:05}.bench.test" for n in range(20)}
    assert crowd.anonymous() - before < 32 * 1024
    crowd.tell("hear 0 20")


def test_flood_is_held_and_told(crowd):
    crowd.send("flood 7 5 16")
    latencies = []
    for _ in range(5):
        start = time.monotonic()
        crowd.query("SELECT count(*) FROM server")
        latencies.append(time.monotonic() - start)
    said = crowd.receive()
    assert said["lost"] == 0, "the stream stays"
    row = agent(crowd, 7)
    assert row["held"] > 0 and row["held_at"] is not None and row["state"] == "connected"
    assert agent(crowd, 8)["held"] == 0
    assert said["sent"] < 2000, "far fewer than it would have sent"
    assert min(latencies) < 5


def test_frozen_operator_costs_little_and_disturbs_nobody(crowd):
    """An operator who asks for a million rows and reads none of them."""
    before = crowd.anonymous()
    many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900000) " \
           "SELECT i, 'a row of some length that nobody reads' AS text FROM n"
    frozen = subprocess.Popen(crowd.umx_words("query", "--timeout", 100, many), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.3)
        frozen.send_signal(signal.SIGSTOP)
        time.sleep(1)
        assert crowd.query("SELECT count(*) AS n FROM agent WHERE state = 'connected'")["rows"] == [{"n": COUNT}]
        assert crowd.anonymous() - before < 64 * 1024
    finally:
        frozen.kill()
        frozen.wait()
