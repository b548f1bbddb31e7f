"""Logins by Kerberos: an operator's own ticket becomes an identity, and nothing else does; accounts that change."""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from conftest import CONTOSO, LYNC

from stage.programs import lab
from stage.stage import OPERATORS

FOREST = "contoso.test"


@pytest.fixture(scope="module")
def home(stage):
    """A place for ticket caches and identity files of this module."""
    place = stage.home / "login"
    place.mkdir()
    return place


def kinit(stage, home, forest, user):
    """A ticket cache of the operator; its path."""
    operator = stage.lab["forests"][forest]["operators"][user]
    cache = home / f"{user}@{forest}.ccache"
    answer = stage.run("kinit", "-c", cache, "-k", "-t", operator["keytab"], operator["principal"], timeout=60)
    assert answer.code == 0, answer
    return cache


def login(stage, cache, out, *arguments, forest=None):
    words = ["--service", "umx/controller.lab.test", "--ca", stage.data / "root.pem", "--out", out, *arguments]
    if forest is not None:
        words += ["--forest", forest]
    return stage.run(stage.build / "umx", "--controller", OPERATORS, "-o", "json", "login", *words, timeout=90,
                     environment={"KRB5CCNAME": f"FILE:{cache}"})


def whoami(stage, identity):
    return stage.umx(identity, "whoami")


def modify(stage, home, forest, ldif):
    path = home / "change.ldif"
    path.write_text(ldif)
    lab(stage.lab_dir, "load", forest, path)


def dn_of(stage, forest, user):
    return f"CN={user},CN=Users,{stage.lab['forests'][forest]['base_dn']}"


def set_value(stage, home, user, attribute, value, forest=FOREST):
    modify(stage, home, forest, f"dn: {dn_of(stage, forest, user)}\nchangetype: modify\nreplace: {attribute}\n"
           f"{attribute}: {value}\n")


def refusals(stage):
    return [e for e in stage.umx(LYNC, "audit").json["entries"] if e["kind"] == "refused"]


def children(pid):
    """The workers of the controller."""
    return {int(child) for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()}


@pytest.fixture(scope="module")
def olga(stage, home):
    """olga's identity by her ticket."""
    out = home / "olga.pem"
    before = children(stage.controller.pid)
    answer = login(stage, kinit(stage, home, *CONTOSO), out)
    assert answer.code == 0, answer
    assert answer.json["forest"] == FOREST
    stage.porters = children(stage.controller.pid) - before  # began with the first login
    return out


def test_a_ticket_becomes_an_identity(stage, olga):
    operator = stage.lab["forests"][FOREST]["operators"]["olga.orgadmin"]
    told = whoami(stage, olga).json
    assert told["identity"] == f"umx://lab/operator/{operator['sid']}"
    assert (told["name"], told["forest"]) == ("olga.orgadmin", FOREST)
    assert told["roles"] == ["viewer", "operator", "auditor"]
    assert olga.stat().st_mode & 0o777 == 0o600
    entry = [e for e in stage.umx(LYNC, "audit").json["entries"]
             if e["kind"] == "login" and "Kerberos" in e["detail"]][-1]
    assert entry["actor"] == told["identity"] and "olga.orgadmin of contoso.test" in entry["detail"]


def test_a_slow_login_holds_up_nobody(stage, home, olga):
    """Who opens the tickets of a forest does not answer: that forest's logins wait for it, and nobody else does."""
    assert len(stage.porters) == 1, stage.porters
    porter, = stage.porters
    cache = kinit(stage, home, FOREST, "rita.recipient")
    slow = []
    os.kill(porter, signal.SIGSTOP)
    try:
        waiting = threading.Thread(target=lambda: slow.append(login(stage, cache, home / "rita-slow.pem")))
        waiting.start()
        times = 0
        while waiting.is_alive() and times < 5:
            for who in (CONTOSO, olga, LYNC):  # of the same forest, and of another
                assert stage.umx(who, "query", "SELECT count(*) AS n FROM agent", timeout=15).code == 0
                assert stage.umx(who, "whoami", timeout=15).code == 0
            times += 1
        assert times == 5, "the login did not wait"
        other = login(stage, kinit(stage, home, *LYNC), home / "lars-meanwhile.pem")
        assert other.code == 0, other
        waiting.join(90)
        assert not waiting.is_alive()
    finally:
        try:
            os.kill(porter, signal.SIGCONT)
        except ProcessLookupError:
            pass  # the deadline has passed, and it was ended
    assert slow[0].code == 3 and not (home / "rita-slow.pem").exists(), slow
    answer = login(stage, cache, home / "rita-slow.pem")
    assert answer.code == 0, answer


def test_it_lives_for_hours(stage, olga):
    ends = subprocess.run(["openssl", "x509", "-noout", "-checkend", str(11 * 3600), "-in", olga], capture_output=True)
    assert ends.returncode == 1  # gone in eleven hours


def test_again_without_ca(stage, home, olga):
    """After the first time the identity itself says who the controller is."""
    answer = stage.run(stage.build / "umx", "--controller", OPERATORS, "--identity", olga, "login", "--service",
                       "umx/controller.lab.test", environment={"KRB5CCNAME": f"FILE:{home}/olga.orgadmin@{FOREST}.ccache"})
    assert answer.code == 0, answer


def test_no_ticket(stage, home):
    answer = login(stage, home / "none.ccache", home / "never.pem", forest=FOREST)
    assert (answer.code, answer.error) == (3, "UMX-1606"), answer
    assert not (home / "never.pem").exists()


