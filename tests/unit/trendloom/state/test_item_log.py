"""However a log is cut into pieces, folded and read, its shards each from their own entry on, rows are the same."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trendloom.state.item_log import (
    BEGINNING,
    ITEM_SHARDS,
    Additions,
    Entry,
    ItemLog,
    Position,
    folded,
    no_rows,
    pack_items,
    pack_pairs,
    unpack_change,
)
from trendloom.state.on_redis_packing import joined, pack_numbers, pack_rows, unpack_rows
from trendloom.state.store import ItemChange, ItemRows

#: Some share a shard.
NUMBERS = [0, 1, 2, ITEM_SHARDS, ITEM_SHARDS + 1, 5 * ITEM_SHARDS + 7, 2_000_000]
KEEP, LIMIT = 2, 3


@st.composite
def changes(draw: st.DrawFn) -> ItemChange:
    numbers = np.array(sorted(draw(st.sets(st.sampled_from(NUMBERS), max_size=4))), np.int64)
    scores = st.floats(-50.0, 50.0)
    pairs = draw(st.lists(st.tuples(*[st.sampled_from(NUMBERS)] * 2, st.integers(1, 2)), max_size=6))
    rows, columns, weights = np.array([pair for pair in pairs if pair[0] != pair[1]], np.int64).reshape(-1, 3).T
    return ItemChange(
        numbers,
        np.array([draw(st.integers(1, 3)) for _ in numbers], np.int64),
        np.array([draw(st.integers(0, 1)) for _ in numbers], np.int64),
        np.array([draw(st.integers(0, 1)) for _ in numbers], np.int64),
        np.array([draw(st.integers(0, 9)) for _ in numbers], np.float64),
        np.array([draw(scores) for _ in numbers], np.float64),
        np.array([draw(scores) for _ in numbers], np.float64),
        rows,
        columns,
        weights,
        draw(st.floats(0.0, 5.0)),
    )


def entries_of(some: list[ItemChange]) -> list[Entry]:
    """Two entries a millisecond."""
    return [
        Entry(Position(1 + at // 2, at % 2), "w", pack_items(one), pack_pairs(one), one.percentile_sum, at, float(at))
        for at, one in enumerate(some)
    ]


def plain_rows(some: list[ItemChange]) -> dict[int, list[Any]]:
    """Counts, spent, scores and co-purchases of each item: in dictionaries, one after the other."""
    rows: dict[int, list[Any]] = {}

    def row(number: int) -> list[Any]:
        return rows.setdefault(number, [0, 0, 0, 0.0, -math.inf, -math.inf, {}])

    for one in some:
        counts = (one.purchases, one.in_store, one.priced, one.spent, one.slow, one.fast)
        for number, *new in zip(one.numbers.tolist(), *(column.tolist() for column in counts), strict=True):
            known = row(number)
            known[:4] = [had + more for had, more in zip(known[:4], new[:4], strict=True)]
            known[4:6] = [float(np.logaddexp(had, more)) for had, more in zip(known[4:6], new[4:], strict=True)]
        for a, b, weight in zip(one.rows.tolist(), one.columns.tolist(), one.weights.tolist(), strict=True):
            for number, other in ((a, b), (b, a)):
                counts = row(number)[6]
                counts[other] = counts.get(other, 0) + weight
                if len(counts) > LIMIT:
                    best = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:KEEP]
                    counts.clear()
                    counts.update(best)
    return rows


def as_dictionary(rows: ItemRows) -> dict[int, list[Any]]:
    columns = (rows.numbers, rows.purchases, rows.in_store, rows.priced, rows.spent, rows.slow, rows.fast)
    table = zip(*(column.tolist() for column in columns), rows.co_purchases, strict=True)
    return {number: list(known) for number, *known in table}


def check_rows(found: ItemRows, wanted: dict[int, list[Any]]) -> None:
    known = as_dictionary(found)
    assert known.keys() == wanted.keys()
    for number, (*counts, slow, fast, row) in wanted.items():
        assert known[number][:4] == counts
        np.testing.assert_allclose(known[number][4:6], [slow, fast], rtol=1e-12)
        assert known[number][6] == row


def stored(rows: ItemRows) -> ItemRows:
    """Through their bytes, and in another order."""
    names, packed = pack_numbers(rows.numbers), pack_rows(rows)
    return unpack_rows(names[::-1], packed[::-1])


@settings(deadline=None, max_examples=60)
@given(some=st.lists(changes(), max_size=9), data=st.data())
def test_shards_folded_up_to_different_entries_become_the_same_rows(
    some: list[ItemChange], data: st.DataObject
) -> None:
    entries = entries_of(some)
    places = [BEGINNING, *(entry.position for entry in entries)]
    ends = data.draw(
        st.dictionaries(st.sampled_from([number % ITEM_SHARDS for number in NUMBERS]), st.sampled_from(places))
    )
    positions = [ends.get(shard, BEGINNING) for shard in range(ITEM_SHARDS)]
    cut = data.draw(st.integers(0, len(entries)))
    log = ItemLog()
    log.take(entries[:cut])
    log.take(entries[cut:])
    assert len(log) == len(entries)
    parts = [no_rows()]
    for shard, end in enumerate(positions):
        if end != BEGINNING:
            early = ItemLog()
            early.take([entry for entry in entries if entry.position <= end])
            new = early.after(shard, shard + 1, [BEGINNING])
            parts.append(stored(folded(no_rows(), new, keep=KEEP, limit=LIMIT)))
    border = data.draw(st.integers(0, ITEM_SHARDS))
    found = joined(parts)
    for shards in (range(border), range(border, ITEM_SHARDS)):
        new = log.after(shards.start, shards.stop, positions[shards.start : shards.stop])
        found = folded(found, new, keep=KEEP, limit=LIMIT)
    check_rows(found, plain_rows(some))
    check_rows(stored(found), plain_rows(some))
    assert log.sizes.sum() == sum(one.numbers.size + 2 * one.rows.size for one in some)


@given(change=changes())
def test_a_change_is_read_back_as_it_was(change: ItemChange) -> None:
    found = unpack_change(entries_of([change])[0])
    for name in ("numbers", "purchases", "in_store", "priced", "spent", "slow", "fast", "rows", "columns", "weights"):
        assert getattr(found, name).tolist() == getattr(change, name).tolist()
    assert found.percentile_sum == change.percentile_sum


def test_entries_that_come_again_or_too_late_are_refused() -> None:
    empty = np.empty(0, np.int64)
    nothing = ItemChange(empty, empty, empty, empty, np.empty(0), np.empty(0), np.empty(0), empty, empty, empty, 0.0)
    entries, log = entries_of([nothing] * 3), ItemLog()
    log.take([])
    log.take(entries[:2])
    for wrong in (entries[:1], entries[1:], [entries[2], entries[2]]):
        with pytest.raises(ValueError, match="in their order"):
            log.take(wrong)
    log.take(entries[2:])
    assert len(log) == 3


def test_positions_are_compared_as_numbers() -> None:
    names = ["0-0", "9-10", "10-2", "10-11"]
    assert sorted(Position.of(name) for name in reversed(names)) == [Position.of(name) for name in names]
    assert [str(Position.of(name.encode())) for name in names] == names


def test_additions_leave_what_they_are_added_to_as_it_was() -> None:
    scores, one = np.zeros(1), np.ones(1, np.int64)
    new = Additions(3 * one, one, one, one, scores, scores, scores, 3 * one, 5 * one, one)
    first = folded(no_rows(), new, keep=2, limit=3)
    folded(first, new, keep=2, limit=3)
    assert (first.purchases.tolist(), first.co_purchases) == ([1], [{5: 1}])
