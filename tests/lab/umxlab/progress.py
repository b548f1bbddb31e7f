"""One line per step on standard error, with the time since the command began."""

import sys
import time

_started = time.monotonic()


def elapsed():
    return time.monotonic() - _started


def step(text):
    print(f"[{elapsed():6.1f} s] {text}", file=sys.stderr, flush=True)
