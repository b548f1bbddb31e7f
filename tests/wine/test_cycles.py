"""One process of the agent's client code connects and leaves again and again, and lives whole lives of an agent that end at
any moment: what it holds does not grow. `UMX_CYCLES=10000` for the figures of docs/windows.md. Enrolments: test_lab.py."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from stage.wine import TESTS, need, windows_path, words

need()

COUNT = int(os.environ.get("UMX_CYCLES", 300))
HANDLES, DESCRIPTORS, THREADS = 8, 8, 4  # what may come and go; a leak of one a cycle is far beyond
MEMORY = 12 << 20


def cycles(*arguments, timeout=1200):
    """What the program says after each tenth, with what Linux says of its process."""
    line, environment = words(TESTS / "cycles.exe", *arguments)
    said = []
    with subprocess.Popen(line, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        try:
            for text in process.stdout:
                here = Path(f"/proc/{process.pid}")
                said.append({**json.loads(text), "descriptors": len(list((here / "fd").iterdir())),
                             "threads": len(list((here / "task").iterdir()))})
            code = process.wait(timeout)
        finally:
            process.kill()
    assert code == 0, (code, said)
    return said


def assert_steady(said, count):
    """What is kept for good is there when a tenth is done."""
    assert said[-1]["done"] >= count - count // 10, said
    first, last = said[1], said[-1]
    print(json.dumps([first, last]))
    for what, allowed in (("handles", HANDLES), ("descriptors", DESCRIPTORS), ("threads", THREADS), ("working_set", MEMORY)):
        assert last[what] - first[what] <= allowed, (what, said)


@pytest.mark.parametrize("what, count", [("connect", COUNT), ("begin", COUNT), ("session", max(COUNT // 20, 32))])
def test_nothing_grows(target, config, what, count):
    assert_steady(cycles(what, windows_path(config), count), count)
