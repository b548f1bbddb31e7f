"""Programs for Windows under Wine. Apart from tests/system: they need the Windows build, which `tests/windows` makes. The
lab, the names of its people and the controller without a lab are those of tests/system."""

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "system")]

# It is called conftest too, and that name is taken.
spec = importlib.util.spec_from_file_location("system_conftest", TESTS / "system" / "conftest.py")
system = importlib.util.module_from_spec(spec)
spec.loader.exec_module(system)
ROOT, CONTOSO, FABRIKAM, LYNC, fleet = system.ROOT, system.CONTOSO, system.FABRIKAM, system.LYNC, system.fleet

from stage.wine import machine_name, prefix_is_busy, windows_path  # noqa: E402


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    """A controller on this machine, and Wine for as long."""
    from test_tls import Target  # which asks this file where the programs are

    made = Target(tmp_path_factory.mktemp("windows"))
    with prefix_is_busy():
        yield made
    made.stop()


@pytest.fixture(scope="module")
def config(target):
    """The agent's configuration, in a folder whose name needs quotes and is not in any code page of the west."""
    home = target.home / "umx agent \u0434\u0430\u043d\u043d\u044b\u0435"
    home.mkdir()
    identity = home / "identity.pem"
    shutil.copy(target.make.agent(dns=(machine_name(),), chain=[target.make.middle, target.make.root]), identity)
    path = home / "umx-agent.ini"
    path.write_text(f"[agent]\ncontroller = localhost:{target.ports['agents']}\nidentity = {windows_path(identity)}\n"
                    f"host = local\nstate = {windows_path(home)}\nstart_jitter = 0\nlongest_wait = 2\n")
    return path
