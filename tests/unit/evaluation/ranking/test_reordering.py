"""Another order of a day: the same purchases of the same customers at the same times, but not one after the other."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evaluation.contestant import Purchases
from evaluation.ranking.reordering import reordered

DAY_MS = 86_400_000
ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=40)


def purchases(rows: list[tuple[int, int]]) -> Purchases:
    """Return purchases of (customer, day), of items numbered one after the other; price and store are their number."""
    days = sorted(day for _, day in rows)
    log = Purchases.of([who for who, _ in rows], range(len(rows)), [day * DAY_MS + n for n, day in enumerate(days)])
    log.price[:], log.store[:] = log.item, log.item
    return log


@given(ROWS, st.integers(0, 5))
def test_each_customer_s_day_keeps_its_purchases_and_its_times(rows: list[tuple[int, int]], seed: int) -> None:
    log = purchases(rows)
    again = reordered(log, np.random.default_rng(seed))
    assert again.customer.tolist() == log.customer.tolist()
    assert again.at_ms.tolist() == log.at_ms.tolist()
    assert again.price.tolist() == again.store.tolist() == again.item.tolist()

    def kept(one: Purchases) -> set[tuple[int, int, int]]:
        return set(zip(one.customer.tolist(), (one.at_ms // DAY_MS).tolist(), one.item.tolist(), strict=True))

    assert kept(again) == kept(log)


def test_every_order_of_a_basket_is_as_likely_as_any_other() -> None:
    basket = purchases([(1, 0)] * 3)
    rng = np.random.default_rng(1)
    seen = [tuple(reordered(basket, rng).item.tolist()) for _ in range(600)]
    counts = {order: seen.count(order) for order in set(seen)}
    assert len(counts) == 6
    assert min(counts.values()) > 60
