from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from launch.processes import Process, Processes, ProgramFailed

_SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]

_PARENT = """
import signal, sys, threading, time
from launch.processes import Processes
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests in the background ignores it
processes = Processes()
started = []
thread = threading.Thread(target=lambda: started.append(processes.start("sleeper", [sys.executable, "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN if {stubborn} else signal.SIG_DFL); "
    "print('up', flush=True); time.sleep(600)"])))
thread.start(); thread.join()
while "up" not in started[0].tail():
    time.sleep(0.01)
print(started[0].pid, processes.directory, flush=True)
time.sleep(600)
"""


def _soon(true: Callable[[], bool], timeout_s: float = 15.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(0.02)
    return True


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"  # a zombie has ended; where nobody reaps orphans it stays listed


def test_what_a_program_prints_is_kept_and_its_status_told() -> None:
    with Processes() as processes:
        process = processes.start("talker", [sys.executable, "-c", "print('words'); raise SystemExit(3)"])
        assert process.wait(20.0) == 3
        assert process.tail() == "words"


def test_the_environment_is_added_to_our_own() -> None:
    with Processes() as processes:
        asked = "import os; print(os.environ['GIVEN'], 'PATH' in os.environ)"
        process = processes.start("asker", [sys.executable, "-c", asked], {"GIVEN": "here"})
        process.wait(20.0)
        assert process.tail() == "here True"


def test_a_program_that_is_not_there_is_a_sentence() -> None:
    with Processes() as processes, pytest.raises(ProgramFailed, match=r"Action: check that no-such-program is there"):
        processes.start("nobody", ["no-such-program"])


def test_stop_insists_when_it_is_ignored() -> None:
    with Processes() as processes:
        ignoring = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
        process = processes.start("stubborn", [sys.executable, "-c", ignoring])
        assert _soon(lambda: process.tail() == "up")
        assert process.stop(grace_s=0.2) == -signal.SIGKILL


def test_waiting_has_an_end() -> None:
    with Processes() as processes:
        process = processes.start("sleeper", _SLEEPER)
        with pytest.raises(ProgramFailed, match="still runs after"):
            process.wait(0.05)


def test_closing_ends_programs_and_removes_the_directory() -> None:
    processes = Processes()
    process = processes.start("sleeper", _SLEEPER)
    directory = processes.directory
    assert directory.is_dir()
    processes.close()
    processes.close()
    assert not _alive(process.pid)
    assert not directory.exists()
    with pytest.raises(ProgramFailed, match="has ended"):
        processes.start("late", _SLEEPER)


def test_a_stopped_program_ends_too() -> None:
    with Processes() as processes:
        process = processes.start("sleeper", _SLEEPER)
        process.send(signal.SIGSTOP)
        assert process.stop() == -signal.SIGTERM


@pytest.mark.parametrize("killed_with", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_the_parent_whatever_ends_it(killed_with: signal.Signals) -> None:
    """The program was started from a thread that has ended, which must not matter."""
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT.format(stubborn=False)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert parent.stdout is not None
    pid, directory = parent.stdout.readline().decode().split()
    assert _alive(int(pid))
    parent.send_signal(killed_with)
    parent.wait()
    parent.stdout.close()
    assert _soon(lambda: not _alive(int(pid)) and not Path(directory).exists())


@pytest.mark.slow
def test_a_stubborn_program_does_not_outlive_a_killed_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", _PARENT.format(stubborn=True)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid, directory = parent.stdout.readline().decode().split()
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert _soon(lambda: not _alive(int(pid)) and not Path(directory).exists())


def test_programs_die_with_a_killed_keeper_and_the_next_run_removes_what_it_left() -> None:
    processes = Processes()
    process: Process = processes.start("sleeper", _SLEEPER)
    processes._keeper.kill()
    processes._keeper.wait()
    if sys.platform == "linux":
        assert _soon(lambda: not _alive(process.pid))
    with pytest.raises(ProgramFailed, match="was ended"):
        process.status()
    assert processes.directory.exists()
    with Processes():
        assert not processes.directory.exists()
    processes.close()


def test_closing_after_the_keeper_was_killed_removes_the_directory() -> None:
    processes = Processes()
    processes._keeper.kill()
    processes._keeper.wait()
    processes.close()
    assert not processes.directory.exists()
