"""The examples do what they say, run as they are."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

from tests.journey.shop import Shop

EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = pytest.mark.slow


def _example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_e01_lists_in_a_loop() -> None:
    ran = subprocess.run(
        [sys.executable, str(EXAMPLES / "e01_lists_in_a_loop.py")], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    headings = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert headings == ["ann", "ben", "ben", "ann"]
    assert len(lines) == 4 * 6
    assert "visual" in ran.stdout


def test_e04_find_similar() -> None:
    ran = subprocess.run(
        [sys.executable, str(EXAMPLES / "e04_find_similar.py")], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    plain, minded = ran.stdout.split("like ")[1:]
    assert len(plain.splitlines()) == len(minded.splitlines()) == 6
    assert plain.splitlines()[0] + ", its label minded" == minded.splitlines()[0]


@pytest.mark.vision
@pytest.mark.timeout(300)
def test_e05_from_photos() -> None:
    pytest.importorskip("torch", reason="the extra `vision` is not installed")
    ran = subprocess.run(
        [sys.executable, str(EXAMPLES / "e05_from_photos.py")], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert lines[0] == "catalogue: 45 items, 0 photos left out"
    assert lines[1].startswith("like dress-")
    assert lines[1].endswith("(100%)")  # its own photo
    counts = {line.split()[1] for line in lines if line.startswith("count: ")}
    assert {"Dress", "Shoes"} <= counts
    assert any(line.startswith("classifier: ") for line in lines)


def test_e02_and_e03_send_and_follow(open_shop: Callable[..., Shop]) -> None:
    shop = open_shop()
    shop.worker()
    bootstrap = shop.settings.kafka.bootstrap
    follow = _example("e03_follow_lists").follow(bootstrap, shop.recommendations, from_beginning=True)
    events = _example("e02_send_purchases").send(bootstrap, "ann", ["item-1", "item-2", "item-9"], shop.purchases)
    with closing(follow):
        found = [next(follow) for _ in events]
    assert [one["cause"]["event_id"] for one in found] == events
    assert [one["version"]["number"] for one in found] == [1, 2, 3]
