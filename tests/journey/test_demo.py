"""The demo as a stranger runs it: one command, in a process of its own, and nothing left behind whatever ends it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.broker, pytest.mark.redis, pytest.mark.slow]


@pytest.fixture
def elsewhere(tmp_path: Path) -> dict[str, str]:
    """An environment whose temporary directory is the test's own, so that what is left behind can be seen."""
    room = tmp_path / "tmp"
    room.mkdir()
    return {**os.environ, "TMPDIR": str(room)}


def _demo(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "launch.cli", "demo", *arguments]


def _report(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _soon(true: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(0.05)
    return True


def _descendants(pid: int) -> set[int]:
    """Processes below a process; /proc, so Linux only."""
    found, waiting = set[int](), [pid]
    while waiting:
        parent = waiting.pop()
        try:
            tasks = list(Path(f"/proc/{parent}/task").iterdir())
            children = [int(word) for task in tasks for word in (task / "children").read_text().split()]
        except OSError:
            continue
        found.update(children)
        waiting.extend(children)
    return found


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def running_demo(elsewhere: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """An endless demo whose first lists have come."""
    demo = subprocess.Popen(
        _demo("--no-page", "--rate", "50", "--warm-up", "0"),
        env=elsewhere | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert demo.stdout is not None
    said = []
    for line in demo.stdout:
        said.append(line)
        if "purchases/s" in line:
            break
    else:
        pytest.fail("".join(said))
    yield demo
    demo.kill()
    demo.wait()
    demo.stdout.close()


@pytest.fixture(params=["embedded", pytest.param("apache", marks=pytest.mark.kafka)])
def where(
    request: pytest.FixtureRequest, elsewhere: dict[str, str], fresh_prefix: Callable[[], str]
) -> tuple[list[str], dict[str, str]]:
    """Flags and environment of a demo: on engines of its own, or on Apache Kafka and the system's Redis."""
    if request.param == "embedded":
        return [], elsewhere
    prefix = fresh_prefix()
    own = {
        "TRENDLOOM_KAFKA__TOPIC_PREFIX": prefix,
        "TRENDLOOM_KAFKA__GROUP": f"{prefix}group",
        "TRENDLOOM_REDIS__KEY_PREFIX": prefix.rstrip("."),
    }
    kafka, redis_url = request.getfixturevalue("apache_kafka"), request.getfixturevalue("redis_server")
    return ["--kafka", kafka, "--redis", redis_url], elsewhere | own


@pytest.mark.timeout(180)
def test_headless_every_purchase_is_applied_and_listed(where: tuple[list[str], dict[str, str]], tmp_path: Path) -> None:
    flags, environment = where
    report = tmp_path / "report.json"
    done = subprocess.run(
        _demo("--headless", "--purchases", "5000", "--seed", "42", "--report", str(report), *flags),
        env=environment,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = _report(report)
    assert found["purchases_sent"] == 5000
    assert found["purchases_applied"] == 5000
    assert found["popularity_total"] == 5000
    assert found["lists_published"] == 5000 + found["duplicate_lists"]
    assert (found["missing_lists"], found["dead_letters"]) == (0, 0)
    assert (found["version_regressions"], found["lists_malformed"]) == (0, 0)
    assert found["lists_examined"] == found["lists_published"]
    assert 0 < found["customers"] <= 500
    assert 0 < found["freshness_ms"]["p50"] <= found["freshness_ms"]["p99"]
    assert found["events_per_s"] > 0
    assert found["seed"] == 42
    assert {"python", "trendloom", "faust-streaming", "broker", "store"} <= set(found["versions"])
    assert list(Path(environment["TMPDIR"]).iterdir()) == []


@pytest.mark.timeout(120)
@pytest.mark.parametrize("ended_with", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_end_it_sums_up_and_leaves_nothing(
    running_demo: subprocess.Popen[str], elsewhere: dict[str, str], ended_with: signal.Signals
) -> None:
    below = _descendants(running_demo.pid)
    assert len(below) >= 4  # keeper, broker, store, worker
    running_demo.send_signal(ended_with)
    said, _ = running_demo.communicate(timeout=60)
    assert running_demo.returncode == 0, said
    assert "0 missing" in said
    assert not [pid for pid in below if _alive(pid)]
    assert list(Path(elsewhere["TMPDIR"]).iterdir()) == []


@pytest.mark.timeout(120)
def test_killed_it_leaves_no_process_and_no_file(
    running_demo: subprocess.Popen[str], elsewhere: dict[str, str]
) -> None:
    below = _descendants(running_demo.pid)
    assert len(below) >= 4
    running_demo.kill()
    running_demo.wait()
    assert _soon(lambda: not any(_alive(pid) for pid in below), 20.0)
    assert _soon(lambda: list(Path(elsewhere["TMPDIR"]).iterdir()) == [], 5.0)


@pytest.mark.timeout(60)
def test_a_broker_that_is_not_there_is_a_sentence_and_an_exit_code(elsewhere: dict[str, str]) -> None:
    done = subprocess.run(
        _demo("--headless", "--purchases", "10", "--kafka", "127.0.0.1:1"),
        env=elsewhere,
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert done.returncode == 3
    assert "Action:" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(Path(elsewhere["TMPDIR"]).iterdir()) == []
