"""``trendloom worker --processes N``: one parent, N ordinary worker processes on this machine.

The parent hands on what they print, passes SIGTERM and SIGINT on so that each finishes what is in flight, and ends them
all when one ends by itself; killed with -9 it leaves none behind (:mod:`launch.keeper`). It never reads Kafka or Redis.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

from config.settings import Settings
from launch.interruption import stop_on_interrupt
from launch.processes import Process, Processes, ProgramFailed
from launch.workers import environment_of
from trendloom.errors import SettingsError

__all__ = ["Member", "members_of", "run_group"]

_STEP_S = 0.1
_GRACE_S = 5.0  # beyond the drain itself: to leave the group and close
_LAST_PORT = 65_535


class Member(NamedTuple):
    """One program of a group; ``environment`` is added to our own."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]


def members_of(settings: Settings, count: int, *, log_level: str = "INFO") -> list[Member]:
    """Return ``count`` workers with these settings: health ports count upwards, so do names of static members.

    Raises :class:`SettingsError` when there are not so many ports.

    >>> [member.name for member in members_of(Settings(), 2)]
    ['worker-0', 'worker-1']
    """
    port, instance = settings.worker.health_port, settings.kafka.instance_id
    if port and port + count - 1 > _LAST_PORT:
        raise SettingsError(
            f"{count} health ports from {port} on end beyond {_LAST_PORT}. Action: give a lower --health-port, or 0."
        )
    argv = [sys.executable, "-P", "-m", "launch.cli", "worker", "--log-level", log_level]
    members = []
    for number in range(count):
        worker = settings.worker.model_copy(update={"health_port": port + number if port else 0})
        kafka = settings.kafka.model_copy(update={"instance_id": f"{instance}-{number}" if instance else ""})
        own = settings.model_copy(update={"worker": worker, "kafka": kafka})
        members.append(Member(f"worker-{number}", argv, environment_of(own)))
    return members


def run_group(members: Sequence[Member], *, drain_timeout_s: float, out: TextIO) -> int:
    """Run the members until a signal (then 0 if all ended well) or until one ends by itself (then its exit code).

    What they print goes to ``out``, each line with its member's name before it. A member that a signal ended counts as
    128 plus the signal's number, as in a shell.
    """
    with stop_on_interrupt() as stop, Processes() as processes:
        running = [processes.start(name, argv, env, Path.cwd()) for name, argv, env in members]
        spoken = [_Voice(process, out) for process in running]
        ended: Process | None = None
        while not stop.wait(_STEP_S) and ended is None:
            ended = next((process for process in running if process.status() is not None), None)
            _hand_on(spoken)
        statuses = _end(running, drain_timeout_s)
        _hand_on(spoken)
        if ended is not None:
            code = _exit_code(ended.status() or 0)
            out.write(
                f"trendloom: {ended.name} ended by itself (exit code {code}), so the others were ended too; its last "
                f"words:\n{ended.tail()}\nAction: see its words above, then start the group again.\n"
            )
            return code
        # one that the signal met before it could listen had nothing in flight
        return next((_exit_code(status) for status in statuses if status not in {0, -signal.SIGTERM}), 0)


class _Voice:
    """Hands on what a program printed since it was last asked."""

    def __init__(self, process: Process, out: TextIO) -> None:
        self._process, self._out = process, out
        self._at = 0
        self._rest = b""

    def hand_on(self) -> None:
        with self._process.log.open("rb") as log:
            log.seek(self._at)
            found = log.read()
        self._at += len(found)
        *lines, self._rest = (self._rest + found).split(b"\n")
        for line in lines:
            self._out.write(f"{self._process.name} | {line.decode(errors='replace')}\n")
        self._out.flush()


def _hand_on(voices: Sequence[_Voice]) -> None:
    for voice in voices:
        voice.hand_on()


def _end(running: Sequence[Process], drain_timeout_s: float) -> list[int]:
    """Ask all at once to finish, wait for them together, insist where one does not; return their statuses."""
    for process in running:
        process.send(signal.SIGTERM)
        process.send(signal.SIGCONT)
    deadline = time.monotonic() + drain_timeout_s + _GRACE_S
    statuses = []
    for process in running:
        try:
            statuses.append(process.wait(max(0.0, deadline - time.monotonic())))
        except ProgramFailed:
            process.send(signal.SIGKILL)
            statuses.append(process.wait(_GRACE_S))
    return statuses


def _exit_code(status: int) -> int:
    return 128 - status if status < 0 else status
