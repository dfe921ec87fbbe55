"""Programs of a run, started through the keeper, so that none of them outlives the run.

Holds :class:`Processes` (the run's programs and its temporary directory) and :class:`Process` (one of them). It knows
nothing of brokers or stores: :mod:`launch.embedded` starts those with it, :mod:`launch.run` the workers.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from launch import keeper
from trendloom.errors import TrendloomError

__all__ = ["Process", "Processes", "ProgramFailed"]

_TAIL_LINES = 12


class ProgramFailed(TrendloomError):
    """A program that a run needs did not start, or ended by itself."""


class Processes:
    """The programs of one run and their temporary ``directory``; a context manager that ends and removes them all.

    The guarantee: whatever ends this process (return, exception, SIGTERM, ``kill -9``), every program started here
    ends within a few seconds and the directory is removed, because the keeper sees its pipe close.

    >>> with Processes() as processes:
    ...     process = processes.start("greeting", [sys.executable, "-c", "print('good day')"])
    ...     status, said = process.wait(timeout_s=10), process.tail()
    >>> status, said, processes.directory.exists()
    (0, 'good day', False)
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keeper = subprocess.Popen(
            [sys.executable, "-I", "-S", keeper.__file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        #: The run's temporary directory: logs and whatever the programs write.
        self.directory = Path(self._answer()["directory"])

    def __enter__(self) -> Self:
        """Return itself; the programs end with the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End every program and remove the directory."""
        self.close()

    def start(
        self,
        name: str,
        argv: Sequence[str],
        environment: Mapping[str, str] | None = None,
        working_directory: Path | None = None,
    ) -> Process:
        """Start a program; its output goes to ``<name>.log`` in the run's directory, where it also runs by default.

        ``environment`` is added to this process's own. Raises :class:`ProgramFailed` if it cannot be started at all.
        """
        log = self.directory / f"{name}.log"
        answer = self._order(
            do="start",
            argv=[str(word) for word in argv],
            environment={**os.environ, **(environment or {})},
            log=str(log),
            directory=str(working_directory or self.directory),
        )
        if "error" in answer:
            raise ProgramFailed(f"{name} cannot be started: {answer['error']}. Action: check that {argv[0]} is there.")
        return Process(self, name, answer["pid"], log)

    def close(self) -> None:
        """End every program (SIGTERM, and SIGKILL five seconds later) and remove the directory; may be called twice."""
        with self._lock:
            if self._keeper.stdin is not None and not self._keeper.stdin.closed:
                with contextlib.suppress(BrokenPipeError):  # the keeper was killed: its programs died with it
                    self._keeper.stdin.close()
            self._keeper.wait()
            shutil.rmtree(self.directory, ignore_errors=True)
            if self._keeper.stdout is not None:
                self._keeper.stdout.close()

    def _order(self, **order: Any) -> dict[str, Any]:
        with self._lock:
            pipe = self._keeper.stdin
            if pipe is None or pipe.closed:
                raise ProgramFailed("The run has ended. Action: start programs before it closes.")
            try:
                pipe.write(json.dumps(order).encode() + b"\n")
                pipe.flush()
                return self._answer()
            except BrokenPipeError:
                raise self._lost() from None

    def _answer(self) -> dict[str, Any]:
        pipe = self._keeper.stdout
        line = pipe.readline() if pipe is not None else b""
        if not line:
            raise self._lost()
        answer: dict[str, Any] = json.loads(line)
        return answer

    @staticmethod
    def _lost() -> ProgramFailed:
        return ProgramFailed("The process that keeps the run's programs was ended. Action: start the run again.")


class Process:
    """One program of a run: ``name``, ``pid``, ``log``."""

    def __init__(self, processes: Processes, name: str, pid: int, log: Path) -> None:
        self._processes = processes
        self.name = name
        self.pid = pid
        self.log = log
        self._status: int | None = None

    def status(self) -> int | None:
        """Return its exit status (negative: ended by that signal), or ``None`` while it runs."""
        if self._status is None:
            self._status = self._processes._order(do="poll", pid=self.pid)["status"]  # noqa: SLF001 - one unit
        return self._status

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens if it has ended."""
        if self._status is None:
            self._status = self._processes._order(do="signal", pid=self.pid, signal=int(number))["status"]  # noqa: SLF001

    def wait(self, timeout_s: float) -> int:
        """Return its exit status once it has ended; raises :class:`ProgramFailed` if that takes too long."""
        deadline = time.monotonic() + timeout_s
        while (status := self.status()) is None:
            if time.monotonic() > deadline:
                raise ProgramFailed(f"{self.name} still runs after {timeout_s:g} s.\n{self.tail()}\nAction: see above.")
            time.sleep(0.01)
        return status

    def stop(self, grace_s: float = 20.0) -> int:
        """Ask it to end (SIGTERM), insist after ``grace_s`` (SIGKILL), and return its exit status."""
        self.send(signal.SIGTERM)
        self.send(signal.SIGCONT)
        try:
            return self.wait(grace_s)
        except ProgramFailed:
            self.send(signal.SIGKILL)
            return self.wait(10.0)

    def tail(self, lines: int = _TAIL_LINES) -> str:
        """Return the last lines of what it printed."""
        try:
            text = self.log.read_bytes()[-8192:].decode(errors="replace")
        except FileNotFoundError:
            return "(it printed nothing)"
        return "\n".join(text.splitlines()[-lines:]) or "(it printed nothing)"
