"""The authority rotates under a fleet: agents follow on their streams, the old one is refused, a rollback brings all back,
a controller that is killed in the middle goes on."""

import re
import shutil
import signal
import time

import pytest
from conftest import LYNC, ROOT

from stage.stage import AGENTS, OPERATORS, Stage
from stage.wire import hello

VERA = ("lync.test", "vera.voice")


@pytest.fixture(scope="module")
def fleet_of(fleet):
    """The stage with all recorded servers' agents, and the root's key at a safe place."""
    play = Stage(fleet, name="ca").make()
    shutil.move(play.data / "root/root.key", play.home / "safe.key")
    play.start_controller()
    play.start_agents()
    yield play
    play.stop()


def status(play):
    answer = play.umx(LYNC, "ca", "status")
    assert answer.code == 0, answer
    return answer.json


def certificates(play, kind, state="current"):
    return [c for c in status(play)["certificates"] if c["kind"] == kind and c["state"] == state]


def wait_for(what, timeout=60):
    end = time.monotonic() + timeout
    while True:
        value = what()
        if value:
            return value
        assert time.monotonic() < end, f"not within {timeout} s: {what()}"
        time.sleep(0.3)


def followed(play, timeout=90):
    def all_have():
        now = status(play)
        return now if now["followed"] == now["agents"] and not now["missing"] else None
    return wait_for(all_have, timeout)


def connected(play):
    return sorted(a["server"] for a in play.umx(LYNC, "agents").json["agents"] if a["state"] == "connected")


def everybody_is_there(play, timeout=60):
    wait_for(lambda: connected(play) == sorted(play.agents), timeout)


def again(play):
    """Operators of a retired authority log in again."""
    play.identities.clear()


def log_in_again(play, who):
    """As `umx login` says, without --ca: the root is known."""
    forest, user = who
    operator = play.lab["forests"][forest]["operators"][user]
    answer = play.run(play.build / "umx", "--controller", OPERATORS, "login", "--forest", forest, "--certificate",
                      operator["certificate"], "--key", operator["key"], "--out", play.login(*who))
    assert answer.code == 0, answer


def wire(play, identity):
    """What becomes of a stream with that identity."""
    server = identity.name.removeprefix("old-").removesuffix(".pem")
    answer = play.run("/usr/bin/python3", "-B", ROOT / "tests/stage/wire.py", AGENTS, identity, play.data / "root.pem",
                      hello(server).hex(), timeout=40)
    return answer.out.strip() if answer.code == 0 else "ended"


def key_in(answer):
    """The fingerprint of a key, as `umxd ca` prints it for people to compare."""
    found = re.search(r"for the key ([0-9a-f]{64})", answer.out)
    assert found, answer
    return found[1]


def test_first_set_up_with_the_root_elsewhere(fleet_of, tmp_path):
    play, data, root = fleet_of, tmp_path / "data", tmp_path / "root.pem"
    asked = play.umxd("init", "--data", data, "--deployment", "apart", "--name", "umx.apart.test", "--request",
                 tmp_path / "umx.csr")
    answer = play.run(play.build / "umxd", "issue", "agent", "x.apart.test", "--data", data, "--out", tmp_path / "x.pem")
    assert answer.code != 0 and answer.error == "UMX-1802", answer
    play.umxd("ca", "new-root", "--deployment", "apart", "--root-key", tmp_path / "root.key", "--out", root)
    signed = play.umxd("ca", "sign", tmp_path / "umx.csr", "--root", root, "--root-key", tmp_path / "root.key", "--out",
                  tmp_path / "umx.pem")
    assert key_in(asked) == key_in(signed)
    answer = play.run(play.build / "umxd", "ca", "import", play.data / "root.pem", "--data", data)
    assert answer.code != 0 and answer.error == "UMX-1866", answer
    play.umxd("ca", "import", tmp_path / "umx.pem", "--data", data)
    assert (data / "root.pem").read_text() == root.read_text()
    assert not list(data.rglob("root.key"))
    play.umxd("issue", "agent", "x.apart.test", "--data", data, "--out", tmp_path / "x.pem")


def test_before(fleet_of):
    now = status(fleet_of)
    assert now["rotation"]["state"] == "none"
    assert [c["kind"] for c in now["certificates"]] == ["root", "intermediate", "controller"]
    assert now["certificates"][1]["agents"] == len(fleet_of.agents) >= 5
    answer = fleet_of.umx(LYNC, "ca", "rotate", "begin")
    assert (answer.code, answer.error) == (1, "UMX-1863"), answer
    answer = fleet_of.umx(LYNC, "ca", "rotate", "complete")
    assert (answer.code, answer.error) == (1, "UMX-1861"), answer
    # the deployment's own certificates are rows and findings like the servers'
    rows = fleet_of.umx(LYNC, "query", "SELECT store FROM certificate WHERE store LIKE 'umx-%' ORDER BY store").json["rows"]
    assert [row["store"] for row in rows] == ["umx-controller", "umx-intermediate", "umx-root"]


def test_a_viewer_may_look_and_not_rotate(fleet_of):
    ned = ("contoso.test", "ned.nobody")
    assert fleet_of.umx(ned, "ca", "status").code == 0
    answer = fleet_of.umx(ned, "ca", "rotate", "begin")
    assert (answer.code, answer.error) == (3, "UMX-1106"), answer


