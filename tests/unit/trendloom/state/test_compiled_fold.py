import numpy as np
from deliveries import DAY_MS, START_MS, arrivals, purchase
from hypothesis import given
from hypothesis import strategies as st

from trendloom.events import Purchase
from trendloom.state.columns import Arrivals, Listings
from trendloom.state.compiled_fold import prepare_compiled
from trendloom.state.fold import Prepared, prepare
from trendloom.state.rules import StateRules
from trendloom.state.store import Before

FEW = st.integers(0, 4)
#: (customer, item, event, day, store) each
LOGS = st.lists(st.tuples(FEW, FEW, st.integers(0, 30), FEW, FEW), min_size=1, max_size=40)
RULES = st.builds(
    StateRules,
    history_length=st.integers(2, 7),
    co_purchase_window=st.integers(0, 2),
    trendiness_prior_weight=st.sampled_from([0.0, 2.0]),
)


def log_of(rows: list[tuple[int, int, int, int, int]]) -> list[Purchase]:
    return [
        purchase(
            event,
            f"c{customer}",
            item,
            START_MS + day * DAY_MS,
            store=f"store-{store}" if store else None,
            price=0.1 * item if day else None,
        )
        for customer, item, event, day, store in rows
    ]


def same(plain: Prepared, compiled: Prepared) -> None:
    assert plain.tally == compiled.tally
    assert list(plain.listed) == list(compiled.listed)
    for name in ("epoch", "expected_fence", "fence", "prior_mean"):
        assert getattr(plain.change, name) == getattr(compiled.change, name)
    assert list(plain.change.bought) == list(compiled.change.bought)
    assert plain.change.journal.tobytes() == compiled.change.journal.tobytes()
    theirs, ours = plain.change.customers, compiled.change.customers
    assert (theirs.ids, theirs.expected.tolist(), theirs.records) == (ours.ids, ours.expected.tolist(), ours.records)
    for name in ("numbers", "purchases", "in_store", "priced", "spent", "slow", "fast", "rows", "columns", "weights"):
        assert getattr(plain.change.items, name).tolist() == getattr(compiled.change.items, name).tolist()
    assert plain.change.items.percentile_sum == compiled.change.items.percentile_sum


@given(LOGS, LOGS, RULES, st.integers(-1, 2))
def test_the_compiled_fold_is_the_plain_one(
    first: list[tuple[int, int, int, int, int]],
    second: list[tuple[int, int, int, int, int]],
    rules: StateRules,
    overlap: int,
) -> None:
    known: dict[str, bytes] = {}
    fence = -1
    begin = 0
    for rows in (first, second):
        batch = Arrivals.of(arrivals(log_of(rows), begin))
        percentiles = (np.arange(len(batch)) % 7 / 7).astype(np.float32)
        before = Before(7, fence, [known.get(name) for name in batch.names])
        made = [
            form(
                before,
                batch,
                last_offset=begin + len(batch),
                percentiles=percentiles,
                prior_mean=0.375,
                rules=rules,
            )
            for form in (prepare, prepare_compiled)
        ]
        same(*made)
        changes = made[1].change.customers
        known |= dict(zip(changes.ids, changes.records, strict=True))
        fence = made[1].change.fence
        begin = max(fence - overlap, 0)  # part of a batch may come again


def test_what_is_listed_knows_its_columns() -> None:
    batch = Arrivals.of(arrivals([purchase(1, "ann", 3), purchase(1, "ann", 3), purchase(2, "bob", 4)], 5))
    listed = prepare_compiled(
        Before(7, -1, [None, None]),
        batch,
        last_offset=7,
        percentiles=np.full(3, 0.5, np.float32),
        prior_mean=0.5,
        rules=StateRules(history_length=3),
    ).listed
    assert isinstance(listed, Listings)
    assert (listed.which.tolist(), [one.customer_id for one in listed.purchases]) == ([0, 2], ["ann", "bob"])
    assert listed.entries["item"].tolist() == [[3, 0xFFFF_FFFF, 0xFFFF_FFFF], [4, 0xFFFF_FFFF, 0xFFFF_FFFF]]
    assert [one.arrival.offset for one in listed[0:2]] == [5, 7]
