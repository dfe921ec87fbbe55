"""A worker killed in the middle of a drain: what is counted twice or lost (nothing may be), and what it costs.

Two cases: one of two workers is killed and the other takes over; the only worker is killed and started again. Counts
are compared with the log's, item by item and customer by customer. Read next: :mod:`benchmarks.exactness`.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.contenders.registry import CONTENDERS
from benchmarks.drain import Staging, start_contender
from benchmarks.exactness import check_state
from benchmarks.rounds import Rounds, catalogue_of
from benchmarks.stage import Ends
from benchmarks.watching import all_at_work, raise_if_stuck
from launch.processes import Process
from launch.readiness import free_port

__all__ = ["measure_kills"]

#: A dead worker's partitions are given away after so many seconds: the least that brokers allow by default.
_SESSION_S = 6.0
#: The share of the log at which the worker is killed.
_KILLED_AT = 0.4
_STEP_S = 0.05


def measure_kills(rounds: Rounds) -> dict[str, Any]:
    """Kill a worker in both cases, for each preset."""
    cases = {"one of two": 2, "the only one, started again": 1}
    return {
        "session_timeout_s": _SESSION_S,
        "presets": {
            preset: {case: _kill(rounds, preset, workers) for case, workers in cases.items()}
            for preset in rounds.asked.presets
        },
    }


def _kill(rounds: Rounds, preset: str, workers: int) -> dict[str, Any]:
    stage, asked, log, name = rounds.stage, rounds.asked, rounds.log(), rounds.name()
    how = Staging(preset=preset, catalogue=catalogue_of(asked.items), partitions=asked.partitions)
    settings = stage.settings(
        run=name,
        catalogue=how.catalogue,
        preset=preset,
        partitions=how.partitions,
        max_batch=asked.max_batch,
        health_port=0,
        session_timeout_s=_SESSION_S,
    )
    stage.prepare(settings, log)
    ends = Ends(settings)

    def start(number: int, port: int) -> Process:
        own = settings.model_copy(update={"worker": settings.worker.model_copy(update={"health_port": port})})
        return start_contender(stage, CONTENDERS["ours"], own, how, f"{name}-{number}")

    ports = [free_port() for _ in range(workers)]
    running = [start(number, port) for number, port in enumerate(ports)]
    try:
        killed_at = _Progress(ends, running).until(int(_KILLED_AT * len(log.records)), at_work=ports)
        running.pop(0).send(signal.SIGKILL)
        if not running:
            running.append(start(workers, free_port()))
        after = _Progress(ends, running)
        after.until(len(log.records), committed=True)
        found = {
            "purchases": len(log.records),
            "killed_at_lists": killed_at,
            "longest_silence_s": round(after.silence_s, 2),
            "through_s_after_the_kill": round(time.monotonic() - after.began_s, 2),
            "lists_published_again": ends.lists() - len(log.records),
            "checks": {
                **check_state(settings, log, all_customers=True),
                "a list for every purchase, at least": ends.lists() >= len(log.records),
                "nothing set aside": ends.dead_letters() == 0,
            },
        }
    finally:
        for process in running:
            process.stop(10.0)
        ends.close()
        stage.clear(settings)
    print(f"{preset:9} {workers} worker(s), one killed: {found}", flush=True)
    return found


class _Progress:
    """Waits for lists or commits, and remembers the longest time in which nothing came."""

    def __init__(self, ends: Ends, running: list[Process]) -> None:
        self._ends = ends
        self._running = running
        self.began_s = time.monotonic()
        self.silence_s = 0.0

    def until(self, wanted: int, *, committed: bool = False, at_work: Sequence[int] = ()) -> int:
        """Wait for so many lists (``committed``: committed purchases); return how many lists there are.

        The workers whose health pages are on the ports ``at_work`` must have published lists by then, too.
        """
        lists, moved_s = self._ends.lists(), time.monotonic()
        while (self._ends.committed() if committed else lists) < wanted or not all_at_work(at_work):
            time.sleep(_STEP_S)
            now, now_s = self._ends.lists(), time.monotonic()
            if now > lists:
                self.silence_s = max(self.silence_s, now_s - moved_s)
                moved_s = now_s
            lists = now
            raise_if_stuck(self._running, lists, wanted, now_s - moved_s)
        return lists
