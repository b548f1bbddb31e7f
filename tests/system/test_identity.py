"""Who may speak: every refusal with its id."""

import subprocess

import pytest
from conftest import CONTOSO, LYNC, ROOT

from stage.programs import Daemon
from stage.stage import AGENTS
from stage.wire import hello, report_of_a_service


def test_no_certificate(stage):
    answer = stage.umx(None, "status", environment={"HOME": "/nonexistent", "UMX_IDENTITY": ""})
    assert (answer.code, answer.error) in {(3, "UMX-1602"), (3, "UMX-1103")}, answer


def test_unknown_authority(stage, fleet, tmp_path_factory):
    """An identity of another deployment is refused by TLS, and the client says so."""
    other = stage.home / "other"
    stage.umxd("init", "--data", other, "--deployment", "other", "--name", "controller.lab.test")
    identity = stage.home / "foreign.pem"
    stage.umxd("issue", "agent", "intruder.contoso.test", "--data", other, "--out", identity)
    answer = stage.umx(identity, "status")
    assert answer.code == 3, answer
    assert answer.error in {"UMX-1102", "UMX-1103", "UMX-1113"}, answer


def test_agent_certificate_is_no_operator(stage):
    server = stage.lab["servers"][0]["fqdn"]
    answer = stage.umx(stage.home / f"{server}.pem", "status")
    assert (answer.code, answer.error) == (3, "UMX-1106"), answer


def test_operator_of_another_forest_ca(stage):
    """A certificate of Lync's operator CA proves nothing for contoso.test."""
    operator = stage.lab["forests"]["lync.test"]["operators"]["lars.lyncadmin"]
    answer = stage.umx(None, "login", "--forest", "contoso.test", "--certificate", operator["certificate"], "--key",
                       operator["key"], "--ca", stage.data / "root.pem", "--out", stage.home / "never.pem")
    assert (answer.code, answer.error) == (3, "UMX-1111"), answer
    assert not (stage.home / "never.pem").exists()


def test_approver_whom_another_forest_vouched_for(stage):
    """Lars is an operator, vouched for by lync.test: his word counts for nothing in contoso.test."""
    assert stage.umx(CONTOSO, "plan", "create", "foreign", "--phase", "exchucutil").code == 0
    assert stage.umx(CONTOSO, "plan", "submit", "foreign").code == 0
    answer = stage.umx(LYNC, "plan", "approve", "foreign", "--forest", "contoso.test")
    assert (answer.code, answer.error) == (3, "UMX-1403"), answer
    assert stage.umx(CONTOSO, "plan", "cancel", "foreign").code == 0


def wire(stage, identity, *messages):
    """Says messages as an agent with that identity; what the controller did with the stream."""
    answer = stage.run("/usr/bin/python3", "-B", ROOT / "tests/stage/wire.py", AGENTS, identity, stage.data / "root.pem",
                       *[m.hex() for m in messages], timeout=40)
    assert answer.code == 0, answer
    return answer.out.strip()


@pytest.fixture(scope="module")
def liar(stage):
    """A certificate that this deployment issued, in hands that say something else than it."""
    identity = stage.home / "liar.pem"
    stage.umxd("issue", "agent", "liar.contoso.test", "--data", stage.data, "--out", identity)
    return identity


def services(stage):
    return stage.umx(LYNC, "query", "SELECT server, name FROM service ORDER BY server, name").json["rows"]


def test_a_stream_that_says_who_it_is_stays(stage, liar):
    """The same bytes with the right name are taken: what is refused below is refused for the name."""
    assert wire(stage, liar, hello("liar.contoso.test"),
                report_of_a_service("liar.contoso.test", "Honest")) == "open"
    assert {"server": "liar.contoso.test", "name": "Honest"} in services(stage)


def test_agent_says_that_it_is_another_server(stage, liar):
    victim = stage.lab["servers"][1]["fqdn"]
    before = services(stage)
    after = stage.controller.log.stat().st_size
    assert wire(stage, liar, hello(victim), report_of_a_service(victim, "Forged")) == "ended"
    said = stage.controller.wait_for("UMX-1109", timeout=20, after=after)
    assert f"it says that it is {victim}, its certificate says liar.contoso.test" in said
    assert services(stage) == before


def test_agent_reports_rows_of_another_server(stage, liar):
    victim = stage.lab["servers"][1]["fqdn"]
    before = services(stage)
    after = stage.controller.log.stat().st_size
    assert wire(stage, liar, hello("liar.contoso.test"), report_of_a_service(victim, "Forged")) == "ended"
    said = stage.controller.wait_for("UMX-1109", timeout=20, after=after)
    assert f"speaks for {victim}" in said
    assert services(stage) == before


def test_agent_refuses_a_certificate_of_another_host(stage, liar):
    """The program itself does not start speaking with somebody else's certificate."""
    victim = stage.lab["servers"][1]
    config = stage.home / "liar.ini"
    config.write_text(f"[agent]\ncontroller = {AGENTS}\nidentity = {liar}\nhost = recorded:{victim['host_dir']}\n"
                      "start_jitter = 0\n")
    agent = Daemon("liar", stage.lab_dir, stage.home / "liar.log", [stage.build / "umx-agent", "--config", config]).start()
    try:
        assert "the certificate is for liar.contoso.test" in agent.wait_for("UMX-1109", timeout=20)
    finally:
        agent.stop()


def test_a_viewer_may_not_change(stage):
    """ned.nobody is vouched for by his forest and in no group: he may look and no more."""
    ned = ("contoso.test", "ned.nobody")
    assert stage.umx(ned, "status").code == 0
    answer = stage.umx(ned, "plan", "create", "neds", "--phase", "exchucutil")
    assert (answer.code, answer.error) == (3, "UMX-1106"), answer


def test_second_controller_on_the_same_data(stage):
    answer = stage.run(stage.build / "umxd", "--config", stage.config, timeout=30)
    assert answer.code != 0
    assert answer.error in {"UMX-1507", "UMX-1101"}, answer


def test_garbage_after_tcp_connect(stage):
    """Bytes that are not TLS end that connection and nothing else."""
    done = subprocess.run([*_in_lab(stage), "bash", "-c",
                           "exec 3<>/dev/tcp/127.77.3.1/7443; head -c 5000 /dev/urandom >&3; timeout 5 cat <&3 | wc -c"],
                          capture_output=True, text=True, timeout=30, env=_env(stage))
    assert done.returncode == 0, done.stderr
    assert stage.umx(CONTOSO, "status").code == 0


def _in_lab(stage):
    from stage.programs import LAB
    return [str(LAB), "exec"]


def _env(stage):
    import os
    return {**os.environ, "LAB_DIR": str(stage.lab_dir)}
