import os
import subprocess
import sys
import time

from benchmarks.processes_seen import cpu_seconds, machine, peak_memory_mb, whole_machine

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


def test_the_whole_machine_was_never_busier_than_all_of_its_time() -> None:
    seen = whole_machine()
    assert 0.0 < seen.used_s <= seen.all_s


def test_the_machine_is_described_without_its_name() -> None:
    told = machine()
    assert told["cores"] == len(os.sched_getaffinity(0))
    assert os.uname().nodename not in {str(value) for value in told.values()}
