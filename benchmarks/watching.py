"""Looks at a drain while it runs: lists published, CPU seconds of each process, from the first list to the last.

It looks seldom, and often only near the end, because looking costs, too. Read next: :mod:`benchmarks.drain`.
"""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from benchmarks.processes_seen import Busy, cpu_seconds, whole_machine
from benchmarks.stage import Ends
from launch.processes import Process, ProgramFailed

__all__ = ["Sample", "all_at_work", "drained", "raise_if_stuck", "watch"]

_STEP_S, _NEAR_STEP_S, _STUCK_S = 0.1, 0.02, 90.0


class Sample(NamedTuple):
    """A moment of a drain: lists published, and CPU seconds so far of each process."""

    at_s: float
    lists: int
    cpu_s: dict[str, float]
    machine: Busy


def drained(first: Sample, samples: Iterable[Sample], wanted: int, window_s: float) -> Sample:
    """Return the sample that ends a drain: the first that has everything, or that lies a window after the first list.

    >>> still = Busy(0.0, 0.0)
    >>> some = [Sample(float(at), 10 * at, {}, still) for at in range(10)]
    >>> drained(some[1], some[2:], wanted=50, window_s=100).at_s, drained(some[1], some[2:], 500, 3).at_s
    (5.0, 4.0)
    """
    for sample in samples:
        if sample.lists >= wanted or sample.at_s - first.at_s >= window_s:
            return sample
    return first


def all_at_work(ports: Sequence[int]) -> bool:
    """Return whether every worker whose health page is on one of these ports has published lists.

    >>> all_at_work([])
    True
    """
    return all(_lists_told(port) > 0 for port in ports)


def _lists_told(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2.0)
    try:
        connection.request("GET", "/health")
        return int(json.loads(connection.getresponse().read())["counters"]["lists"])
    except (OSError, http.client.HTTPException, json.JSONDecodeError, KeyError):
        return 0
    finally:
        connection.close()


def watch(
    ends: Ends,
    watched: Mapping[str, Sequence[Process]],
    wanted: int,
    window_s: float,
    *,
    ports: Sequence[int] = (),
) -> tuple[Sample, Sample, float]:
    """Return two moments, and when the very first list could be read.

    The first moment is that of the first list, with several workers (``ports`` of their health pages) of each one's
    first; the second is that of the last list, or the window's end.
    """
    first: Sample | None = None
    first_list_s = 0.0
    before: Sample | None = None
    moved_s = time.monotonic()
    while True:
        now = _sample(ends, watched)
        if before is not None and now.lists > before.lists:
            moved_s = now.at_s
        if first is None and now.lists > 0:
            first_list_s = first_list_s or now.at_s
            first = now if len(ports) < 2 or all_at_work(ports) else None
        if first is None and now.lists >= wanted:
            msg = f"{wanted} lists were published before every worker was at work. Action: take a longer log."
            raise ProgramFailed(msg)
        if first is not None and now is not first and drained(first, [now], wanted, window_s) is now:
            return first, now, first_list_s
        raise_if_stuck(watched["worker"], now.lists, wanted, now.at_s - moved_s)
        near = first is None or before is None or _rest_s(before, now, wanted) < 3 * _STEP_S
        time.sleep(_NEAR_STEP_S if near else _STEP_S)
        before = now


def _rest_s(before: Sample, now: Sample, wanted: int) -> float:
    rate = (now.lists - before.lists) / max(now.at_s - before.at_s, 1e-9)
    return (wanted - now.lists) / rate if rate else float("inf")


def _sample(ends: Ends, watched: Mapping[str, Sequence[Process]]) -> Sample:
    lists = ends.lists()
    cpu_s = {name: sum(cpu_seconds(process.pid) for process in some) for name, some in watched.items()}
    # the engines are this process's own grandchildren, so it is counted alone
    onlooker = {"onlooker": cpu_seconds(os.getpid(), alone=True)}
    return Sample(time.monotonic(), lists, {**cpu_s, **onlooker}, whole_machine())


def raise_if_stuck(workers: Sequence[Process], lists: int, wanted: int, still_s: float) -> None:
    """Raise :class:`ProgramFailed`, with its last words, if a worker has ended or nothing has moved for long."""
    for process in workers:
        if process.status() is not None or still_s > _STUCK_S:
            raise ProgramFailed(
                f"{process.name}: {lists} of {wanted} lists are published, and it "
                f"{'stands still' if process.status() is None else 'has ended'}:\n{process.tail(30)}\n"
                "Action: see above."
            )