def test_ticket_of_another_forest(stage, home):
    """lars can get a ticket for the controller in contoso.test over the trust; it is of lync.test all the same."""
    cache = kinit(stage, home, *LYNC)
    answer = login(stage, cache, home / "never.pem", forest=FOREST)
    assert answer.code == 3 and answer.error in ("UMX-1111", "UMX-1606"), answer
    assert not (home / "never.pem").exists()
    answer = login(stage, cache, home / "lars.pem")
    assert answer.code == 0 and answer.json["forest"] == "lync.test", answer


def test_service_that_is_not_there(stage, home, olga):
    answer = stage.run(stage.build / "umx", "--controller", OPERATORS, "-o", "json", "login", "--service", "umx/nowhere.test",
                       "--ca", stage.data / "root.pem", "--out", home / "never.pem",
                       environment={"KRB5CCNAME": f"FILE:{home}/olga.orgadmin@{FOREST}.ccache"})
    assert (answer.code, answer.error) == (3, "UMX-1606"), answer


def test_ticket_for_another_service(stage, home, olga):
    """A ticket of the same person for another service opens nothing here."""
    dc = stage.lab["forests"][FOREST]["domain_controllers"][0]["fqdn"]
    answer = stage.run(stage.build / "umx", "--controller", OPERATORS, "-o", "json", "login", "--service", f"ldap/{dc}",
                       "--ca", stage.data / "root.pem", "--out", home / "never.pem",
                       environment={"KRB5CCNAME": f"FILE:{home}/olga.orgadmin@{FOREST}.ccache"})
    assert (answer.code, answer.error) == (3, "UMX-1111"), answer
    assert not (home / "never.pem").exists()
    assert any(e["error"] == "UMX-1111" and e["peer"].startswith("127.") for e in wait_refusals(stage, "UMX-1111"))


def wait_refusals(stage, error, timeout=30):
    end = time.monotonic() + timeout
    while True:
        found = [e for e in refusals(stage) if e["error"] == error]
        if found or time.monotonic() > end:
            return found
        time.sleep(0.2)


def refused_soon(stage, identity, why, command, timeout=20):
    """What looks is refused within seconds; what acts at once."""
    answer = stage.umx(identity, "plan", "create", "never", "--phase", "exchucutil")
    assert (answer.code, answer.error) == (3, "UMX-1421") and why in answer.err, answer
    end = time.monotonic() + timeout
    while (answer := stage.umx(identity, command)).code == 0:
        assert time.monotonic() < end, answer
        time.sleep(0.5)
    assert answer.error == "UMX-1421", answer


def test_a_disabled_account(stage, home, olga):
    set_value(stage, home, "olga.orgadmin", "userAccountControl", 514)
    try:
        refused_soon(stage, olga, "disabled", "agents")
    finally:
        set_value(stage, home, "olga.orgadmin", "userAccountControl", 512)
    assert whoami(stage, olga).code == 0


def test_an_expired_account(stage, home, olga):
    set_value(stage, home, "olga.orgadmin", "accountExpires", 132000000000000000)  # in 2019
    try:
        refused_soon(stage, olga, "expired", "agents")
    finally:
        set_value(stage, home, "olga.orgadmin", "accountExpires", 0)
    assert whoami(stage, olga).code == 0


def test_a_renamed_account(stage, home, olga):
    """The SID is who it is: same rights, new name."""
    before = whoami(stage, olga).json
    set_value(stage, home, "olga.orgadmin", "sAMAccountName", "olga.married")
    try:
        now = whoami(stage, olga).json
        assert now["name"] == "olga.married"
        assert (now["identity"], now["roles"]) == (before["identity"], before["roles"])
    finally:
        set_value(stage, home, "olga.orgadmin", "sAMAccountName", "olga.orgadmin")


def test_out_of_the_group(stage, home, olga):
    """olga is an operator through UC Team: out of it, she looks and acts no more, at the very next use."""
    team = dn_of(stage, FOREST, "UC Team")
    member = dn_of(stage, FOREST, "olga.orgadmin")
    modify(stage, home, FOREST, f"dn: {team}\nchangetype: modify\ndelete: member\nmember: {member}\n")
    try:
        answer = stage.umx(olga, "plan", "create", "never", "--phase", "exchucutil")
        assert (answer.code, answer.error) == (3, "UMX-1106"), answer
        assert stage.umx(olga, "agents").code == 0
    finally:
        modify(stage, home, FOREST, f"dn: {team}\nchangetype: modify\nadd: member\nmember: {member}\n")
    assert whoami(stage, olga).json["roles"] == ["viewer", "operator", "auditor"]


def test_a_disabled_account_gets_no_identity(stage, home):
    """A service ticket outlives the account that it is of: the directory is asked at the login too."""
    cache = kinit(stage, home, FOREST, "rita.recipient")
    assert stage.run("kvno", "-c", cache, "umx/controller.lab.test@CONTOSO.TEST").code == 0
    set_value(stage, home, "rita.recipient", "userAccountControl", 514)
    try:
        answer = login(stage, cache, home / "never.pem")
        assert (answer.code, answer.error) == (3, "UMX-1421") and "disabled" in answer.err, answer
    finally:
        set_value(stage, home, "rita.recipient", "userAccountControl", 512)


def test_logout(stage, home):
    lars = home / "lars.pem"
    answer = stage.umx(lars, "logout")
    assert answer.code == 0 and not lars.exists(), answer
    answer = stage.umx(lars, "logout")
    assert (answer.code, answer.error) == (3, "UMX-1602"), answer
