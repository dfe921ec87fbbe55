from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from launch.catalogue_watch import CatalogueWatch
from trendloom.catalogue.build import BuildOptions, build_catalogue
from trendloom.catalogue.changing import remove_items
from trendloom.catalogue.columns import Columns
from trendloom.catalogue.directory import load_catalogue
from trendloom.catalogue.garment import Catalogue
from trendloom.errors import CatalogueError


class Taker:
    """Takes catalogues, or has no room for them."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.room = True
        self.heard = asyncio.Event()

    async def take(self, catalogue: Catalogue) -> None:
        if not self.room:
            raise CatalogueError("There is no room. Action: make some.")
        self.taken.append(catalogue.fingerprint)
        self.heard.set()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "items.csv").write_text("id,kind\n" + "".join(f"i{n},{'ab'[n % 2]}\n" for n in range(9)))
    columns = Columns(item_id="id", category="kind", attributes={"kind": 1.0})
    build_catalogue(tmp_path / "items.csv", tmp_path / "shop", columns, BuildOptions(neighbours=3, lowest=2))
    return tmp_path / "shop"


def watch(shop: Path, taker: Taker) -> CatalogueWatch:
    return CatalogueWatch(shop, load_catalogue(shop).fingerprint, taker.take, every_s=0.001)


def test_each_new_version_is_taken_once(shop: Path) -> None:
    taker = Taker()
    watched = watch(shop, taker)

    async def looks() -> None:
        assert not await watched.look()
        one = remove_items(shop, ["i1"]).fingerprint
        assert await watched.look()
        assert not await watched.look()
        two = remove_items(shop, ["i2"]).fingerprint
        assert await watched.look()
        assert taker.taken == [one, two]

    asyncio.run(looks())


def test_what_cannot_be_used_is_said_and_tried_again(shop: Path, caplog: pytest.LogCaptureFixture) -> None:
    taker = Taker()
    watched = watch(shop, taker)
    caplog.set_level(logging.WARNING)

    async def looks() -> None:
        fingerprint = remove_items(shop, ["i1"]).fingerprint
        whole = (shop / "items.parquet").read_bytes()
        (shop / "items.parquet").write_bytes(whole[:-1])
        assert not await watched.look()
        (shop / "items.parquet").write_bytes(whole)
        taker.room = False
        assert not await watched.look()
        taker.room = True
        assert await watched.look()
        assert taker.taken == [fingerprint]
        (shop / "manifest.json").write_text("{}")
        assert not await watched.look()
        (shop / "manifest.json").unlink()
        assert not await watched.look()

    asyncio.run(looks())
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 4
    assert all("old one" in line for line in said)
    assert "no room" in said[1]


def test_it_looks_until_it_is_cancelled(shop: Path) -> None:
    taker = Taker()

    async def run() -> None:
        running = asyncio.create_task(watch(shop, taker).run())
        remove_items(shop, ["i1"])
        await taker.heard.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(run())
