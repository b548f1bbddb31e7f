"""Questions: asked live, kept, watched, and limited; and a backup with a plan under way."""

import json
import shutil
import signal
import subprocess
import threading
import time

import pytest
from conftest import CONTOSO, LYNC
from plans import OUTDIAL, approve, create, finish, show, start, undo

from stage.programs import inside, lab
from stage.stage import OPERATORS


def fqdns(stage, forest=None):
    return sorted(s["fqdn"] for s in stage.lab["servers"] if forest in (None, s["forest"]))


def live(stage, sql, *options, who=LYNC):
    return stage.umx(who, "query", "--live", *options, sql)


def background(stage, who, *arguments, output="json"):
    """umx as a process that the test may interrupt."""
    words, environment = inside(stage.lab_dir, [stage.build / "umx", "--controller", OPERATORS, "--identity",
                                                stage.login(*who), "-o", output, *arguments])
    return subprocess.Popen([str(w) for w in words], env=environment, text=True, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.fixture
def frozen(stage):
    """An agent that is connected and does nothing."""
    fqdn = fqdns(stage, "lync.test")[0]
    stage.agents[fqdn].process.send_signal(signal.SIGSTOP)
    yield fqdn
    stage.agents[fqdn].process.send_signal(signal.SIGCONT)


def test_a_live_question_sees_what_has_just_changed(stage):
    server = stage.lab["servers"][0]
    path = f"{server['host_dir']}/services.json"
    with open(path, encoding="utf-8") as source:
        services = json.load(source)
    changed = [{**services[0], "display_name": "changed just now"}, *services[1:]]
    try:
        with open(path, "w", encoding="utf-8") as out:
            json.dump(changed, out)
        answer = live(stage, f"SELECT server, display_name, age, stale FROM service WHERE server = '{server['fqdn']}' "
                             f"AND name = '{services[0]['name']}'")
        assert answer.code == 0, answer
        assert [r["display_name"] for r in answer.json["rows"]] == ["changed just now"]
        assert answer.json["rows"][0]["age"] < 10 and answer.json["rows"][0]["stale"] == 0
        assert answer.json["asked"] == answer.json["answered"] == len(stage.lab["servers"])
        assert answer.json["silent"] == []
    finally:
        with open(path, "w", encoding="utf-8") as out:
            json.dump(services, out)


def test_where_picks_who_is_asked_and_seen(stage):
    answer = live(stage, "SELECT DISTINCT server FROM service ORDER BY server", "--where", "forest = 'lync.test'")
    assert answer.code == 0, answer
    assert [r["server"] for r in answer.json["rows"]] == fqdns(stage, "lync.test")
    assert answer.json["asked"] == len(fqdns(stage, "lync.test"))
    nobody = live(stage, "SELECT server FROM service", "--where", "product = 'exchange' AND version_major = 3")
    assert nobody.code == 0 and nobody.json["rows"] == [] and nobody.json["asked"] == 0
    assert live(stage, "SELECT server FROM service", "--where", "nonsense = 1").error == "UMX-1504"
    assert live(stage, "SELECT name FROM dial_plan").error == "UMX-1511"


def test_who_does_not_answer_is_named_and_disturbs_nobody(stage, frozen):
    slow = background(stage, CONTOSO, "query", "--live", "--timeout", "60", "SELECT server FROM service")
    try:
        # Another operator asks the others meanwhile.
        started = time.monotonic()
        others = live(stage, "SELECT DISTINCT server FROM service", "--where", f"server <> '{frozen}'")
        assert others.code == 0 and others.json["answered"] == len(stage.lab["servers"]) - 1, others
        assert time.monotonic() - started < 40
        answer = live(stage, "SELECT DISTINCT server FROM service", "--timeout", "3")
        assert answer.code == 4, answer
        assert answer.json["silent"] == [{"agent": frozen, "reason": "timed out: service"}]
        assert answer.json["asked"] - answer.json["answered"] == 1
        assert {r["server"] for r in answer.json["rows"]} == set(fqdns(stage))  # what was known of it stays
        # The interrupt key ends the slow one, long before its time.
        assert slow.poll() is None
        slow.send_signal(signal.SIGINT)
        out, err = slow.communicate(timeout=30)
        assert slow.returncode != 0 and "UMX-1108" in err, (slow.returncode, out, err)
    finally:
        slow.kill()
        slow.wait()


def test_an_agent_that_is_away_is_stale(stage):
    fqdn = fqdns(stage, "fabrikam.test")[0]
    stage.agents[fqdn].stop()
    try:
        answer = live(stage, "SELECT server, max(stale) AS stale FROM service GROUP BY server", "--timeout", "30")
        assert answer.code == 4, answer
        silent = answer.json["silent"]
        assert [s["agent"] for s in silent] == [fqdn] and silent[0]["reason"].startswith("not connected since 2")
        assert {r["server"] for r in answer.json["rows"] if r["stale"]} == {fqdn}
        text = stage.umx(LYNC, "query", "--live", "SELECT count(*) AS n FROM role", json=False)
        assert text.code == 4 and f"no answer from {fqdn}: not connected since" in text.err, text
    finally:
        stage.start_agent(next(s for s in stage.lab["servers"] if s["fqdn"] == fqdn))


def test_a_runaway_is_stopped_and_others_answer_meanwhile(stage):
    endless = "WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM t) SELECT max(x) FROM t"
    runaways = [background(stage, CONTOSO, "query", "--timeout", "8", endless) for _ in range(2)]
    try:
        started = time.monotonic()
        answer = stage.umx(LYNC, "query", "SELECT count(*) AS n FROM service")
        assert answer.code == 0 and answer.json["rows"][0]["n"] > 0, answer
        assert time.monotonic() - started < 7 or any(r.poll() is None for r in runaways)
        for runaway in runaways:
            out, err = runaway.communicate(timeout=60)
            assert runaway.returncode == 1 and "UMX-1506" in err and "its time was over" in err, (out, err)
    finally:
        for runaway in runaways:
            runaway.kill()
            runaway.wait()


BUILT_IN = {"expiring-certificates", "um-not-dual", "service-before-certificate", "dial-plan-gaps", "pools-without-gateway",
            "agents-out-of-date"}


def test_saved_queries(stage):
    stage.umx(LYNC, "check", "--phase", "forests")  # the forests are read
    assert {q["name"] for q in stage.umx(LYNC, "query", "list").json["queries"] if q["built_in"]} == BUILT_IN
    found = {}
    for name in sorted(BUILT_IN):
        answer = stage.umx(LYNC, "query", "run", name)
        assert answer.code == 0, answer
        found[name] = answer.json["rows"]
    assert found["agents-out-of-date"] == []
    assert {"pool1.lync.test"} <= {r["pool"] for r in found["pools-without-gateway"]}
    save = ("query", "save", "stopped", "SELECT server, name FROM service WHERE state = 'stopped'", "--description",
            "services that stand still")
    assert stage.umx(CONTOSO, *save).code == 0
    assert stage.umx(CONTOSO, *save).error == "UMX-1509"
    assert stage.umx(CONTOSO, *save, "--replace").code == 0
    mine = next(q for q in stage.umx(LYNC, "query", "list").json["queries"] if q["name"] == "stopped")
    assert mine["description"] == "services that stand still" and mine["author"].startswith("umx://lab/operator/")
    answer = stage.umx(LYNC, "query", "run", "stopped", "--live", "--where", "forest = 'lync.test'")
    assert answer.code == 0 and answer.json["asked"] == len(fqdns(stage, "lync.test")), answer
    for name, sql, error in (("agents-out-of-date", "SELECT 1 AS a", "UMX-1509"), ("two words", "SELECT 1 AS a", "UMX-1510"),
                             ("bad", "DELETE FROM service", "UMX-1504"), ("bad", "SELECT load_extension('x')", "UMX-1505")):
        assert stage.umx(CONTOSO, "query", "save", name, sql).error == error, name
    assert stage.umx(CONTOSO, "query", "delete", "stopped").code == 0
    assert stage.umx(CONTOSO, "query", "run", "stopped").error == "UMX-1508"
    assert stage.umx(CONTOSO, "query", "delete", "agents-out-of-date").error == "UMX-1509"


def test_watching_the_agents(stage):
    watch = background(stage, LYNC, "agents", "--watch", output="jsonl")
    records = []
    arrived = threading.Condition()

    def read():
        for line in watch.stdout:
            with arrived:
                records.append(json.loads(line))
                arrived.notify_all()

    def wait_for(server, state):
        with arrived:
            assert arrived.wait_for(lambda: any(r["server"] == server and r["state"] == state for r in records), 60), records

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    fqdn = fqdns(stage, "fabrikam.test")[0]
    try:
        for server in fqdns(stage):
            wait_for(server, "connected")
        with arrived:
            assert len(records) == len(fqdns(stage))  # each once: reports are no change
            records.clear()
        stage.agents[fqdn].stop()
        wait_for(fqdn, "silent")
        stage.start_agent(next(s for s in stage.lab["servers"] if s["fqdn"] == fqdn))
        wait_for(fqdn, "connected")
        assert {r["server"] for r in records} == {fqdn}
        watch.send_signal(signal.SIGINT)
        assert watch.wait(30) == 0
    finally:
        watch.kill()
        watch.wait()
        reader.join(5)


@pytest.fixture(scope="module")
def waiting(stage):
    """The agents of the Lync forest are away: a restart is a gate, and the plan `copied` waits there."""
    for fqdn in fqdns(stage, "lync.test"):
        stage.agents[fqdn].stop()
    create(stage, "copied", OUTDIAL, pair="contoso.test:lync.test")
    approve(stage, "copied")
    start(stage, "copied")
    end = time.monotonic() + 120
    while not any(s["kind"] == "gate" and s["state"] == "intended" for s in show(stage, "copied")["steps"]):
        assert time.monotonic() < end
        time.sleep(0.2)


def test_a_watcher_whose_account_ends(stage, waiting):
    """A stream that lasts as long as a plan does not outlast the account: what is looked at is looked at anew."""
    ned = ("contoso.test", "ned.nobody")
    other = background(stage, CONTOSO, "plan", "watch", "copied", output="jsonl")
    watch = background(stage, ned, "plan", "watch", "copied", output="jsonl")
    try:
        assert json.loads(watch.stdout.readline())["kind"] == "created"
        enable(stage, *ned, 514)
        began = time.monotonic()
        out, err = watch.communicate(timeout=120)
        assert watch.returncode == 3 and "UMX-1421" in err and "disabled" in err, (watch.returncode, out[-500:], err)
        print(f"the stream ended {time.monotonic() - began:.1f} s after the account")
        assert other.poll() is None  # nobody else's
        assert show(stage, "copied")["state"] == "running"
    finally:
        enable(stage, *ned, 512)
        for process in (watch, other):
            process.kill()
            process.communicate()
    assert stage.umx(ned, "agents").code == 0


def enable(stage, forest, user, value):
    path = stage.home / "account.ldif"
    path.write_text(f"dn: CN={user},CN=Users,{stage.lab['forests'][forest]['base_dn']}\nchangetype: modify\n"
                    f"replace: userAccountControl\nuserAccountControl: {value}\n")
    lab(stage.lab_dir, "load", forest, path)


def test_a_backup_while_a_plan_is_under_way(stage, waiting):
    stage.umx(CONTOSO, "query", "save", "kept", "SELECT 1 AS one")
    file = stage.home / "umx.backup"
    answer = stage.run(stage.build / "umxd", "backup", file, "--config", stage.config)
    assert answer.code == 0 and file.stat().st_mode & 0o077 == 0, answer
    assert stage.run(stage.build / "umxd", "backup", file, "--config", stage.config).error == "UMX-1514"
    assert not list(stage.data.glob("backup-*"))
    before = show(stage, "copied")
    assert before["state"] == "running"
    refused = stage.run(stage.build / "umxd", "restore", file, "--data", stage.data)
    assert refused.error == "UMX-1513", refused
    damaged = stage.home / "damaged.backup"
    bytes_ = bytearray(file.read_bytes())
    bytes_[len(bytes_) // 2] ^= 0xff
    damaged.write_bytes(bytes_)
    answer = stage.run(stage.build / "umxd", "restore", damaged, "--data", stage.home / "damaged")
    assert answer.code != 0 and not (stage.home / "damaged").exists(), answer
    # The disk is lost, and the backup becomes the controller.
    assert stage.controller.stop(signal.SIGKILL) == -signal.SIGKILL
    shutil.move(stage.data, stage.home / "lost")
    answer = stage.run(stage.build / "umxd", "restore", file, "--data", stage.data)
    assert answer.code == 0 and "intact" in answer.out, answer
    stage.start_controller()
    verified = stage.umx(LYNC, "audit", "verify")
    assert verified.json["first_bad"] is None or not verified.json["first_bad"], verified
    assert stage.umx(LYNC, "query", "run", "kept").json["rows"] == [{"one": 1}]
    after = show(stage, "copied")
    assert [s["state"] for s in after["steps"] if s["state"] == "verified"] == \
        [s["state"] for s in before["steps"] if s["state"] == "verified"]
    if after["state"] == "suspended":
        assert stage.umx(CONTOSO, "plan", "resume", "copied").code == 0
    assert finish(stage, "copied")["state"] == "completed"
    undo(stage, "copied")
