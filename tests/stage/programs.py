"""Running programs inside a lab, bounded and with their output kept."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / "tests" / "lab" / "lab"
sys.path.insert(0, str(LAB.parent))

from umxlab import network  # noqa: E402
from umxlab.place import Place  # noqa: E402


class Failed(Exception):
    """A program ended otherwise than expected; the message holds what it said."""


def lab(directory, *arguments, timeout=300, check=True):
    """Runs `lab ARGUMENTS` on the lab in a directory and returns the completed process."""
    done = subprocess.run([str(LAB), *map(str, arguments)], env={**os.environ, "LAB_DIR": str(directory)}, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout)
    if check and done.returncode != 0:
        raise Failed(f"lab {' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def inside(directory, argv, environment=None):
    """What `lab exec ARGV` becomes, without a Python of its own in between: the words and the environment."""
    place = Place(directory)
    return network.client_words(place, argv), {**os.environ, **network.client_environment(place), **(environment or {})}


class Daemon:
    """A program that stays, its standard error in a log file."""

    def __init__(self, name, directory, log, argv, environment=None):
        self.name = name
        self.log = Path(log)
        self.directory = directory
        self.argv = [str(a) for a in argv]
        self.environment = environment or {}
        self.process = None

    def start(self):
        argv, environment = inside(self.directory, self.argv, self.environment)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(argv, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        return self

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process is not None and self.process.poll() is None

    def wait_for(self, text, timeout=30, after=0):
        """Waits until the log, from a byte offset on, holds a text."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            said = self.log.read_bytes()[after:].decode(errors="replace")
            if text in said:
                return said
            if not self.running():
                raise Failed(f"{self.name} ended with {self.process.returncode}\n{said[-3000:]}")
            time.sleep(0.02)
        raise Failed(f"{self.name} did not say {text!r} in {timeout} s\n{self.log.read_text(errors='replace')[-3000:]}")

    def ask_to_end(self):
        if self.running():
            self.process.terminate()

    def stop(self, sig=signal.SIGTERM, timeout=20):
        """Ends it and returns its exit code; a program that does not end in time is killed and reported."""
        if not self.running():
            return self.process.returncode if self.process else None
        self.process.send_signal(sig)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(5)
            raise Failed(f"{self.name} did not end within {timeout} s of signal {sig}") from None

    def wait(self, timeout):
        return self.process.wait(timeout)


class Answer:
    """What a command said: exit code, standard output and error, and the JSON document where there is one."""

    def __init__(self, done, seconds):
        self.code = done.returncode
        self.out = done.stdout
        self.err = done.stderr
        self.seconds = seconds

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def error(self):
        """The id of the error that was reported, or None."""
        for line in self.err.splitlines():
            if line.startswith('{"error"'):
                return json.loads(line)["error"]["id"]
            if "error UMX-" in line:
                return "UMX-" + line.split("error UMX-", 1)[1].split(":", 1)[0]
        return None

    def __repr__(self):
        return f"exit {self.code} in {self.seconds:.2f} s\n--- out\n{self.out[-4000:]}\n--- err\n{self.err[-2000:]}"
