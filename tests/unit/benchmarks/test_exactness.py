import asyncio

import pytest

from benchmarks.exactness import state_checks
from benchmarks.workload import Log, Workload, make_log, write_catalogue
from trendloom.catalogue.directory import load_catalogue
from trendloom.catalogue.garment import Catalogue
from trendloom.events import decode_purchase
from trendloom.refresh import ListRules, Refresher
from trendloom.relevance.presets import PRESETS
from trendloom.state.columns import Arrivals
from trendloom.state.in_process import InProcessStore
from trendloom.state.rules import StateRules
from trendloom.state.store import Partition

NOW_MS = 1_700_000_000_000
LOG = make_log(Workload(purchases=120, items=30, customers=12), NOW_MS)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    out = tmp_path_factory.mktemp("made-up")
    write_catalogue(out, 30)
    return load_catalogue(out)


def checks(catalogue: Catalogue, log: Log, *, taken: int) -> dict[str, bool]:
    """What holds after the first ``taken`` purchases of a log were applied, in one partition."""

    async def apply() -> dict[str, bool]:
        store, place = InProcessStore(), Partition("purchases", 0)
        refresher = Refresher(
            store,
            catalogue,
            state_rules=StateRules(),
            list_rules=ListRules(PRESETS["paper"]),
            stores={},
            worker="here",
            follow_every_s=1e9,
            monotonic=lambda: 0.0,
        )
        await refresher.open(NOW_MS)
        await refresher.assigned(place)
        purchases = [decode_purchase(record.value, NOW_MS) for record in log.records[:taken]]
        numbers = await refresher.number([purchase.item_id for purchase in purchases])
        batch = Arrivals(range(taken), purchases, numbers)
        refresher.settle(await refresher.apply(place, batch, first_offset=0, last_offset=taken - 1))
        return await state_checks(store, log, all_customers=True)

    return asyncio.run(apply())


def test_a_state_that_holds_the_whole_log_is_exact(catalogue: Catalogue) -> None:
    assert all(checks(catalogue, LOG, taken=120).values())


def test_one_purchase_that_is_missing_is_seen_in_every_count(catalogue: Catalogue) -> None:
    assert not any(checks(catalogue, LOG, taken=119).values())


def test_one_purchase_of_another_item_is_seen(catalogue: Catalogue) -> None:
    items = LOG.items.copy()
    items[7] = (items[7] + 1) % 30
    found = checks(catalogue, Log(LOG.workload, LOG.records, LOG.customers, items), taken=120)
    assert [name for name, held in found.items() if not held] == ["each purchase counted once, by item"]
