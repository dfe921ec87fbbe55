"""A running worker and a shop that sells out: what may not be listed is in no list any more, and comes back."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from launch.processes import Processes
from tests.journey.shop import START_MS, Shop
from trendloom.events import Purchase

pytestmark = [pytest.mark.slow, pytest.mark.broker, pytest.mark.redis, pytest.mark.timeout(240)]


@pytest.fixture
def stock(tmp_path: Path) -> Path:
    """The availability file."""
    return tmp_path / "stock.json"


@pytest.fixture
def shop(
    processes: Processes,
    embedded_broker: str,
    embedded_valkey: str,
    fresh_prefix: Callable[[], str],
    catalogue: Path,
    stock: Path,
) -> Iterator[Shop]:
    """A shop on the embedded engines that looks at its stock often, and lists no more than three of a kind."""
    rules = {"lists__availability_file": str(stock), "lists__availability_look_every_s": 0.1, "lists__type_limit": 3}
    opened = Shop(processes, embedded_broker, embedded_valkey, fresh_prefix(), catalogue, **rules)
    yield opened
    opened.close()


def test_what_is_sold_out_disappears_without_a_restart_and_comes_back(shop: Shop, stock: Path) -> None:
    bought: list[Purchase] = []

    def buy() -> list[str]:
        """Let somebody new buy the first item; return the items of their list."""
        purchase = Purchase(
            schema_version=1,
            event_id=uuid.uuid4(),
            customer_id=f"visitor-{len(bought)}",
            item_id="item-0",
            occurred_at=START_MS + 1000 * len(bought),
        )
        bought.append(purchase)
        shop.send([purchase])
        shop.read_until(lambda: any(each["customer_id"] == purchase.customer_id for each in shop.lists))
        (found,) = [each for each in shop.lists if each["customer_id"] == purchase.customer_id]
        return [entry["item_id"] for entry in found["entries"]]

    def say(told: dict[str, list[str]]) -> None:
        beside = stock.with_suffix(".new")
        beside.write_text(json.dumps(told))
        beside.rename(stock)

    shop.worker()
    before = buy()
    assert before
    gone = before[0]
    say({"never": [gone]})
    while gone in (now := buy()):
        assert len(bought) < 2_000, "the worker does not hear what is sold out"
    assert now
    kinds = [int(item_id.split("-")[1]) % 3 for item_id in now]
    assert max(kinds.count(kind) for kind in kinds) <= 3
    say({"never": []})
    while gone not in buy():
        assert len(bought) < 4_000, "the worker does not hear what is back"
