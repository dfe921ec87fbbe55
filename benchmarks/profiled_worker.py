"""Our worker with a sampling profiler inside: ``trendloom worker`` as it is, and where each µs of it goes.

A timer of the process's CPU time interrupts the main thread; each sample adds the CPU time that the thread has spent
since the last one to the stage that its stack stands in (:mod:`benchmarks.stages`). Other threads are counted by what
their own clocks say. What is written when the worker ends covers the time from the first batch on.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from benchmarks.stages import stage_of

__all__ = ["PROFILE_VARIABLE", "Profiler", "main"]

#: Name of the environment variable that says where the profile is written.
PROFILE_VARIABLE = "BENCH_PROFILE"
_EVERY_S = 0.002
_MOST_LINES = 60
#: What a batch meets first.
_FIRST = "PurchasesAgent.decode"


class Profiler:
    """Samples of the main thread, CPU seconds by stage and by function; begins to count at the first decoding."""

    def __init__(self) -> None:
        self.stages: defaultdict[str, float] = defaultdict(float)
        self.functions: defaultdict[str, float] = defaultdict(float)
        self.samples = 0
        self._begun = False
        self._main_s = self._process_s = self._wall_s = 0.0
        self._last_s = 0.0
        self._ended: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def start(self) -> None:
        """Begin to sample; must be called in the main thread."""
        signal.signal(signal.SIGPROF, self._sample)
        signal.siginterrupt(signal.SIGPROF, False)
        signal.setitimer(signal.ITIMER_PROF, _EVERY_S, _EVERY_S)

    def stop(self) -> None:
        """Sample no more."""
        signal.setitimer(signal.ITIMER_PROF, 0.0)

    def as_dict(self) -> dict[str, object]:
        """Return the profile, seconds: of the main thread by stage and function, of the whole process, on the clock."""
        wall_s, process_s, main_s = self._ended
        return {
            "samples": self.samples,
            "wall_s": round(wall_s - self._wall_s, 4),
            "process_cpu_s": round(process_s - self._process_s, 4),
            "main_thread_cpu_s": round(main_s - self._main_s, 4),
            "stages_s": _dearest(self.stages),
            "functions_s": _dearest(self.functions),
        }

    def _sample(self, _number: int, frame: FrameType | None) -> None:
        now_s = time.thread_time()
        spent_s, self._last_s = now_s - self._last_s, now_s
        stack = _stack(frame)
        stage, function = stage_of(stack)
        if not self._begun:
            if not any(name == _FIRST for _, name in stack):
                return
            self._begun = True
            self._wall_s, self._process_s, self._main_s = time.monotonic(), time.process_time(), now_s
            return
        self.samples += 1
        self.stages[stage] += spent_s
        self.functions[function] += spent_s
        if stage in {"decode", "score", "publish", "commit"}:  # what comes after the last of these is the worker's end
            self._ended = (time.monotonic(), time.process_time(), now_s)


def _dearest(spent_s: Mapping[str, float]) -> dict[str, float]:
    dearest = sorted(spent_s.items(), key=lambda entry: -entry[1])[:_MOST_LINES]
    return {name: round(spent, 4) for name, spent in dearest}


def _stack(frame: FrameType | None) -> list[tuple[str, str]]:
    """Return (file, function) of a frame and of all that called it, the innermost first."""
    found = []
    while frame is not None:
        found.append((frame.f_code.co_filename, frame.f_code.co_qualname))
        frame = frame.f_back
    return found


def main() -> None:
    """Run ``trendloom worker`` with the arguments given, and write its profile where the environment says."""
    from launch.cli import main as trendloom

    sys.argv = ["trendloom", "worker", *sys.argv[1:]]
    profiler = Profiler()
    assert threading.current_thread() is threading.main_thread()  # noqa: S101 - signals are handled there alone
    profiler.start()
    with contextlib.suppress(SystemExit):
        trendloom()
    profiler.stop()
    Path(os.environ[PROFILE_VARIABLE]).write_text(json.dumps(profiler.as_dict()), encoding="utf-8")


if __name__ == "__main__":
    main()
