"""The life of the agent's MSI under Wine: silent installation, upgrade, refused downgrade, rollback,
removal, signature. What Wine's own files say is what was installed."""

import shutil
import subprocess

import pytest

from stage.wine import ROOT, drive, forget_agent, machine_name, need, service_state, until, windows_path, wine

need("wixl", "msibuild", "msiinfo", "osslsigncode", "openssl")

FOLDER = drive() / "Program Files" / "umx"
DATA = drive() / "ProgramData" / "umx"
PROGRAM, CONFIG, IDENTITY = FOLDER / "umx-agent.exe", DATA / "agent.ini", DATA / "identity.pem"
# Of a program's code Wine passes on the lowest byte, and has its own: ERROR_FUNCTION_FAILED where Windows says 1603.
DONE, FAILED = 0, 1627 % 256
REFUSED = 1603 % 256  # before anything was begun


def msi(path, *options):
    subprocess.run([ROOT / "packaging/windows/msi", path, *options], check=True, capture_output=True, timeout=120)
    return path


def msiexec(*argv):
    return wine("msiexec", *argv, "/qn", check=False, timeout=300).returncode


@pytest.fixture(scope="module")
def packages(target):
    """Of two versions, signed with a certificate of nobody."""
    key, certificate = target.home / "signer.key", target.home / "signer.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
                    "-subj", "/CN=umx test", "-days", "2", "-addext", "extendedKeyUsage=codeSigning"],
                   check=True, capture_output=True)
    signed = ("--certificate", certificate, "--key", key)
    made = {1: msi(target.home / "one.msi", "--version", "0.1.0", *signed),
            2: msi(target.home / "two.msi", "--version", "0.1.1", *signed),
            "anew": msi(target.home / "anew.msi", "--version", "0.1.0", *signed), "certificate": certificate}
    yield made
    clean(made)


def registered():
    """The command line of the service; Wine's `sc qc` does not tell it."""
    return wine("reg", "query", r"HKLM\SYSTEM\CurrentControlSet\Services\umx-agent", "/v", "ImagePath").stdout


def products():
    """How often Windows has it as installed."""
    return wine("reg", "query", r"HKLM\Software\Microsoft\Windows\CurrentVersion\Uninstall", "/s", "/v",
                "DisplayName", check=False).stdout.count("umx agent")


def clean(packages):
    for version in (1, 2, "anew"):
        msiexec("/x", windows_path(packages[version]))
    forget_agent()
    shutil.rmtree(DATA, ignore_errors=True)


@pytest.fixture
def controller(target, packages):
    """A Windows server without an agent is told of this controller."""
    clean(packages)
    assert service_state() is None and not PROGRAM.exists() and not DATA.exists()
    return f"CONTROLLER=localhost:{target.ports['agents']}"


@pytest.fixture
def identity(target, controller):
    """What a removed agent has left. How a token becomes one: test_lab.py."""
    DATA.mkdir()
    shutil.copy(target.make.agent(dns=(machine_name(),), chain=[target.make.middle, target.make.root]), IDENTITY)
    return IDENTITY.read_bytes()


def connected(target):
    return any(agent["state"] == "connected" and agent["server"] == machine_name()
               for agent in target.umx("agents")["agents"])


def log():
    return (DATA / "umx-agent.log").read_text()


