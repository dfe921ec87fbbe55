"""The state as a fold of the log in plain Python: floats, dictionaries and loops, made from the design alone.

It shares no code with the stores, so that both can be wrong only if they are wrong independently. Tests use it as the
truth: ``fold_log`` for what depends on the log alone, ``fold_percentiles`` for what the published lists say.
"""

from __future__ import annotations

import math
import struct
import uuid
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = ["PlainState", "differences", "fold_log", "fold_percentiles", "read_customer"]

_DAY_MS = 86_400_000
_LANDMARK_MS = 1_577_836_800_000  # 2020-01-01T00:00:00Z
_LN2 = 0.693147180559945309


class _Purchase(Protocol):
    """What is needed of a purchase; :class:`trendloom.events.Purchase` has it."""

    @property
    def event_id(self) -> uuid.UUID: ...
    @property
    def customer_id(self) -> str: ...
    @property
    def item_id(self) -> str: ...
    @property
    def occurred_at(self) -> int: ...
    @property
    def store_id(self) -> str | None: ...
    @property
    def price(self) -> float | None: ...


@dataclass
class PlainState:
    """What is true after a log. Decayed counts are (latest purchase in ms, count as of then)."""

    purchases: dict[str, int] = field(default_factory=dict)
    in_store: dict[str, int] = field(default_factory=dict)
    prices: dict[str, list[float]] = field(default_factory=dict)
    slow: dict[str, tuple[int, float]] = field(default_factory=dict)
    fast: dict[str, tuple[int, float]] = field(default_factory=dict)
    co_purchases: dict[str, dict[str, int]] = field(default_factory=dict)
    customers: dict[str, list[Any]] = field(default_factory=dict)
    duplicates: int = 0


def fold_log(
    log: Iterable[_Purchase],
    *,
    history_length: int = 20,
    window: int = 20,
    slow_half_life_s: float = 86_400.0,
    fast_half_life_s: float = 3_600.0,
) -> PlainState:
    """Fold purchases in the order of the log.

    An event id that is among its customer's last ``history_length`` purchases is the same purchase again. Two items
    that one customer buys within ``window`` purchases get 2 half-units, or 1 if it was not on one UTC day; an item that
    was already bought on that day gets none. Nothing is evicted here.
    """
    state = PlainState()
    times: dict[str, list[int]] = {}
    for purchase in log:
        history = state.customers.setdefault(purchase.customer_id, [])
        if any(earlier.event_id == purchase.event_id for earlier in history[-history_length:]):
            state.duplicates += 1
            continue
        _count_pairs(state, history[-history_length:][-window:], purchase)
        history.append(purchase)
        times.setdefault(purchase.item_id, []).append(purchase.occurred_at)
        in_store = state.in_store.get(purchase.item_id, 0)
        state.in_store[purchase.item_id] = in_store + (purchase.store_id is not None)
        if purchase.price is not None:
            state.prices.setdefault(purchase.item_id, []).append(purchase.price)
    for item, stamps in times.items():
        state.purchases[item] = len(stamps)
        state.slow[item] = _decayed(stamps, slow_half_life_s)
        state.fast[item] = _decayed(stamps, fast_half_life_s)
    return state


def fold_percentiles(lists: Iterable[tuple[str, int, float]]) -> dict[str, tuple[int, float]]:
    """Return each customer's number of purchases and sum of percentiles from (customer, number, percentile) of lists.

    A list that was published twice counts once. Raises ``AssertionError`` if two of the same number disagree, or if one
    is missing.
    """
    seen: dict[str, dict[int, float]] = {}
    for customer, number, percentile in lists:
        numbers = seen.setdefault(customer, {})
        assert numbers.setdefault(number, percentile) == percentile, (customer, number)
    result = {}
    for customer, numbers in seen.items():
        assert sorted(numbers) == list(range(1, len(numbers) + 1)), (customer, sorted(numbers))
        total = 0.0
        for number in sorted(numbers):
            total += numbers[number]
        result[customer] = (len(numbers), total)
    return result


def read_customer(record: bytes) -> tuple[int, float, list[tuple[int, int, float, int, int]]]:
    """Return number of purchases, sum of percentiles and history (item number, second, percentile, event, store)."""
    number, total = struct.unpack_from("<Qd", record)
    return number, total, [struct.unpack_from("<IIfQI", record, at) for at in range(16, len(record), 24)]


