"""What the kernel says of processes: CPU seconds, memory; and what machine this is. Linux's /proc, nothing else."""

from __future__ import annotations

import contextlib
import os
import platform
import re
from pathlib import Path
from typing import NamedTuple

__all__ = [
    "Busy",
    "available_memory_gb",
    "cpu_seconds",
    "forget_peak_memory",
    "has_mapped",
    "machine",
    "peak_memory_mb",
    "whole_machine",
]

_TICKS_S = 1.0 / os.sysconf("SC_CLK_TCK")


class Busy(NamedTuple):
    """CPU seconds of the whole machine, all cores together, since it started."""

    used_s: float
    all_s: float


def cpu_seconds(pid: int, *, alone: bool = False) -> float:
    """Return the CPU seconds, user and system, of a process, its threads and (unless ``alone``) its children.

    0 once it has ended.

    >>> cpu_seconds(os.getpid()) > 0
    True
    """
    total = 0.0
    for member in [pid] if alone else [pid, *_descendants(pid)]:
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += (int(fields[11]) + int(fields[12])) * _TICKS_S
    return total


def has_mapped(pid: int, library: str) -> bool:
    """Return whether a process, or one of its children, has mapped a file whose path holds ``library``.

    >>> has_mapped(os.getpid(), "python"), has_mapped(os.getpid(), "no such library")
    (True, False)
    """
    for member in [pid, *_descendants(pid)]:
        with contextlib.suppress(OSError):
            if library in Path(f"/proc/{member}/maps").read_text():
                return True
    return False


def peak_memory_mb(pid: int) -> float:
    """Return the greatest resident size of a process so far, its children's added; MB of 10^6 bytes.

    >>> peak_memory_mb(os.getpid()) > 1
    True
    """
    total_kb = 0
    for member in [pid, *_descendants(pid)]:
        try:
            status = Path(f"/proc/{member}/status").read_text()
        except OSError:
            continue
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        total_kb += int(found.group(1)) if found else 0
    return total_kb * 1024 / 1e6


def forget_peak_memory(pid: int) -> None:
    """Let a process's greatest resident size begin anew with its present one, where the kernel allows that."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def available_memory_gb() -> float:
    """Return how much memory programs may still take, GB of 10^9 bytes; 0 where the kernel does not say.

    >>> available_memory_gb() >= 0
    True
    """
    try:
        found = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    except OSError:
        return 0.0
    return int(found.group(1)) * 1024 / 1e9 if found else 0.0


def whole_machine() -> Busy:
    """Return how busy all cores were since the start: the difference of two readings tells who else was at work."""
    user, nice, system, idle, wait, irq, soft, steal, *_ = (
        int(number) for number in Path("/proc/stat").read_text().partition("\n")[0].split()[1:]
    )
    used = user + nice + system + irq + soft + steal
    return Busy(used * _TICKS_S, (used + idle + wait) * _TICKS_S)


def machine() -> dict[str, object]:
    """Return what a reader has to know of this machine."""
    try:
        cpu = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
        memory = re.search(r"MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    except OSError:
        cpu = memory = None
    return {
        "cpu": cpu.group(1).strip() if cpu else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(int(memory.group(1)) * 1024 / 1e9, 1) if memory else None,
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "load_before": round(os.getloadavg()[0], 2),
    }


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return found
    for task in tasks:
        try:
            children = [int(word) for word in (task / "children").read_text().split()]
        except OSError:
            continue
        for child in children:
            found += [child, *_descendants(child)]
    return found
