"""The fold as one compiled kernel, for those who have numba (the extra ``fast``): fifty times faster, the same numbers.

:func:`trendloom.state.fold.prepare` is the reference, tests hold this one against it, and it takes over wherever a
batch, or a part of it, is delivered again. Customers' records are handled as 8-byte words: number, sum, then three
words a purchase.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress, pairwise

import numba
import numpy as np
import numpy.typing as npt

from trendloom.events import Purchase
from trendloom.state.columns import Arrival, Arrivals, Counted, Listings
from trendloom.state.customer import ENTRY, NO_ITEM
from trendloom.state.fold import Prepared, Tally, items_changed, prepare
from trendloom.state.rules import StateRules
from trendloom.state.store import JOURNAL, Before, Change, CustomerChanges, Part, Seen

__all__ = ["compile_fold", "prepare_compiled", "prepare_joined"]

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

#: Compiled once and kept on disk; other threads may run meanwhile.
jit = numba.njit(cache=True, nogil=True, error_model="numpy")

_HEADER, _ENTRY = 2, 3  # words
_DAY_S = 86_400
_SAME_DAY, _OTHER_DAY = 2, 1
_LOW = np.uint64(0xFFFF_FFFF)
_HALF = np.uint64(32)
_NONE = np.uint64(NO_ITEM)


@jit
def _knows(words: Words, start: int, end: int, event: np.uint64) -> bool:
    """Return whether an entry of words[start:end] has this event, which lies across its second and third word."""
    for at in range(start, end, _ENTRY):
        if words[at + 1] >> _HALF == event & _LOW and words[at + 2] & _LOW == event >> _HALF:
            return True
    return False


@jit
def _count_pairs(words: Words, start: int, end: int, item: int, at_s: int, pairs: Ints, found: int) -> int:
    """Append the pairs of ``item`` with the distinct items of words[start:end]; return how many there are then."""
    first = found
    day = at_s // _DAY_S
    for at in range(start, end, _ENTRY):
        other = np.int64(words[at] & _LOW)
        same_day = np.int64(words[at] >> _HALF) // _DAY_S == day
        if other == item:
            if same_day:
                return first
            continue
        place = first
        while place < found and pairs[place, 1] != other:
            place += 1
        if place == found:
            pairs[place, 0], pairs[place, 1], pairs[place, 2] = item, other, _OTHER_DAY
            found += 1
        if same_day:
            pairs[place, 2] = _SAME_DAY
    return found


@jit
def _fold(
    records: Words,
    ends: Ints,
    places: Ints,
    items: Ints,
    at_ms: Ints,
    percentiles: npt.NDArray[np.float32],
    events: Words,
    stores: npt.NDArray[np.uint32],
    prior_mean: float,
    prior_weight: float,
    window: int,
    new: npt.NDArray[np.bool_],
    numbers: Ints,
    trends: npt.NDArray[np.float64],
    history: Words,
    pairs: Ints,
    number_of: Ints,
    sum_of: npt.NDArray[np.float64],
    words: Words,
    starts: Ints,
    lengths: Ints,
) -> tuple[int, float]:
    """Fold A purchases into C customers; return how many pairs there are and the sum of the percentiles that count.

    ``records`` are all customers' records as words, ends (C + 1,) where each ends; ``words`` is room for each
    customer's entries and the new ones, from ``starts`` (C,), ``lengths`` (C,) words used so far. ``history`` is
    (A, H, 3), newest first.
    """
    full = history.shape[1]
    for place in range(starts.size):
        start, end = ends[place], ends[place + 1]
        number_of[place], sum_of[place] = 0, 0.0
        if end > start:
            number_of[place] = np.int64(records[start])
            sum_of[place] = records[start + 1 : start + 2].view(np.float64)[0]
            start += _HEADER
        lengths[place] = end - start
        for at in range(end - start):
            words[starts[place] + at] = records[start + at]
    bits = percentiles.view(np.uint32)
    found = 0
    total = 0.0
    for a in range(places.size):
        place = places[a]
        end = starts[place] + lengths[place]
        remembered = min(lengths[place], full * _ENTRY)
        new[a] = not _knows(words, end - remembered, end, events[a])
        if not new[a]:
            continue
        at_s = at_ms[a] // 1000
        if window > 0:
            reach = min(remembered, window * _ENTRY)
            found = _count_pairs(words, end - reach, end, items[a], at_s, pairs, found)
        words[end] = np.uint64(items[a]) | np.uint64(max(at_s, 0)) << _HALF
        words[end + 1] = np.uint64(bits[a]) | (events[a] & _LOW) << _HALF
        words[end + 2] = events[a] >> _HALF | np.uint64(stores[a]) << _HALF
        lengths[place] += _ENTRY
        number_of[place] += 1
        percentile = np.float64(percentiles[a])
        sum_of[place] += percentile
        total += percentile
        numbers[a] = number_of[place]
        weight = prior_weight + number_of[place]
        trends[a] = (prior_weight * prior_mean + sum_of[place]) / weight if weight != 0.0 else prior_mean
        at = end
        first = starts[place]
        for back in range(full):
            if at >= first:
                history[a, back, 0], history[a, back, 1], history[a, back, 2] = words[at], words[at + 1], words[at + 2]
            else:
                history[a, back, 0], history[a, back, 1], history[a, back, 2] = _NONE, np.uint64(0), np.uint64(0)
            at -= _ENTRY
    return found, total


@jit
def _pack(
    changed: npt.NDArray[np.bool_],
    number_of: Ints,
    sum_of: npt.NDArray[np.float64],
    words: Words,
    starts: Ints,
    lengths: Ints,
    full: int,
    out: Words,
    out_ends: Ints,
) -> None:
    """Write the new records of changed customers one after the other, and where each ends."""
    as_floats = out.view(np.float64)
    at = 0
    count = 0
    for place in range(changed.size):
        if not changed[place]:
            continue
        out[at] = np.uint64(number_of[place])
        as_floats[at + 1] = sum_of[place]
        at += _HEADER
        end = starts[place] + lengths[place]
        for word in range(end - min(lengths[place], full * _ENTRY), end):
            out[at] = words[word]
            at += 1
        count += 1
        out_ends[count] = at


@dataclass(slots=True)
class _Compiled(Prepared):
    listed: Listings


def compile_fold(rules: StateRules) -> None:
    """Compile the kernels, or read what was compiled before: seconds, or a fraction of one."""
    someone = Purchase(schema_version=1, event_id=uuid.UUID(int=1), customer_id="c", item_id="i", occurred_at=10**12)
    arrivals = Arrivals([0], [someone], np.zeros(1, np.int64))
    percentiles = np.zeros(1, np.float32)
    prepare_compiled(
        Before(1, -1, [None]), arrivals, last_offset=0, percentiles=percentiles, prior_mean=0.5, rules=rules
    )


def prepare_compiled(
    before: Before,
    arrivals: Sequence[Arrival],
    *,
    last_offset: int,
    percentiles: npt.NDArray[np.float32],
    prior_mean: float,
    rules: StateRules,
) -> Prepared:
    """Return what :func:`trendloom.state.fold.prepare` does; ``listed`` comes as :class:`Listings`."""
    found = Arrivals.of(arrivals)
    size = len(found)
    if size == 0 or found.offsets[0] <= before.fence:
        prepared = prepare(
            before, found, last_offset=last_offset, percentiles=percentiles, prior_mean=prior_mean, rules=rules
        )
        prepared.listed = Listings.of(prepared.listed, found, rules.history_length)
        return prepared
    return _prepared(
        before, found, last_offset=last_offset, percentiles=percentiles, prior_mean=prior_mean, rules=rules
    )


def prepare_joined(
    seen: Seen,
    arrivals: Arrivals,
    *,
    percentiles: npt.NDArray[np.float32],
    prior_mean: float,
    rules: StateRules,
) -> tuple[Prepared, list[Part]]:
    """Return what a batch of several partitions changes, all of it new, and what it is to each of them.

    ``seen`` was read for the partitions of ``arrivals.spans`` and for ``arrivals.names``. The same as if its spans were
    folded one after the other, with the items as they were before the first.
    """
    joined = Before(seen.epoch, -1, seen.customers)
    prepared = _prepared(joined, arrivals, last_offset=-1, percentiles=percentiles, prior_mean=prior_mean, rules=rules)
    journal = prepared.change.journal
    cuts = np.searchsorted(prepared.listed.which, arrivals.starts).tolist()
    parts = [
        Part(span.partition, fence, span.last_offset, journal[start:end])
        for span, fence, (start, end) in zip(arrivals.spans, seen.fences, pairwise(cuts), strict=True)
    ]
    return prepared, parts


def _prepared(
    before: Before,
    found: Arrivals,
    *,
    last_offset: int,
    percentiles: npt.NDArray[np.float32],
    prior_mean: float,
    rules: StateRules,
) -> _Compiled:
    """Fold a batch of which nothing was applied before."""
    size = len(found)
    records = [record or b"" for record in before.customers]
    ends = np.zeros(len(records) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, records), np.int64, len(records)) // 8, out=ends[1:])
    raw = np.frombuffer(b"".join(records), "<u8")
    customers = len(records)
    room = np.diff(ends) + _ENTRY * np.bincount(found.places, minlength=customers)
    starts = np.cumsum(room) - room
    words = np.empty(int(room.sum()), np.uint64)
    new, numbers, trends = np.empty(size, np.bool_), np.zeros(size, np.int64), np.zeros(size)
    history = np.empty((size, rules.history_length, _ENTRY), np.uint64)
    pairs = np.empty((size * rules.co_purchase_window, 3), np.int64)
    number_of, sum_of = np.empty(customers, np.int64), np.empty(customers)
    lengths = np.empty(customers, np.int64)
    n_pairs, total = _fold(
        raw,
        ends,
        found.places,
        found.items,
        found.at_ms,
        percentiles,
        found.events,
        found.stores,
        prior_mean,
        rules.trendiness_prior_weight,
        rules.co_purchase_window,
        new,
        numbers,
        trends,
        history,
        pairs,
        number_of,
        sum_of,
        words,
        starts,
        lengths,
    )
    which = np.flatnonzero(new)
    bought = np.bincount(found.places[which], minlength=customers)
    changed = bought > 0
    out = np.empty(words.size + _HEADER * customers, np.uint64)
    out_ends = np.zeros(int(changed.sum()) + 1, np.int64)
    _pack(changed, number_of, sum_of, words, starts, lengths, rules.history_length, out, out_ends)
    packed = out[: out_ends[-1]].tobytes()
    listed = percentiles[which].astype(np.float64)
    journal = np.empty(which.size, JOURNAL)
    journal["offset"], journal["number"] = found.offsets[which], numbers[which]
    journal["percentile"], journal["trendiness"] = listed, trends[which]
    change = Change(
        epoch=before.epoch,
        expected_fence=before.fence,
        fence=max(last_offset, before.fence),
        customers=CustomerChanges(
            list(compress(found.names, changed.tolist())),
            (number_of - bought)[changed],
            [packed[start:end] for start, end in pairwise((8 * out_ends).tolist())],
        ),
        items=items_changed(
            found.items[which],
            found.at_ms[which],
            found.stores[which] != 0,
            found.prices[which],
            pairs[:n_pairs],
            total,
            rules,
        ),
        journal=journal,
        bought=Counted(found, new, percentiles),
        prior_mean=prior_mean,
    )
    entries = history[which].view(ENTRY)[:, :, 0]
    listings = Listings(found, which, numbers[which], listed, trends[which], entries)
    return _Compiled(change, listings, Tally(new=int(which.size), duplicates=size - int(which.size)))
