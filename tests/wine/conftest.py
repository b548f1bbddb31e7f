"""Programs for Windows under Wine. Apart from tests/system: they need the Windows build, which `tests/windows` makes."""

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
ROOT = TESTS.parent  # as tests/system has it, whose controller the tests here share
sys.path[:0] = [str(TESTS), str(TESTS / "system")]
