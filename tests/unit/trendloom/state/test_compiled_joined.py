import numpy as np
import pytest
from deliveries import DAY_MS, START_MS, arrivals, purchase
from hypothesis import given
from hypothesis import strategies as st

from trendloom.state.columns import Arrivals, Listings, Span
from trendloom.state.compiled_fold import prepare_compiled, prepare_joined
from trendloom.state.rules import StateRules
from trendloom.state.store import Before, Partition, Seen

FEW = st.integers(0, 4)
#: (customer, item, event, day) each
LOGS = st.lists(st.tuples(FEW, FEW, st.integers(0, 30), FEW), max_size=12)
RULES = StateRules(history_length=4, co_purchase_window=2)


def part_of(number: int, rows: list[tuple[int, int, int, int]], first: int) -> Arrivals:
    bought = [purchase(event, f"c{name}", item, START_MS + day * DAY_MS) for name, item, event, day in rows]
    part = Arrivals.of(arrivals(bought, first))
    part.spans = [Span(Partition("purchases", number), first, first + len(rows), len(rows))]
    return part


def joined(parts: list[Arrivals]) -> Arrivals:
    return Arrivals(
        [offset for part in parts for offset in part.offsets.tolist()],
        [bought for part in parts for bought in part.purchases],
        np.concatenate([part.items for part in parts]),
        [span for part in parts for span in part.spans],
    )


@given(st.lists(LOGS, min_size=2, max_size=4))
def test_partitions_together_are_what_they_are_one_after_the_other(logs: list[list[tuple[int, int, int, int]]]) -> None:
    """Offsets fall from one partition to the next, and a customer may lie in several."""
    if not any(logs):
        return
    parts = [part_of(number, rows, 100 - 20 * number) for number, rows in enumerate(logs)]
    batch = joined(parts)
    percentiles = (np.arange(len(batch)) % 7 / 7).astype(np.float32)
    seen = Seen(7, [50 - 20 * number for number in range(len(parts))], [None] * len(batch.names))
    prepared, ours = prepare_joined(seen, batch, percentiles=percentiles, prior_mean=0.375, rules=RULES)

    known: dict[str, bytes] = {}
    listings, journals, purchases, percentile_sum, pairs = [], [], np.zeros(5, np.int64), 0.0, []
    slow = np.full(5, -np.inf)
    for part, start in zip(parts, batch.starts.tolist(), strict=False):
        one = prepare_compiled(
            Before(7, 0, [known.get(name) for name in part.names]),
            part,
            last_offset=part.spans[0].last_offset,
            percentiles=percentiles[start : start + len(part)],
            prior_mean=0.375,
            rules=RULES,
        )
        known |= dict(zip(one.change.customers.ids, one.change.customers.records, strict=True))
        listings.append(Listings.of(one.listed, part, RULES.history_length))
        journals.append(one.change.journal.tobytes())
        items = one.change.items
        np.add.at(purchases, items.numbers, items.purchases)
        np.logaddexp.at(slow, items.numbers, items.slow)
        percentile_sum += items.percentile_sum
        pairs += list(zip(items.rows.tolist(), items.columns.tolist(), items.weights.tolist(), strict=True))

    changes = prepared.change.customers
    assert dict(zip(changes.ids, changes.records, strict=True)) == known
    assert not changes.expected.any()
    assert [part.journal.tobytes() for part in ours] == journals
    assert [(part.partition.partition, part.expected_fence, part.fence) for part in ours] == [
        (span.partition.partition, fence, span.last_offset)
        for span, fence in zip(batch.spans, seen.fences, strict=True)
    ]
    assert list(prepared.listed) == list(Listings.joined(listings, batch))
    items = prepared.change.items
    assert items.purchases.tolist() == purchases[items.numbers].tolist()
    np.testing.assert_allclose(items.slow, slow[items.numbers], rtol=1e-12)
    assert items.percentile_sum == pytest.approx(percentile_sum)
    assert list(zip(items.rows.tolist(), items.columns.tolist(), items.weights.tolist(), strict=True)) == pairs


def test_a_batch_knows_where_its_records_lie_and_falls_apart_into_its_partitions() -> None:
    rows = [(0, 1, 1, 0), (1, 2, 2, 0)]
    batch = joined([part_of(3, rows, 40), part_of(1, rows[:1], 7)])
    assert (batch.partitions.tolist(), batch.starts.tolist()) == ([3, 3, 1], [0, 2, 3])
    first, second = batch.apart()
    assert (first.offsets.tolist(), second.offsets.tolist()) == ([40, 41], [7])
    assert (second.spans[0].partition.partition, second.names) == (1, ["c0"])


def test_within_a_partition_offsets_ascend() -> None:
    rows = [(0, 1, 1, 0)]
    with pytest.raises(ValueError, match="offset 39 comes after 40"):
        Arrivals(
            [40, 39],
            [bought for part in (part_of(3, rows, 40), part_of(3, rows, 39)) for bought in part.purchases],
            np.zeros(2, np.int64),
            [Span(Partition("purchases", 3), 39, 40, 2)],
        )
