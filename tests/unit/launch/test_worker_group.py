from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.loading import load_settings
from launch.worker_group import Member, members_of, run_group
from trendloom.errors import SettingsError

_POLITE = (
    "import os, signal, sys, threading; asked = threading.Event(); signal.signal(15, lambda *_: asked.set()); "
    "print('up', os.getpid(), flush=True); asked.wait(600); print('drained', flush=True); sys.exit({code})"
)

_GROUP = """
import sys
from launch.worker_group import Member, run_group
members = [Member(f"worker-{n}", [sys.executable, "-c", sys.argv[1]], {}) for n in range(2)]
sys.exit(run_group(members, drain_timeout_s=20.0, out=sys.stdout))
"""


def member(number: int, program: str) -> Member:
    return Member(f"worker-{number}", [sys.executable, "-c", program], {"GIVEN": str(number)})


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def soon(true: Callable[[], bool], timeout_s: float = 15.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(0.02)
    return True


class Group:
    """A group of two as a program of its own."""

    def __init__(self, program: str) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", _GROUP, program], stdout=subprocess.PIPE, text=True)
        lines = [self.line() for _ in range(2)]
        self.names = sorted(line.split(" | ")[0] for line in lines)
        self.pids = [int(line.split()[-1]) for line in lines]

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def rest(self) -> str:
        return self.process.communicate(timeout=30)[0]


@pytest.fixture
def group() -> Iterator[Group]:
    running = Group(_POLITE.format(code=0))
    yield running
    running.process.kill()
    running.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_every_member(group: Group, number: signal.Signals) -> None:
    group.process.send_signal(number)
    assert sorted(group.rest().splitlines()) == ["worker-0 | drained", "worker-1 | drained"]
    assert group.process.returncode == 0
    assert group.names == ["worker-0", "worker-1"]


def test_nothing_outlives_a_killed_parent(group: Group) -> None:
    assert all(alive(pid) for pid in group.pids)
    group.process.kill()
    assert soon(lambda: not any(alive(pid) for pid in group.pids))


def test_a_member_that_a_signal_ended_ends_the_group(group: Group) -> None:
    os.kill(group.pids[0], signal.SIGKILL)
    assert "ended by itself (exit code 137)" in group.rest()
    assert group.process.returncode == 137
    assert not any(alive(pid) for pid in group.pids)


def test_a_member_that_ends_by_itself_ends_the_others_with_its_code_and_last_words() -> None:
    out = io.StringIO()
    failing = "import sys; print('no broker there'); sys.exit(3)"
    code = run_group([member(0, _POLITE.format(code=0)), member(1, failing)], drain_timeout_s=20.0, out=out)
    assert code == 3
    said = out.getvalue()
    assert "worker-1 | no broker there\n" in said
    assert "worker-1 ended by itself (exit code 3)" in said.splitlines()[-3]
    assert said.splitlines()[-2:] == ["no broker there", "Action: see its words above, then start the group again."]


def test_a_drain_that_fails_is_told() -> None:
    failing = Group(_POLITE.format(code=5))
    failing.process.terminate()
    failing.rest()
    assert failing.process.returncode == 5


def test_settings_go_to_each_and_what_must_differ_does() -> None:
    given = {
        "kafka.instance_id": "shop",
        "worker.health_port": 8100,
        "lists.top_k": 7,
        "kafka.sasl_password": "not told",
    }
    members = members_of(load_settings(overrides=given).settings, 3, log_level="WARNING")
    assert [found.name for found in members] == ["worker-0", "worker-1", "worker-2"]
    assert [found.environment["TRENDLOOM_WORKER__HEALTH_PORT"] for found in members] == ["8100", "8101", "8102"]
    assert [found.environment["TRENDLOOM_KAFKA__INSTANCE_ID"] for found in members] == ["shop-0", "shop-1", "shop-2"]
    for found in members:
        assert found.environment["TRENDLOOM_LISTS__TOP_K"] == "7"
        assert "none" not in found.argv
        assert found.argv[-2:] == ["--log-level", "WARNING"]


def test_no_health_port_and_no_instance_stay_none() -> None:
    for found in members_of(load_settings().settings, 2):
        assert found.environment["TRENDLOOM_WORKER__HEALTH_PORT"] == "0"
        assert found.environment["TRENDLOOM_KAFKA__INSTANCE_ID"] == ""


def test_ports_beyond_the_last_are_refused() -> None:
    settings = load_settings(overrides={"worker.health_port": 65_535}).settings
    assert len(members_of(settings, 1)) == 1
    with pytest.raises(SettingsError, match=r"2 health ports from 65535 .* Action:"):
        members_of(settings, 2)
