import os
import subprocess
import sys
import time

import pytest

from benchmarks.processes_seen import cpu_seconds, forget_peak_memory, machine, peak_memory_mb, whole_machine

BURN = "import time, sys; end = time.process_time() + 0.2\nwhile time.process_time() < end: pass\nsys.stdin.read()"


def test_a_childs_work_is_its_parents_unless_it_is_counted_alone() -> None:
    child = subprocess.Popen([sys.executable, "-c", BURN], stdin=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 30.0
        while cpu_seconds(child.pid) < 0.2 and time.monotonic() < deadline:
            pass
        before = cpu_seconds(os.getpid(), alone=True)
        assert cpu_seconds(os.getpid()) >= before + 0.2
        assert peak_memory_mb(os.getpid()) > peak_memory_mb(child.pid) > 1.0
    finally:
        child.communicate()
    assert cpu_seconds(child.pid) == 0.0


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="the kernel does not let us")
def test_a_peak_of_memory_that_is_forgotten_does_not_count() -> None:
    large = bytearray(b"x") * 200_000_000
    highest = peak_memory_mb(os.getpid())
    del large
    forget_peak_memory(os.getpid())
    assert peak_memory_mb(os.getpid()) < highest - 100.0


def test_the_whole_machine_was_never_busier_than_all_of_its_time() -> None:
    seen = whole_machine()
    assert 0.0 < seen.used_s <= seen.all_s


def test_the_machine_is_described_without_its_name() -> None:
    told = machine()
    assert told["cores"] == len(os.sched_getaffinity(0))
    assert os.uname().nodename not in {str(value) for value in told.values()}
