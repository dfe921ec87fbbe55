"""Made-up purchases and the ways in which a log may be delivered: shared by the tests of folds and stores."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from trendloom.events import Purchase
from trendloom.state.columns import Arrival
from trendloom.state.fold import Prepared, customers_of, prepare
from trendloom.state.rules import StateRules
from trendloom.state.store import Outcome, Partition, Store

__all__ = ["DAY_MS", "START_MS", "Step", "arrivals", "deliver", "deliveries", "logs", "percentile_of", "purchase"]

DAY_MS = 86_400_000
START_MS = 1_600_000_000_000 // DAY_MS * DAY_MS
ITEMS = 6
_ATTEMPTS = 5


class Step(NamedTuple):
    """Go back this many records (a re-delivery), then deliver this many as one batch."""

    back: int
    size: int


def purchase(
    event: int,
    customer: str = "c0",
    item: int = 0,
    at_ms: int = START_MS,
    store: str | None = None,
    price: float | None = None,
) -> Purchase:
    """A purchase; ``event`` makes its id, ``item`` its item id."""
    return Purchase(
        schema_version=1,
        event_id=uuid.uuid5(uuid.NAMESPACE_OID, str(event)),
        customer_id=customer,
        item_id=f"item-{item}",
        occurred_at=at_ms,
        store_id=store,
        price=price,
    )


def arrivals(log: Sequence[Purchase], first_offset: int = 0) -> list[Arrival]:
    """The records of a log, one an offset; item numbers are those in the items' names."""
    return [Arrival(first_offset + at, one, int(one.item_id[5:])) for at, one in enumerate(log)]


def percentile_of(item: int) -> float:
    """A percentile that depends on the item alone, so that every split into batches must give the same state."""
    return float(np.float32((item * 37 % 11) / 10.0))


@st.composite
def logs(draw: st.DrawFn, *, customers: int = 3, most: int = 40) -> list[Purchase]:
    """Logs of a few customers and items over three days, late ones and repeated events among them."""
    log: list[Purchase] = []
    for event in range(draw(st.integers(1, most))):
        if log and draw(st.integers(0, 5)) == 0:
            log.append(log[-draw(st.integers(1, min(6, len(log))))])
            continue
        name = f"c{draw(st.integers(0, customers - 1))}"
        at_ms = START_MS + draw(st.integers(0, 3 * DAY_MS - 1))
        store = draw(st.sampled_from([None, "store-1", "store-2"]))
        price = draw(st.sampled_from([None, 0.0, 0.1, 25.0]))
        log.append(purchase(event, name, draw(st.integers(0, ITEMS - 1)), at_ms, store, price))
    return log


def deliveries() -> st.SearchStrategy[list[Step]]:
    """Plans of delivery: batches of any size, records that come again, from anywhere."""
    return st.lists(st.builds(Step, back=st.integers(0, 12), size=st.integers(1, 9)), max_size=12)


async def deliver(
    store: Store,
    partition: Partition,
    batch: Sequence[Arrival],
    *,
    rules: StateRules,
    worker: str = "w",
    forget: Sequence[int] = (),
) -> Prepared:
    """Take one batch through a store as a worker would, again if it is refused; return what was prepared last."""
    percentiles = np.array([percentile_of(arrival.item) for arrival in batch], np.float32)
    for _ in range(_ATTEMPTS):
        before = await store.read(partition, customers_of(batch), journal=True)
        prepared = prepare(
            before, batch, last_offset=batch[-1].offset, percentiles=percentiles, prior_mean=0.5, rules=rules
        )
        if prepared.change.fence == before.fence:
            return prepared
        if await store.write(partition, prepared.change, worker=worker, forget=forget) is Outcome.APPLIED:
            return prepared
    message = f"refused {_ATTEMPTS} times"
    raise AssertionError(message)
