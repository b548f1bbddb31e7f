"""Who may speak: every refusal with its id."""

import subprocess

from conftest import CONTOSO, LYNC

from stage.programs import Daemon


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


def test_agent_speaks_for_another_server(stage):
    """A good certificate with a recorded host of another name: the stream ends and nothing is stored."""
    servers = stage.lab["servers"]
    liar, victim = servers[0], servers[1]
    identity = stage.home / "liar.pem"
    stage.umxd("issue", "agent", "liar.contoso.test", "--data", stage.data, "--out", identity)
    config = stage.home / "liar.ini"
    agent = None
    after = stage.controller.log.stat().st_size
    try:
        config.write_text(f"[agent]\ncontroller = 127.77.3.1:7443\nidentity = {identity}\nhost = "
                          f"recorded:{victim['host_dir']}\nreport_interval = 5\nstart_jitter = 0\n")
        agent = Daemon("liar", stage.lab_dir, stage.home / "liar.log",
                       [stage.build / "umx-agent", "--config", config]).start()
        said = stage.controller.wait_for("UMX-1109", timeout=20, after=after)
        assert "liar.contoso.test" in said
    finally:
        if agent is not None:
            agent.stop()
    rows = stage.umx(LYNC, "query", "SELECT count(*) AS n FROM service WHERE source LIKE '%liar%'").json["rows"]
    assert rows == [{"n": 0}]
    assert liar["fqdn"] != victim["fqdn"]


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
