"""A controller without a lab, and thousands of made-up agents (tests/bench/fleet) on it."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """[controller]
agents = 127.0.0.1:{0}
operators = 127.0.0.1:{1}
data = {2}/data
refresh = 0
connections_per_address = 0
[forest bench.test]
side = exchange
bind = gssapi
reader = reader@BENCH.TEST
reader_keytab = {2}/none.keytab
writer = writer@BENCH.TEST
writer_keytab = {2}/none.keytab
operator_ca = {2}/data/root.pem
domain_controllers = dc.bench.test
"""


def cache():
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "umx-bench"


class Crowd:
    """A fresh deployment of cached certificates in a directory of its own."""

    def __init__(self, directory, count, port=17443, build=None):
        self.build = Path(build or os.environ.get("UMX_BUILD", ROOT / "build"))
        self.home, self.count, self.port = Path(directory), count, port
        self.identities = cache() / str(count)
        self.controller = self.agents = None
        # The certificates live for 300 days, the operator's for 7.
        made = self.identities / "agents.pem"
        if made.exists() and time.time() - made.stat().st_mtime > 250 * 86400:
            shutil.rmtree(self.identities)
        self.identities.mkdir(parents=True, exist_ok=True)
        subprocess.run([self.build / "tests/bench-fleet", "make", self.identities, str(count)], check=True, timeout=600)
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.copytree(self.identities / "data", self.home / "data")
        (self.home / "umxd.ini").write_text(CONFIG.format(port, port + 1, self.home))

    def start_controller(self):
        """Seconds until it serves."""
        log = self.home / "umxd.log"
        after = log.stat().st_size if log.exists() else 0
        started = time.monotonic()
        with log.open("ab") as out:
            self.controller = subprocess.Popen([self.build / "bin/umxd", "--config", self.home / "umxd.ini"],
                                               stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        while b"serves agents on" not in log.read_bytes()[after:]:
            assert self.controller.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() - started < 120
            time.sleep(0.01)
        return time.monotonic() - started

    def start_agents(self):
        self.agents = subprocess.Popen(
            [self.build / "tests/bench-fleet", "agents", self.identities, str(self.count), f"127.0.0.1:{self.port}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return json.loads(self.agents.stdout.readline())

    def send(self, command):
        self.agents.stdin.write(command + "\n")
        self.agents.stdin.flush()

    def receive(self):
        line = self.agents.stdout.readline()
        assert line, "the agents ended"
        return json.loads(line)

    def tell(self, command):
        self.send(command)
        return self.receive()

    def umx_words(self, *arguments):
        return [self.build / "bin/umx", "--controller", f"127.0.0.1:{self.port + 1}", "--identity",
                self.identities / "operator.pem", "-o", "json", *map(str, arguments)]

    def query(self, *arguments, timeout=120):
        done = subprocess.run(self.umx_words("query", *arguments), text=True, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=timeout)
        assert done.returncode in (0, 4), done.stderr[-2000:]
        return json.loads(done.stdout)

    # ---- the controller's costs

    def processor(self):
        fields = Path(f"/proc/{self.controller.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def anonymous(self):
        """KiB."""
        for line in Path(f"/proc/{self.controller.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Anonymous:"):
                return int(line.split()[1])
        raise AssertionError("no Anonymous")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.controller.pid}/fd"))

    def threads(self):
        return len(os.listdir(f"/proc/{self.controller.pid}/task"))

    def stop(self):
        for process in (self.agents, self.controller):
            if process is not None and process.poll() is None:
                process.terminate()
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        shutil.rmtree(self.home, ignore_errors=True)
