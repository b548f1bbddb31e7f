"""Fixtures: one fleet lab for the session, and a stage on it for each module."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
sys.dont_write_bytecode = True

from stage.programs import lab  # noqa: E402
from stage.stage import Stage  # noqa: E402

CONTOSO = ("contoso.test", "olga.orgadmin")
FABRIKAM = ("fabrikam.test", "olga.orgadmin")
LYNC = ("lync.test", "lars.lyncadmin")


@pytest.fixture(scope="session")
def fleet():
    """A running lab of topology fleet; `tests/side-by-side` names a directory for each of several at a time."""
    directory = Path(os.environ.get("UMX_TEST_LAB", "/dev/shm/umx-system-tests"))
    lab(directory, "down", check=False)
    lab(directory, "up", "--topology", "fleet", timeout=600)
    yield directory
    lab(directory, "down", timeout=120)


@pytest.fixture(scope="module")
def stage(fleet):
    """A controller with its agents, from nothing, for the tests of one module."""
    play = Stage(fleet).make()
    play.start_controller()
    play.start_agents()
    yield play
    play.stop()


@pytest.fixture
def fault(stage):
    """Makes faults and takes them back, whatever happens."""
    def make(*arguments):
        lab(stage.lab_dir, "fault", *arguments, timeout=120)
    yield make
    lab(stage.lab_dir, "heal", timeout=180)


@pytest.fixture
def bare(fleet):
    """A deployment whose controller the test starts itself."""
    play = Stage(fleet, name="bare").make()
    yield play
    play.stop()
