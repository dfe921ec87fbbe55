"""The keeper: a tiny process that owns the programs of a run, so that nothing outlives the run, whatever ends it.

It reads orders on its standard input and holds a temporary directory; when that input ends (its parent finished,
crashed or was killed with -9) it ends every program that it started and removes the directory. It never imports
anything of ours: it is run as a bare script by :mod:`launch.processes`, which is where to read next.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

__all__ = ["PREFIX", "main"]

#: Temporary directories of a run are named with this; each holds a ``lock`` that its keeper holds while it lives.
PREFIX = "trendloom-run-"
_GRACE_S = 5.0
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve orders until standard input ends, then end every program and remove the directory.

    An order is one JSON object a line, and so is its answer: ``start`` (argv, environment, log, directory) gives
    ``pid``; ``signal`` (pid, signal) gives ``status``; ``poll`` (pid) gives ``status``, null while it runs.
    """
    os.setsid()  # Ctrl-C in the terminal is for the parent, which ends its programs in the right order
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _leave)
    _sweep()
    directory = Path(tempfile.mkdtemp(prefix=PREFIX))
    programs: dict[int, subprocess.Popen[bytes]] = {}
    try:
        with (directory / "lock.new").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            (directory / "lock.new").rename(directory / "lock")  # never seen unlocked by another keeper's sweep
            _answer({"directory": str(directory)})
            for line in sys.stdin.buffer:
                _answer(_obey(json.loads(line), programs))
    finally:
        _end(programs)
        shutil.rmtree(directory, ignore_errors=True)


def _obey(order: dict[str, Any], programs: dict[int, subprocess.Popen[bytes]]) -> dict[str, Any]:
    if order["do"] == "start":
        try:
            with Path(order["log"]).open("ab") as log:
                program = subprocess.Popen(
                    order["argv"],
                    env=order["environment"],
                    cwd=order["directory"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    preexec_fn=_die_with_keeper,  # noqa: PLW1509 - this process has one thread
                )
        except OSError as error:
            return {"error": str(error)}
        programs[program.pid] = program
        return {"pid": program.pid}
    program = programs[order["pid"]]
    if order["do"] == "signal" and program.poll() is None:
        program.send_signal(order["signal"])
    return {"status": program.poll()}


def _end(programs: dict[int, subprocess.Popen[bytes]]) -> None:
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    for program in programs.values():
        if program.poll() is None:
            program.send_signal(signal.SIGTERM)
            program.send_signal(signal.SIGCONT)
    deadline = time.monotonic() + _GRACE_S
    for program in programs.values():
        try:
            program.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()


def _sweep() -> None:
    """Remove directories of runs whose keeper was itself killed with -9: their lock is free."""
    for left in Path(tempfile.gettempdir()).glob(PREFIX + "*"):
        with contextlib.suppress(OSError), (left / "lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)


def _die_with_keeper() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _answer(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _leave(_number: int, _frame: object) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main()