def test_intermediate(fleet_of):
    play = fleet_of
    first, silent = sorted(play.agents)[0], sorted(play.agents)[1]
    old = play.home / f"old-{first}.pem"
    shutil.copy(play.home / f"{first}.pem", old)
    operator = play.home / "operator-before.pem"
    shutil.copy(play.login(*LYNC), operator)
    assert play.umx(VERA, "whoami").code == 0  # knows whom to trust today, and runs nothing while that changes
    play.agents[silent].stop()
    # by request, as with a root whose key is on a machine without network
    elsewhere = play.home / "elsewhere"
    elsewhere.mkdir()
    asked = play.umxd("ca", "request", "--data", play.data, "--out", elsewhere / "umx.csr")
    assert status(play)["rotation"]["state"] == "none"
    shutil.copy(play.data / "root.pem", elsewhere)
    signed = play.umxd("ca", "sign", elsewhere / "umx.csr", "--root", elsewhere / "root.pem", "--root-key",
                  play.home / "safe.key", "--out", elsewhere / "umx.pem")
    assert key_in(asked) == key_in(signed)
    play.umxd("ca", "import", elsewhere / "umx.pem", "--data", play.data)
    assert status(play)["rotation"]["state"] == "staged"
    begun = play.umx(LYNC, "ca", "rotate", "begin")
    assert begun.code == 0 and begun.json["rotation"]["state"] == "forward", begun

    # all but the silent one follow; it is named, and nothing is completed without it
    wait_for(lambda: [m["server"] for m in status(play)["missing"]] == [silent], 90)
    assert status(play)["missing"][0]["state"] == "silent"
    answer = play.umx(LYNC, "ca", "rotate", "complete")
    assert (answer.code, answer.error) == (1, "UMX-1864"), answer
    assert silent in answer.err
    play.agents[first].stop()  # two streams of one identity end each other
    assert wire(play, old) == "open"  # both are trusted
    play.agents[first].start()
    play.agents[silent].start()
    followed(play)
    everybody_is_there(play)

    before = {name: agent.pid for name, agent in play.agents.items() if name != first}
    done = play.umx(LYNC, "ca", "rotate", "complete")
    assert done.code == 0 and done.json["rotation"]["state"] == "none", done
    # the old one is refused, agent and operator; everybody else is there, and no program was restarted
    play.agents[first].stop()
    assert wire(play, old) == "ended"
    play.agents[first].start()
    refused = play.umx(operator, "status")
    assert (refused.code, refused.error) == (3, "UMX-1181"), refused
    assert play.umx(VERA, "whoami").error == "UMX-1181"
    log_in_again(play, VERA)
    assert play.umx(VERA, "whoami").code == 0
    again(play)
    everybody_is_there(play)
    assert {name: agent.pid for name, agent in play.agents.items() if name != first} == before
    assert certificates(play, "intermediate")[0]["agents"] == len(play.agents)
    assert len(certificates(play, "intermediate", "past")) == 1
    details = [e["detail"] for e in play.umx(LYNC, "audit").json["entries"] if e["kind"] == "authority"]
    assert details == ["rotation of the intermediate begun", "rotation of the intermediate completed"]


def test_root_and_back(fleet_of):
    play = fleet_of
    fingerprint = certificates(play, "root")[0]["fingerprint"]
    play.umxd("ca", "new-root", "--data", play.data, "--root-key", play.home / "new-root.key")
    assert play.umx(LYNC, "ca", "rotate", "begin", "--root").code == 0
    followed(play)
    back = play.umx(LYNC, "ca", "rotate", "rollback")
    assert back.code == 0 and back.json["rotation"]["state"] == "back", back
    followed(play)
    done = play.umx(LYNC, "ca", "rotate", "complete")
    assert done.code == 0 and done.json["rotation"]["state"] == "none", done
    again(play)
    everybody_is_there(play)
    assert certificates(play, "root")[0]["fingerprint"] == fingerprint
    assert certificates(play, "intermediate")[0]["agents"] == len(play.agents)


def test_root_killed_while_completing(fleet_of):
    """The controller dies between the copies: the next start ends what was decided, and every agent comes back by itself."""
    play = fleet_of
    fingerprint = certificates(play, "root")[0]["fingerprint"]
    (play.home / "new-root.key").unlink()
    play.umxd("ca", "new-root", "--data", play.data, "--root-key", play.home / "new-root.key")
    play.controller.stop()
    play.start_controller(environment={"UMX_CRASH_POINT": "ca:copy:2"})
    assert play.umx(LYNC, "ca", "rotate", "begin", "--root").code == 0
    followed(play)
    assert play.login(*LYNC).with_name(play.login(*LYNC).name + ".trust").exists()  # operators were told, too
    assert play.umx(LYNC, "ca", "rotate", "complete").code != 0
    assert play.controller.wait(20) == -signal.SIGKILL
    play.start_controller()
    again(play)
    wait_for(lambda: connected(play) == sorted(play.agents), 90)
    assert certificates(play, "root")[0]["fingerprint"] != fingerprint
    assert status(play)["rotation"]["state"] == "none"
    assert not (play.data / "ca/rotation").exists()
    assert play.umx(LYNC, "audit", "verify").json["intact"] is True