def test_signed_and_the_signature_tells_a_changed_byte(target, packages):
    whole = packages[1]
    verify = ["osslsigncode", "verify", "-CAfile", packages["certificate"], "-in"]
    assert subprocess.run([*verify, whole], capture_output=True).returncode == 0
    changed = bytearray(whole.read_bytes())
    changed[len(changed) // 2] ^= 1
    (target.home / "changed.msi").write_bytes(changed)
    assert subprocess.run([*verify, target.home / "changed.msi"], capture_output=True).returncode != 0


def test_installed_upgraded_not_downgraded_and_removed(target, packages, controller, identity):
    assert msiexec("/i", windows_path(packages[1]), controller) == DONE
    assert PROGRAM.exists() and service_state() == "RUNNING"
    assert r'"C:\Program Files\umx\umx-agent.exe" --service --config "C:\ProgramData\umx\agent.ini"' in registered()
    assert f"controller = localhost:{target.ports['agents']}" in CONFIG.read_text()
    until(log, lambda: connected(target))

    # Neither identity nor configuration change, and nobody has to say them again.
    before = identity, CONFIG.read_bytes()
    assert msiexec("/i", windows_path(packages[2])) == DONE
    assert (IDENTITY.read_bytes(), CONFIG.read_bytes()) == before and not (DATA / "upgrading").exists()
    assert PROGRAM.exists() and service_state() == "RUNNING"
    until(log, lambda: log().count("speaks for") == 2 and connected(target))

    assert msiexec("/i", windows_path(packages[1])) != DONE
    assert PROGRAM.exists() and service_state() == "RUNNING"

    # What stays is what makes it the same agent when it comes back.
    assert msiexec("/x", windows_path(packages[2]), "KEEPSTATE=1") == DONE
    assert service_state() is None and not FOLDER.exists()
    assert (IDENTITY.read_bytes(), CONFIG.read_bytes()) == before
    assert msiexec("/i", windows_path(packages[2])) == DONE
    assert service_state() == "RUNNING"
    until(log, lambda: log().count("speaks for") == 3 and connected(target))
    assert msiexec("/x", windows_path(packages[2])) == DONE
    assert service_state() is None and not FOLDER.exists() and not DATA.exists()


def test_another_folder_is_kept_by_an_upgrade(packages, controller):
    """Without a token or an identity it is registered and waits for both."""
    folder = drive() / "agents of umx"
    assert msiexec("/i", windows_path(packages[1]), controller, r"INSTALLDIR=C:\agents of umx") == DONE
    assert (folder / "umx-agent.exe").exists() and not FOLDER.exists()
    assert service_state() == "STOPPED"
    assert msiexec("/i", windows_path(packages[2]), r"INSTALLDIR=C:\elsewhere") == DONE
    assert (folder / "umx-agent.exe").exists() and not FOLDER.exists() and not (drive() / "elsewhere").exists()
    assert r'"C:\agents of umx\umx-agent.exe" --service' in registered()
    assert msiexec("/x", windows_path(packages[2])) == DONE
    assert not folder.exists()


def nothing_is_left():
    return service_state() is None and not FOLDER.exists() and not DATA.exists() and products() == 0


def test_built_anew_with_the_same_version_it_takes_the_other_one_s_place(packages, controller, identity):
    """Two products would share service and state, and the removal of one would take both."""
    assert msiexec("/i", windows_path(packages[1]), controller) == DONE
    assert msiexec("/i", windows_path(packages["anew"])) == DONE
    assert products() == 1 and service_state() == "RUNNING" and IDENTITY.read_bytes() == identity
    assert msiexec("/x", windows_path(packages["anew"])) == DONE
    assert nothing_is_left()


def test_a_repair_takes_nothing_that_is_said_with_it(target, packages, controller, identity):
    """Everybody may start one, and it runs as SYSTEM. (To Wine's /f nothing can be said: this is what it stands for.)"""
    def everything():
        return registered(), CONFIG.read_bytes(), IDENTITY.read_bytes()

    token = target.home / "token"
    token.write_text("no token\n")
    assert msiexec("/i", windows_path(packages[1]), controller) == DONE
    before = everything()
    PROGRAM.unlink()  # while it runs: Wine lets one
    assert msiexec("/i", windows_path(packages[1]), "REINSTALL=ALL", "REINSTALLMODE=amus", "CONTROLLER=other.test:1",
                   "OPERATORS=other.test:2", f"TOKENFILE={windows_path(token)}", r"INSTALLDIR=C:\elsewhere") == DONE
    assert everything() == before and PROGRAM.exists()
    assert not (drive() / "elsewhere").exists() and service_state() == "RUNNING"


@pytest.mark.parametrize("word", ['CONTROLLER=localhost:1" --account "LocalSystem', "CONTROLLER=localhost:1\\",
                                  "OPERATORS=localhost:1\\"])
def test_a_value_that_would_end_its_quotes_is_refused(packages, controller, word):
    said = [word] if word.startswith("CONTROLLER") else [controller, word]
    assert msiexec("/i", windows_path(packages[1]), *said) == REFUSED
    assert nothing_is_left()


def test_without_a_controller_nothing_is_installed(packages, controller):
    assert msiexec("/i", windows_path(packages[1])) == FAILED
    assert nothing_is_left()


def test_an_enrolment_that_fails_is_taken_back(target, packages, controller):
    token = target.home / "token"
    token.write_text("no token\n")
    assert msiexec("/i", windows_path(packages[1]), controller, f"TOKENFILE={windows_path(token)}") == FAILED
    assert nothing_is_left()


def test_a_folder_that_was_there_stays_with_what_is_in_it(controller, packages):
    DATA.mkdir()
    token = DATA / "token"
    token.write_text("no token\n")
    assert msiexec("/i", windows_path(packages[1]), controller, f"TOKENFILE={windows_path(token)}") == FAILED
    assert service_state() is None and not FOLDER.exists()
    assert {path.name for path in DATA.iterdir()} <= {"token", "umx-agent.log"}
    assert token.exists()


def test_a_start_that_fails_is_taken_back(packages, controller):
    """The identity is none: the service ends before it has begun. What was there before stays."""
    DATA.mkdir()
    IDENTITY.write_text("no identity\n")
    assert msiexec("/i", windows_path(packages[1]), controller) != DONE
    assert service_state() is None and not FOLDER.exists()
    assert IDENTITY.exists()
