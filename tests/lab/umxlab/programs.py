"""Run other programs, always with a deadline.

A frozen domain controller makes its clients wait for ever, so nothing here may be
started without saying how long it may take.
"""

import os
import signal
import subprocess


class LabError(Exception):
    """Something the user of the lab should read; never a traceback."""


def run(argv, deadline, *, stdin=None, env=None, check=True, cwd=None):
    """Run argv, return the CompletedProcess; its whole session dies at the deadline."""
    environment = {**os.environ, **(env or {})}
    process = subprocess.Popen(
        [str(a) for a in argv], stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        cwd=cwd, start_new_session=True)
    try:
        out, err = process.communicate(stdin, timeout=deadline)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise LabError(f"{describe(argv)}: no answer within {deadline} s") from None
    if check and process.returncode:
        raise LabError(f"{describe(argv)}: exit code {process.returncode}: {last_lines(err or out)}")
    return subprocess.CompletedProcess(argv, process.returncode, out, err)


def spawn(argv, output, *, env=None):
    """Start a program that outlives the lab command; its output goes to a file."""
    with open(output, "ab") as sink:
        return subprocess.Popen(
            [str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=sink, stderr=sink,
            env={**os.environ, **(env or {})}, start_new_session=True)


def describe(argv):
    """The program that matters, without the words that put it into its namespaces."""
    words = [str(a) for a in argv]
    if "--" in words:
        words = words[words.index("--") + 1:]
    return " ".join(w if "%" not in w else "..." for w in words[:6])


def last_lines(text, count=4):
    return " | ".join([line for line in text.strip().splitlines() if line][-count:]) or "(no output)"
