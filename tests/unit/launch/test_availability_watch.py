from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from launch.availability_watch import AvailabilityWatch
from trendloom.refresh.availability import EVERYTHING, Availability


class Listener:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.told: list[Availability] = []
        self.heard = asyncio.Event()

    async def allow(self, availability: Availability) -> None:
        self.told.append(availability)
        self.heard.set()


def replace(path: Path, text: str) -> None:
    beside = path.with_suffix(".new")
    beside.write_text(text)
    beside.rename(path)


def test_every_change_is_handed_over_once(tmp_path: Path) -> None:
    path = tmp_path / "stock.json"

    async def check() -> None:
        listener = Listener()
        watch = AvailabilityWatch(path, listener.allow, every_s=1.0)
        assert await watch.look()  # no file yet: everything may be listed
        assert not await watch.look()
        replace(path, '{"never": ["a"]}')
        assert await watch.look()
        assert not await watch.look()
        replace(path, '{"never": ["a", "b"]}')
        assert await watch.look()
        path.unlink()
        assert await watch.look()
        assert [sorted(told.never) for told in listener.told] == [[], ["a"], ["a", "b"], []]
        assert listener.told[-1] == EVERYTHING

    asyncio.run(check())


def test_a_file_that_cannot_be_used_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "stock.json"

    async def check() -> None:
        listener = Listener()
        watch = AvailabilityWatch(path, listener.allow, every_s=1.0)
        replace(path, '{"never": ["a"]}')
        assert await watch.look()
        replace(path, "{broken")
        with caplog.at_level(logging.WARNING):
            assert not await watch.look()
            assert not await watch.look()
        assert len(caplog.records) == 1
        assert "What it said before holds" in caplog.text
        replace(path, '{"never": []}')
        assert await watch.look()
        assert len(listener.told) == 2

    asyncio.run(check())


def test_it_looks_again_and_again(tmp_path: Path) -> None:
    async def check() -> None:
        listener = Listener()
        watch = AvailabilityWatch(tmp_path / "stock.json", listener.allow, every_s=0.001)
        running = asyncio.create_task(watch.run())
        await asyncio.wait_for(listener.heard.wait(), 10)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(check())