def differences(
    plain: PlainState,
    rows: Any,
    ids: list[str],
    customers: Mapping[str, bytes],
    *,
    tolerance: float = 1e-9,
    history_length: int = 20,
    slow_half_life_s: float = 86_400.0,
    fast_half_life_s: float = 3_600.0,
    most_partners: int | None = None,
) -> list[str]:
    """Return a line for everything in which a store differs from the plain fold; none if they agree.

    ``rows`` are the store's :class:`~trendloom.state.store.ItemRows`, ``ids`` its item ids, ``customers`` its records.
    Decayed counts are compared in relative terms. A store keeps at most ``most_partners`` co-purchases of an item
    (None: all): an item that never had more must have exactly these; of one that had, no count may exceed the true one.
    """
    said = []
    pairs = rows.co_purchases  # all of them are made into dictionaries at each look
    number_of = {item: number for number, item in enumerate(ids)}
    found = {ids[number]: place for place, number in enumerate(rows.numbers.tolist()) if rows.purchases[place]}
    if found.keys() != plain.purchases.keys():
        said.append(f"items: {sorted(found.keys() ^ plain.purchases.keys())[:5]} are on one side only")
    for item in found.keys() & plain.purchases.keys():
        place = found[item]
        if int(rows.purchases[place]) != plain.purchases[item]:
            said.append(f"{item}: {rows.purchases[place]} purchases, not {plain.purchases[item]}")
        if int(rows.in_store[place]) != plain.in_store[item]:
            said.append(f"{item}: {rows.in_store[place]} purchases in a store, not {plain.in_store[item]}")
        prices = plain.prices.get(item, [])
        if int(rows.priced[place]) != len(prices) or not math.isclose(
            rows.spent[place], sum(prices), rel_tol=tolerance
        ):
            said.append(f"{item}: {rows.priced[place]} prices of {rows.spent[place]}, not {prices}")
        for name, scores, wanted, half_life_s in (
            ("slow", rows.slow, plain.slow, slow_half_life_s),
            ("fast", rows.fast, plain.fast, fast_half_life_s),
        ):
            latest_ms, count = wanted[item]
            given = math.exp(float(scores[place]) - _LN2 * (latest_ms - _LANDMARK_MS) / (half_life_s * 1000.0))
            if abs(given - count) > tolerance * count:
                said.append(f"{item}: {name} {given!r}, not {count!r}")
        row = {ids[column]: units for column, units in pairs[place].items()}
        true = plain.co_purchases.get(item, {})
        if most_partners is not None and len(true) > most_partners:
            right = 0 < len(row) <= most_partners and all(units <= true.get(other, 0) for other, units in row.items())
        else:
            right = row == true
        if not right:
            said.append(f"{item}: co-purchases {row}, not {true}")
    if customers.keys() != plain.customers.keys():
        said.append(f"customers: {sorted(customers.keys() ^ plain.customers.keys())[:5]} are on one side only")
    for name in customers.keys() & plain.customers.keys():
        number, _, history = read_customer(customers[name])
        wanted_history = plain.customers[name]
        if number != len(wanted_history):
            said.append(f"{name}: {number} purchases, not {len(wanted_history)}")
        last = [
            (number_of[one.item_id], one.occurred_at // 1000, _event(one.event_id), _store(one.store_id))
            for one in wanted_history[-history_length:]
        ]
        if [(item, at_s, event, store) for item, at_s, _, event, store in history] != last:
            said.append(f"{name}: another history")
    return said


def _count_pairs(state: PlainState, history: list[Any], purchase: _Purchase) -> None:
    day = purchase.occurred_at // _DAY_MS
    if any(one.item_id == purchase.item_id and one.occurred_at // _DAY_MS == day for one in history):
        return
    for other in {one.item_id for one in history} - {purchase.item_id}:
        same_day = any(one.item_id == other and one.occurred_at // _DAY_MS == day for one in history)
        for a, b in ((purchase.item_id, other), (other, purchase.item_id)):
            row = state.co_purchases.setdefault(a, {})
            row[b] = row.get(b, 0) + (2 if same_day else 1)


def _decayed(times_ms: list[int], half_life_s: float) -> tuple[int, float]:
    latest = max(times_ms)
    return latest, sum(2.0 ** ((at - latest) / (half_life_s * 1000.0)) for at in sorted(times_ms))


def _event(event_id: uuid.UUID) -> int:
    high, low = divmod(event_id.int, 2**64)
    return int((high * 0x9E3779B97F4A7C15 + low) % 2**64)


def _store(store_id: str | None) -> int:
    return (zlib.crc32(store_id.encode()) or 1) if store_id is not None else 0
