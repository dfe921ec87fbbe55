"""A running worker and a catalogue that changes under it: nobody restarts anything."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from launch.processes import Processes
from tests.journey.shop import START_MS, Shop
from tests.unit.trendloom.catalogue.wardrobe import SeededEmbedder, draw
from trendloom.catalogue.build import BuildOptions, build_catalogue
from trendloom.catalogue.changing import add_items, remove_items
from trendloom.catalogue.columns import Columns
from trendloom.catalogue.directory import load_catalogue
from trendloom.events import Purchase

pytestmark = [pytest.mark.slow, pytest.mark.broker, pytest.mark.redis, pytest.mark.timeout(240)]

KINDS = ("dress", "hat", "shirt", "shoe")


def photograph(folder: Path, numbers: range, seed: int) -> Path:
    """Draw garments into a folder for each kind."""
    rng = np.random.default_rng(seed)
    for number in numbers:
        path = folder / KINDS[number % 4] / f"garment-{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(number, rng).save(path, compress_level=1)
    return folder


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A catalogue of sixty photographed garments, which this test may change."""
    options = BuildOptions(neighbours=20, lowest=10, photo_dims=16)
    photos = photograph(tmp_path / "photos", range(60), 1)
    build_catalogue(None, tmp_path / "shelf", Columns(), options, photos=photos, embedder=SeededEmbedder())
    return tmp_path / "shelf"


@pytest.fixture
def shop(
    processes: Processes,
    embedded_broker: str,
    embedded_valkey: str,
    fresh_prefix: Callable[[], str],
    shelf: Path,
) -> Iterator[Shop]:
    """A shop on the embedded engines that looks at its shelf often."""
    opened = Shop(processes, embedded_broker, embedded_valkey, fresh_prefix(), shelf, catalogue__look_every_s=0.1)
    yield opened
    opened.close()


def test_an_item_that_was_never_sold_is_recommended_without_a_restart(shop: Shop, shelf: Path, tmp_path: Path) -> None:
    sent: list[Purchase] = []

    def buy(item_id: str) -> dict[str, list[str]]:
        """Let somebody new buy one item; return the fingerprint and the items of their list."""
        purchase = Purchase(
            schema_version=1,
            event_id=uuid.uuid4(),
            customer_id=f"visitor-{len(sent)}",
            item_id=item_id,
            occurred_at=START_MS + 1000 * len(sent),
        )
        sent.append(purchase)
        shop.send([purchase])
        shop.read_until(lambda: any(each["customer_id"] == purchase.customer_id for each in shop.lists))
        (found,) = [each for each in shop.lists if each["customer_id"] == purchase.customer_id]
        return {"catalogue": [found["catalogue"]], "items": [entry["item_id"] for entry in found["entries"]]}

    def buy_until(fingerprint: str, item_id: str) -> list[str]:
        """Let people buy until the lists come from this catalogue; return the first such list."""
        while (found := buy(item_id))["catalogue"] != [fingerprint]:
            assert len(sent) < 2_000, "the worker takes no new catalogue up"
        return found["items"]

    first = load_catalogue(shelf)
    number = shop.worker()
    assert buy("garment-000")["catalogue"] == [first.fingerprint]

    # one new dress, photographed: nobody has ever bought it
    report = add_items(shelf, Columns(), SeededEmbedder(), photos=photograph(tmp_path / "new", range(60, 61), 5))
    assert report.added == ("garment-060",)
    second = load_catalogue(shelf)
    beside = second.item_ids[int(second.neighbours[second.row("garment-060"), 0])]
    assert "garment-060" in buy_until(report.fingerprint, beside)

    # it can be bought, which an unknown item could not be; the purchases before it still count
    assert buy("garment-060")["catalogue"] == [second.fingerprint]
    assert not shop.letters

    # and it is taken out again: nobody is shown it, though it was bought
    third = remove_items(shelf, ["garment-060"])
    buy_until(third.fingerprint, beside)
    assert all("garment-060" not in buy(each)["items"] for each in (beside, "garment-004", "garment-008"))

    assert list(shop.workers.running) == [number]  # one worker, the same all the time
    shop.check_state(sent)
    shop.check_versions()
